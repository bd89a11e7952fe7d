#include "io/file_status.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/files.h"

namespace bertha::io {
namespace {

TEST(FileStatus, WhatIsNotThereIsAnAnswer) {
  const test::TemporaryFolder folder;
  test::write_all(folder.file("file"), "x");
  EXPECT_FALSE(io::exists(folder.path() / "none"));
  EXPECT_FALSE(io::exists(folder.path() / "file" / "below"));
  EXPECT_FALSE(io::is_regular_file(folder.path() / "none"));
  EXPECT_FALSE(io::is_folder(folder.path() / "none"));
}

TEST(FileStatus, FilesAndFoldersAreToldApart) {
  const test::TemporaryFolder folder;
  test::write_all(folder.file("file"), "x");
  std::filesystem::create_symlink("file", folder.path() / "link");
  EXPECT_TRUE(io::is_regular_file(folder.path() / "link"));
  EXPECT_FALSE(io::is_folder(folder.path() / "file"));
  EXPECT_TRUE(io::is_folder(folder.path()));
  EXPECT_TRUE(io::exists("/dev/null"));
  EXPECT_FALSE(io::is_regular_file("/dev/null"));
}

TEST(FileStatus, WhatTheSystemCannotSayIsAnError) {
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  for (const std::string& path : {folder.file("loop"), folder.file(std::string(300, 'x'))}) {
    try {
      io::exists(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(path + ": ")) << error.what();
    }
  }
}

}  // namespace
}  // namespace bertha::io
