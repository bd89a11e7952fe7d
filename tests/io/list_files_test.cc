#include "io/list_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "support/files.h"

namespace bertha::io {
namespace {

TEST(ListFiles, FilesOfPrefixAndEndingComeSorted) {
  test::TemporaryFolder folder;
  for (const char* name : {"b_2.txt", "a_1.txt", "b_1.txt", "b_1.hdf5", "sub/b_3.txt"}) {
    test::write_all(folder.file(name), "x");
  }
  std::filesystem::create_directory(folder.file("b_4.txt"));
  EXPECT_EQ(list_files(folder.file(""), "b_", ".txt"),
            (std::vector{folder.file("b_1.txt"), folder.file("b_2.txt")}));
  EXPECT_EQ(list_files(folder.file(""), "", "").size(), 4U);
}

TEST(ListFiles, MissingFolderHasNoFiles) {
  EXPECT_TRUE(list_files(test::TemporaryFolder().file("none"), "", "").empty());
}

TEST(ListFiles, FileInPlaceOfAFolderIsAnError) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("file"), "x");
  EXPECT_THROW(list_files(folder.file("file"), "", ""), Error);
}

}  // namespace
}  // namespace bertha::io
