#include "core/ordered_pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace bertha {
namespace {

/// Squares of 0 … count − 1, where later jobs are faster; job `fails` throws.
std::vector<int> squares(int64_t threads, int count, int fails = -1) {
  int next = 0;
  OrderedPipeline<int, int> workers(
      threads, [&] { return next < count ? std::optional(next++) : std::nullopt; },
      [&](int&& job) {
        if (job == fails) throw std::runtime_error("job");
        for (std::atomic<int> spin = 0; spin < (job % 7) * 300; ++spin) {
        }
        return job * job;
      });
  std::vector<int> results;
  while (const std::optional<int> result = workers.next()) results.push_back(*result);
  return results;
}

TEST(OrderedPipeline, ResultsAreInOrderForAnyNumberOfThreads) {
  const std::vector<int> expected = squares(1, 500);
  ASSERT_EQ(expected.size(), 500U);
  EXPECT_EQ(expected[499], 499 * 499);
  for (const int64_t threads : {2, 3, 8}) EXPECT_EQ(squares(threads, 500), expected) << threads;
  EXPECT_TRUE(squares(4, 0).empty());
}

TEST(OrderedPipeline, ExceptionOfAJobIsThrownAtItsPosition) {
  for (const int64_t threads : {1, 4}) {
    int next = 0;
    OrderedPipeline<int, int> workers(
        threads, [&] { return next < 50 ? std::optional(next++) : std::nullopt; },
        [](int&& job) {
          if (job == 20) throw std::runtime_error("job");
          return job;
        });
    for (int i = 0; i < 20; ++i) EXPECT_EQ(workers.next(), i);
    EXPECT_THROW(workers.next(), std::runtime_error) << threads;
  }
}

TEST(OrderedPipeline, ExceptionOfTheProducerIsRethrown) {
  for (const int64_t threads : {1, 4}) {
    int next = 0;
    OrderedPipeline<int, int> workers(
        threads,
        [&]() -> std::optional<int> {
          if (next == 5) throw std::runtime_error("producer");
          return next++;
        },
        [](int&& job) { return job; });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(workers.next(), i);
    EXPECT_THROW(workers.next(), std::runtime_error) << threads;
  }
}

TEST(OrderedPipeline, NumberOfJobsInFlightIsBounded) {
  std::atomic<int> made = 0;
  OrderedPipeline<int, int> workers(
      3, [&] { return std::optional(made++); }, [](int&& job) { return job; });
  for (int taken = 0; taken < 100; ++taken) {
    EXPECT_EQ(workers.next(), taken);
    EXPECT_LE(made.load(), taken + 1 + 2 * 3 + 3);
  }
}

TEST(OrderedPipeline, DestructionBeforeTheEndIsSafe) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> made = 0;
    OrderedPipeline<int, int> workers(
        4, [&] { return std::optional(made++); }, [](int&& job) { return job; });
    EXPECT_EQ(workers.next(), 0);
  }
}

}  // namespace
}  // namespace bertha
