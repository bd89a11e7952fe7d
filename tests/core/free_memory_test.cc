#include "core/free_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace bertha {
namespace {

TEST(FreeMemory, ReadsTheNumbersOfTheSystem) {
  const std::optional<double> total = kilobytes_in("/proc/meminfo", "MemTotal");
  ASSERT_TRUE(total.has_value());
  EXPECT_GT(*total, 1 << 20);
  EXPECT_FALSE(kilobytes_in("/proc/meminfo", "MemTota").has_value()) << "the whole name counts";
  EXPECT_FALSE(kilobytes_in("/proc/no such file", "MemTotal").has_value());
  const FreeMemory free = free_memory();
  EXPECT_GT(free.bytes, 0);
  EXPECT_LE(free.bytes, *total);
}

TEST(FreeMemory, ALimitOfTheProcessIsNamed) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_DATA, &before), 0);
  // Sanitizers map far more than there is, so the limits are counted from what is mapped.
  const auto data = static_cast<rlim_t>(kilobytes_in("/proc/self/status", "VmData").value_or(0));
  rlimit small = before;
  small.rlim_cur = data + (rlim_t{1} << 40);  // more than there is: the machine's memory counts
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &small), 0);
  const FreeMemory roomy = free_memory();
  small.rlim_cur = data + (rlim_t{256} << 20);
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &small), 0);
  const FreeMemory tight = free_memory();
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &before), 0);
  EXPECT_NE(roomy.limit, "ulimit -d");
  EXPECT_EQ(tight.limit, "ulimit -d");
  EXPECT_EQ(tight.allowed_bytes, static_cast<double>(small.rlim_cur));
  EXPECT_LE(tight.bytes, 256 << 20);
}

TEST(FreeMemory, TheErrorNamesTheDeviceAndBothNumbers) {
  const OutOfMemory error("a device", 6.5e12, 21e9);
  EXPECT_STREQ(error.what(), "a device: 6.50 TB more are needed, 21.00 GB are free");
  EXPECT_EQ(error.needed_bytes(), 6.5e12);
  EXPECT_EQ(error.free_bytes(), 21e9);
}

}  // namespace
}  // namespace bertha
