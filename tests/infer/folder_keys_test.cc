#include "infer/folder_keys.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/files.h"
#include "support/paths.h"

namespace bertha::infer {
namespace {

/// BERTHA_WRITE_REFERENCE=1 writes the page anew.
TEST(FolderKeys, ReferencePageIsThatOfTheTables) {
  const std::string path = test::tests_path("../docs/reference/model-folder-keys.md");
  const std::string page = folder_keys_page();
  if (std::getenv("BERTHA_WRITE_REFERENCE") != nullptr) test::write_all(path, page);
  EXPECT_EQ(test::read_all(path), page)
      << "BERTHA_WRITE_REFERENCE=1 test_infer --gtest_filter=FolderKeys.* writes the page anew";
}

}  // namespace
}  // namespace bertha::infer
