#include "core/allowed_threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "core/control_group.h"
#include "core/error.h"
#include "support/files.h"

namespace bertha {
namespace {

/// A folder with proc/ and sys/ of a system that has control groups.
class ControlGroups : public testing::Test {
 protected:
  test::TemporaryFolder folder_;

  void write(const std::string& path, const std::string& text) const {
    test::write_all(folder_.path() / path, text);
  }
  std::string root() const { return folder_.path().string(); }
  GroupLimit cores() const { return group_cores(root()); }
  GroupLimit memory(double* used = nullptr) const { return group_memory(root(), used); }

  /// Version 2, with this process in /app/job.
  void version_2() const {
    write("proc/self/cgroup", "0::/app/job\n");
    write("proc/self/mountinfo",
          "24 1 0:22 / /proc rw - proc proc rw\n"
          "31 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  /// Version 1, with this process in /docker/abc. The mounts show that group as their root, as
  /// Docker does without a namespace for control groups.
  void version_1() const {
    write("proc/self/cgroup",
          "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n");
    write("proc/self/mountinfo",
          "40 31 0:35 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:9 - cgroup cgroup "
          "rw,cpu,cpuacct\n"
          "41 31 0:36 /docker/abc /sys/fs/cgroup/memory ro master:10 - cgroup cgroup rw,memory\n");
  }
};

TEST_F(ControlGroups, WithoutControlGroupsThereIsNoLimit) {
  EXPECT_FALSE(cores().exists());
  EXPECT_FALSE(memory().exists());
  EXPECT_EQ(allowed_threads(root()).count(), allowed_threads(root()).affinity);
}

TEST_F(ControlGroups, QuotaOfVersion2IsRead) {
  version_2();
  write("sys/fs/cgroup/app/job/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(cores().value, 1.5);
  EXPECT_EQ(cores().file, root() + "/sys/fs/cgroup/app/job/cpu.max");
}

TEST_F(ControlGroups, MaxMeansNoLimit) {
  version_2();
  write("sys/fs/cgroup/app/job/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/app/job/memory.max", "max\n");
  EXPECT_FALSE(cores().exists());
  EXPECT_FALSE(memory().exists());
}

TEST_F(ControlGroups, TheLowestLimitOfAllGroupsAboveCounts) {
  version_2();
  write("sys/fs/cgroup/app/job/cpu.max", "400000 100000\n");
  write("sys/fs/cgroup/app/cpu.max", "50000 100000\n");
  write("sys/fs/cgroup/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/app/job/memory.max", "1000\n");
  write("sys/fs/cgroup/app/job/memory.current", "600\n");
  write("sys/fs/cgroup/app/job/memory.stat", "anon 450\nfile 150\ninactive_file 100\n");
  write("sys/fs/cgroup/app/memory.max", "5000\n");
  EXPECT_DOUBLE_EQ(cores().value, 0.5);
  EXPECT_EQ(cores().file, root() + "/sys/fs/cgroup/app/cpu.max");
  double used = 0;
  EXPECT_DOUBLE_EQ(memory(&used).value, 1000);
  EXPECT_DOUBLE_EQ(used, 500);
}

TEST_F(ControlGroups, LimitsOfVersion1AreRead) {
  version_1();
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n");
  EXPECT_DOUBLE_EQ(cores().value, 2);
  double used = 0;
  EXPECT_DOUBLE_EQ(memory(&used).value, 67108864);
  EXPECT_DOUBLE_EQ(used, 1048576);
}

TEST_F(ControlGroups, NoLimitOfVersion1IsRead) {
  version_1();
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(cores().exists());
  EXPECT_FALSE(memory().exists());
}

TEST_F(ControlGroups, DamagedFilesAreNoLimit) {
  version_2();
  for (const char* text : {"", "x", "100000", "100000 0", "-5 100000", "max"}) {
    write("sys/fs/cgroup/app/job/cpu.max", text);
    EXPECT_FALSE(cores().exists()) << text << ": " << cores().value;
  }
  write("proc/self/cgroup", "nonsense\n:\n0::/app/job");
  write("proc/self/mountinfo", "-\n1 2 3 4 5 6 7 - cgroup2\n\n");
  EXPECT_FALSE(cores().exists());
}

TEST_F(ControlGroups, ThreadsAreTheQuotaRoundedUpButNotMoreThanTheAffinity) {
  AllowedThreads threads;
  threads.affinity = 8;
  EXPECT_EQ(threads.count(), 8);
  for (const auto& [quota, expected] : std::vector<std::pair<double, int64_t>>{
           {0.25, 1}, {1, 1}, {1.5, 2}, {4, 4}, {7.2, 8}, {64, 8}}) {
    threads.quota = {quota, "cpu.max"};
    EXPECT_EQ(threads.count(), expected) << quota;
  }
}

TEST_F(ControlGroups, TheAffinityOfThisProcessCounts) {
  cpu_set_t before;
  CPU_ZERO(&before);
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(allowed_threads(root()).affinity, CPU_COUNT(&before));
  size_t first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(allowed_threads(root()).count(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST(DefaultThreadCount, FollowsOmpNumThreads) {
  const char* const set = std::getenv("OMP_NUM_THREADS");
  const std::string before = set == nullptr ? "" : set;
  for (const auto& [value, expected] : std::vector<std::pair<const char*, int64_t>>{
           {"1", 1}, {"3", 3}, {"1024", 1024}, {"6,2", 6}, {"", allowed_threads().count()}}) {
    ::setenv("OMP_NUM_THREADS", value, 1);
    EXPECT_EQ(default_thread_count(), expected) << value;
  }
  for (const char* wrong : {"0", "-1", "two", "2x", "1025", "99999999999999999999", ",2"}) {
    ::setenv("OMP_NUM_THREADS", wrong, 1);
    EXPECT_THROW(default_thread_count(), Error) << wrong;
  }
  ::unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(default_thread_count(), allowed_threads().count());
  if (set != nullptr) ::setenv("OMP_NUM_THREADS", before.c_str(), 1);
}

}  // namespace
}  // namespace bertha
