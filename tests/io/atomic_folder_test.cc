#include "io/atomic_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "support/files.h"

namespace bertha::io {
namespace {

TEST(AtomicFolder, WithoutACommitNothingIsLeft) {
  constexpr int kMany = 300;  // more than the system lists in one call
  const test::TemporaryFolder folder;
  {
    const AtomicFolder made(folder.file("out"));
    for (int i = 0; i < kMany; ++i) {
      test::write_all(made.temporary_path() + "/below/deep/file_" + std::to_string(i), "x");
    }
    std::filesystem::create_directory_symlink("/", made.temporary_path() + "/link");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

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
