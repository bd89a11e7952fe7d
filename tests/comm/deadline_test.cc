#include "comm/deadline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace bertha::comm {
namespace {

using std::chrono::milliseconds;

TEST(Deadline, CallThatEndsIsWaitedFor) {
  std::atomic<bool> called{false};
  EXPECT_TRUE(call_with_deadline([&] { called = true; }, milliseconds(60000)));
  EXPECT_TRUE(called);
}

TEST(Deadline, CallThatDoesNotEndIsLeft) {
  const auto released = std::make_shared<std::atomic<bool>>(false);
  const auto hangs = [released] {
    while (!*released) std::this_thread::sleep_for(milliseconds(1));
  };
  EXPECT_FALSE(call_with_deadline(hangs, milliseconds(20)));
  *released = true;  // the thread must not outlive the test's program
}

}  // namespace
}  // namespace bertha::comm
