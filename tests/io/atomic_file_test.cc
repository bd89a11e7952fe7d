#include "io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "core/error.h"
#include "support/files.h"

namespace bertha::io {
namespace {

using test::read_all;
using test::TemporaryFolder;

size_t count_files(const std::string& folder) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

std::string error_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(AtomicFile, FileAppearsCompleteAtCommit) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.txt");
  test::write_all(path, "old");
  const std::string large(3'000'000, 'x');
  AtomicFile file(path);
  file.write("head ");
  file.write(large);
  file.write(" tail");
  file.overwrite(0, std::as_bytes(std::span("HE", 2)));
  file.write("!");
  EXPECT_EQ(file.size_bytes(), 3'000'011);
  EXPECT_EQ(read_all(path), "old");
  file.commit();
  EXPECT_EQ(read_all(path), "HEad " + large + " tail!");
  EXPECT_EQ(count_files(folder.path()), 1U);
}

TEST(AtomicFile, NothingIsLeftWithoutCommit) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.txt");
  test::write_all(path, "old");
  { AtomicFile(path).write("new"); }
  EXPECT_EQ(read_all(path), "old");
  EXPECT_EQ(count_files(folder.path()), 1U);
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMix) {
  const TemporaryFolder folder;
  AtomicFile first(folder.file("a"));
  AtomicFile second(folder.file("a"));
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  EXPECT_EQ(read_all(folder.file("a")), "first");
}

TEST(AtomicFile, ErrorsNameFileAndReason) {
  const TemporaryFolder folder;
  const std::string missing = folder.file("none/a.txt");
  const std::string message = error_of([&] { AtomicFile file(missing); });
  EXPECT_NE(message.find(missing), std::string::npos) << message;
  EXPECT_NE(message.find("none does not exist"), std::string::npos) << message;
  test::write_all(folder.file("plain"), "");
  const std::string in_file = error_of([&] { AtomicFile file(folder.file("plain/a")); });
  EXPECT_NE(in_file.find("Not a directory"), std::string::npos) << in_file;
  std::filesystem::create_directory(folder.file("taken"));
  const std::string taken = error_of([&] { write_file(folder.file("taken"), "x"); });
  EXPECT_NE(taken.find("taken: cannot write: a folder is there"), std::string::npos) << taken;
  EXPECT_EQ(count_files(folder.path()), 2U);
}

TEST(AtomicFile, LinkTargetIsReplacedAndDeviceIsRejected) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("deep"));
  test::write_all(folder.file("deep/target"), "old");
  std::filesystem::create_symlink("deep/target", folder.file("link"));
  write_file(folder.file("link"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  EXPECT_EQ(read_all(folder.file("deep/target")), "new");
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  const std::string pipe = error_of([&] { write_file(folder.file("pipe"), "x"); });
  EXPECT_NE(pipe.find("pipe: cannot write: a device is there"), std::string::npos) << pipe;
  EXPECT_TRUE(std::filesystem::is_fifo(folder.file("pipe")));
}

// A file size limit simulates a full disk: write() fails half-way with an errno.
TEST(AtomicFile, FullDiskKeepsTheOldFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("a.txt");
  test::write_all(path, "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = error_of([&] { write_file(path, std::string(1'000'000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("a.txt: cannot write: File too large"), std::string::npos) << message;
  EXPECT_EQ(read_all(path), "old");
  EXPECT_EQ(count_files(folder.path()), 1U);
}

TEST(RemoveLeftovers, OnlyFilesOfDeadProcessesAreRemoved) {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    AtomicFile file(folder.file("dead.pt"));
    file.write("half");
    _exit(0);  // no destructor runs
  }
  int status = 0;
  waitpid(child, &status, 0);
  AtomicFile alive(folder.file("alive.pt"));
  test::write_all(folder.file("other.tmp-1-x"), "");
  test::write_all(folder.file("other.tmp-1"), "");
  const std::vector<std::string> removed = remove_leftovers(folder.path());
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_EQ(removed[0].rfind("dead.pt.tmp-", 0), 0U) << removed[0];
  alive.commit();
  EXPECT_TRUE(std::filesystem::exists(folder.file("alive.pt")));
  EXPECT_EQ(count_files(folder.path()), 3U);
  EXPECT_TRUE(remove_leftovers(folder.file("none")).empty());
}

TEST(MappedFile, SlicesAreChecked) {
  const TemporaryFolder folder;
  test::write_all(folder.file("a"), "0123456789");
  const MappedFile file(folder.file("a"));
  EXPECT_EQ(file.text(), "0123456789");
  EXPECT_EQ(file.slice(8, 2, "end")[1], std::byte{'9'});
  EXPECT_EQ(file.slice(10, 0, "nothing").size(), 0U);
  EXPECT_THROW(file.slice(8, 3, "x"), Error);
  EXPECT_THROW(file.slice(11, 0, "x"), Error);
  EXPECT_THROW(file.slice(1, UINT64_MAX, "x"), Error);
  const std::string message = error_of([&] { file.slice(UINT64_MAX, 1, "the index"); });
  EXPECT_NE(message.find("the index needs 1 bytes"), std::string::npos) << message;
}

TEST(MappedFile, OnlyRegularFilesAreMapped) {
  const TemporaryFolder folder;
  EXPECT_THROW(MappedFile(folder.path()), Error);
  EXPECT_THROW(MappedFile("/dev/null"), Error);
  EXPECT_NE(error_of([&] { MappedFile(folder.file("no")); }).find("No such file"),
            std::string::npos);
  test::write_all(folder.file("empty"), "");
  EXPECT_EQ(MappedFile(folder.file("empty")).size_bytes(), 0);
}

}  // namespace
}  // namespace bertha::io
