#include "io/atomic_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "support/files.h"

namespace bertha::io {
namespace {

TEST(MakeFolder, FoldersAboveAreMadeToo) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("a/b/c");
  make_folder(path);
  EXPECT_TRUE(std::filesystem::is_directory(path));
  make_folder(path);  // it exists
  make_folder("");    // the current folder
}

TEST(MakeFolder, FileInTheWayIsAnErrorThatNamesTheFolder) {
  const test::TemporaryFolder folder;
  test::write_all(folder.file("a"), "text");
  try {
    make_folder(folder.file("a/b"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with(folder.file("a/b") + ": cannot make the "));
  }
}

}  // namespace
}  // namespace bertha::io
