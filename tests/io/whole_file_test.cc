#include "io/whole_file.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/files.h"

namespace bertha::io {
namespace {

std::string error_of(const std::string& path, int64_t most_bytes) {
  try {
    read_whole_file(path, "the list", most_bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(WholeFile, AllBytesAreReadUpToTheLargestSize) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("file");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65536}, size_t{200001}}) {
    const std::string bytes(size, 'x');
    test::write_all(path, bytes);
    EXPECT_TRUE(read_whole_file(path, "the list", std::ssize(bytes)) == bytes) << size;
  }
  EXPECT_EQ(error_of(path, 200000),
            path + ": over 200000 bytes; expected the list of at most that");
}

TEST(WholeFile, TheErrorGivesTheReason) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(error_of(folder.file("none"), 10),
            folder.file("none") + ": cannot open the list: No such file or directory");
  EXPECT_EQ(error_of(folder.path().string(), 10),
            folder.path().string() + ": cannot read the list: Is a directory");
}

}  // namespace
}  // namespace bertha::io
