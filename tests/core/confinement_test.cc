#include "core/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <thread>

#include "support/files.h"

namespace bertha {
namespace {

/// Runs `body` in a process of its own, which it may confine. Returns its value.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int error_of(long result) {
  return result < 0 ? errno : 0;
}

TEST(Confinement, FilesAreReadAndNotWritten) {
  if (!can_confine_files()) GTEST_SKIP() << "this kernel has no Landlock";
  const test::TemporaryFolder folder;
  const std::string old = folder.file("old");
  const std::string fresh = folder.file("new");
  test::write_all(old, "text");
  EXPECT_EQ(in_child([&] {
              if (!confine_files({})) return 1;
              if (::open(old.c_str(), O_RDONLY) < 0) return 2;
              if (error_of(::open(old.c_str(), O_WRONLY)) != EACCES) return 3;
              if (error_of(::open(fresh.c_str(), O_WRONLY | O_CREAT, 0600)) != EACCES) return 4;
              if (::open("/dev/null", O_WRONLY) < 0) return 5;
              return error_of(::execl("/bin/true", "true", nullptr)) == EACCES ? 0 : 6;
            }),
            0);
  EXPECT_EQ(test::read_all(old), "text");
  EXPECT_FALSE(std::filesystem::exists(fresh));
}

TEST(Confinement, OutputsAreWrittenAsideAndRenamedInTheirFolderAlone) {
  if (!can_confine_files()) GTEST_SKIP() << "this kernel has no Landlock";
  const test::TemporaryFolder folder;
  const test::TemporaryFolder other;
  EXPECT_EQ(
      in_child([&] {
        const FileRights rights{.output_folders = {folder.path().string(), folder.file("missing")}};
        if (!confine_files(rights)) return 1;
        const std::string aside = folder.file("out.tmp-1");
        if (::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600) < 0) return 2;
        if (::rename(aside.c_str(), folder.file("out").c_str()) != 0) return 3;
        const std::string below = folder.file("new.tmp-1");
        if (::mkdir(below.c_str(), 0700) != 0) return 4;
        if (::open((below + "/a").c_str(), O_WRONLY | O_CREAT, 0600) < 0) return 5;
        if (::rename(below.c_str(), folder.file("new").c_str()) != 0) return 6;
        if (::unlink(folder.file("out").c_str()) != 0) return 7;
        const std::string away = other.file("a");
        return error_of(::open(away.c_str(), O_WRONLY | O_CREAT, 0600)) == EACCES ? 0 : 8;
      }),
      0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "new/a"));
}

TEST(Confinement, AllThreadsOpenNoConnection) {
  if (!can_confine_calls()) GTEST_SKIP() << "this kernel has no seccomp";
  EXPECT_EQ(in_child([] {
              int in_older_thread = -1;
              std::atomic<bool> confined{false};
              std::thread older([&] {
                while (!confined) std::this_thread::yield();
                in_older_thread = error_of(::socket(AF_INET, SOCK_STREAM, 0));
              });
              const bool done = confine_calls();
              confined = true;
              older.join();
              if (!done) return 1;
              if (in_older_thread != EPERM) return 2;
              if (error_of(::socket(AF_INET6, SOCK_STREAM, 0)) != EPERM) return 3;
              const int local = ::socket(AF_UNIX, SOCK_DGRAM, 0);
              if (local < 0) return 4;
              if (error_of(::listen(local, 1)) != EPERM) return 5;
              return error_of(::execl("/bin/true", "true", nullptr)) == EPERM ? 0 : 6;
            }),
            0);
}

}  // namespace
}  // namespace bertha
