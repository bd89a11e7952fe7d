#include "core/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <numeric>
#include <set>
#include <stdexcept>

#include "core/error.h"
#include "core/parallel_for.h"

namespace bertha {
namespace {

constexpr int kThreadCounts[] = {1, 2, 5, 16};

template <typename Body>
void run(ThreadPool& pool, int64_t blocks, const Body& body) {
  pool.run(blocks, BlockBody(body));
}

/// How often each block ran.
std::vector<int> visits(ThreadPool& pool, int64_t blocks) {
  std::vector<std::atomic<int>> counts(static_cast<size_t>(blocks));
  run(pool, blocks, [&](int64_t block) { ++counts[static_cast<size_t>(block)]; });
  return {counts.begin(), counts.end()};
}

/// Waits until done() is true. False after half a minute.
template <typename Done>
bool comes_true(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(ThreadPool, RunsEveryBlockOnce) {
  for (const int threads : kThreadCounts) {
    ThreadPool pool(threads);
    for (const int64_t blocks : {0, 1, 2, 7, 1000, 65535, 65536, 200'001}) {
      EXPECT_EQ(visits(pool, blocks), std::vector<int>(static_cast<size_t>(blocks), 1))
          << threads << " threads";
    }
  }
}

TEST(ThreadPool, RunsManyTinyLoops) {
  for (const int threads : kThreadCounts) {
    ThreadPool pool(threads);
    // Not atomic: a loop that ended early, or a block of the wrong loop, would be lost or torn.
    std::vector<int64_t> sums(3);
    for (int64_t loop = 0; loop < 20'000; ++loop) {
      run(pool, 3, [&](int64_t block) { sums[static_cast<size_t>(block)] += loop; });
    }
    EXPECT_EQ(sums, std::vector<int64_t>(3, 20'000 * 19'999 / 2)) << threads << " threads";
  }
}

TEST(ThreadPool, HelpersWakeAfterALongPause) {
  ThreadPool pool(2);
  visits(pool, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  // Each of the two blocks waits for the other to begin, so two threads are there.
  std::atomic<int> begun = 0;
  std::atomic<bool> met = true;
  run(pool, 2, [&](int64_t) {
    ++begun;
    if (!comes_true([&] { return begun == 2; })) met = false;
  });
  EXPECT_TRUE(met);
}

TEST(ThreadPool, ThreadThatIsHeldBackHoldsUpNoOther) {
  constexpr int64_t kBlocks = 64;
  ThreadPool pool(3);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int64_t> done = 0;
  std::atomic<bool> held = false;
  std::atomic<bool> others_did_the_rest = false;
  run(pool, kBlocks, [&](int64_t) {
    if (std::this_thread::get_id() != caller && !held.exchange(true)) {
      others_did_the_rest = comes_true([&] { return done == kBlocks - 1; });
    } else if (std::this_thread::get_id() == caller) {
      // The caller must not run all blocks before a helper is there.
      EXPECT_TRUE(comes_true([&] { return held.load(); }));
    }
    ++done;
  });
  EXPECT_TRUE(others_did_the_rest);
}

TEST(ThreadPool, RethrowsAnExceptionAndRunsTheNextLoop) {
  for (const int threads : kThreadCounts) {
    ThreadPool pool(threads);
    for (const int64_t thrower : {0, 50, 99}) {
      const auto loop = [&] {
        run(pool, 100, [&](int64_t block) {
          if (block == thrower) throw std::runtime_error("block");
        });
      };
      EXPECT_THROW(loop(), std::runtime_error) << threads << " threads, block " << thrower;
    }
    const auto all = [&] { run(pool, 100, [](int64_t) { throw std::runtime_error("all"); }); };
    EXPECT_THROW(all(), std::runtime_error) << threads << " threads";
    EXPECT_EQ(visits(pool, 100), std::vector<int>(100, 1));
  }
}

TEST(ThreadPool, LoopsWithinABlockRunOnItsThread) {
  ThreadPool pool(5);
  const PoolBinding binding(pool);
  std::atomic<int64_t> count = 0;
  parallel_items(20, [&](int64_t) {
    const std::thread::id own = std::this_thread::get_id();
    parallel_items(30, [&](int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), own);
      ++count;
    });
  });
  EXPECT_EQ(count, 600);
}

TEST(ThreadPool, ExceptionOfALoopWithinABlockIsThatOfTheBlock) {
  ThreadPool pool(2);
  const PoolBinding binding(pool);
  const auto loop = [&] {
    parallel_items(
        8, [&](int64_t) { parallel_items(8, [](int64_t) { throw std::runtime_error("inner"); }); });
  };
  EXPECT_THROW(loop(), std::runtime_error);
  EXPECT_EQ(visits(pool, 8), std::vector<int>(8, 1));
}

TEST(ThreadPool, TwoCallersShareOnePool) {
  ThreadPool pool(3);
  const auto call = [&](bool& right) {
    right = true;
    for (int loop = 0; loop < 2000; ++loop) {
      right = right && visits(pool, 10) == std::vector<int>(10, 1);
    }
  };
  bool first = false;
  bool second = false;
  std::thread other([&] { call(first); });
  call(second);
  other.join();
  EXPECT_TRUE(first && second);
}

TEST(ThreadPool, CallersWithPoolsOfTheirOwnRunAtTheSameTime) {
  std::atomic<int> inside = 0;
  std::atomic<bool> met = true;
  const auto call = [&] {
    ThreadPool pool(2);
    const PoolBinding binding(pool);
    EXPECT_EQ(thread_count(), 2);
    // All four threads meet within their blocks.
    parallel_items(2, [&](int64_t) {
      ++inside;
      if (!comes_true([&] { return inside == 4; })) met = false;
    });
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_TRUE(met);
}

TEST(ThreadPool, BindingsNest) {
  const int64_t outermost = thread_count();
  ThreadPool two(2);
  ThreadPool seven(7);
  {
    const PoolBinding outer(two);
    {
      const PoolBinding inner(seven);
      EXPECT_EQ(thread_count(), 7);
    }
    EXPECT_EQ(thread_count(), 2);
  }
  EXPECT_EQ(thread_count(), outermost);
}

#if !defined(__SANITIZE_THREAD__)  // which gives up on threads after fork()
TEST(ThreadPool, ChildOfForkRunsAllBlocksItself) {
  auto pool = std::make_unique<ThreadPool>(4);
  visits(*pool, 100);
  const pid_t child = ::fork();
  if (child == 0) {
    bool right = visits(*pool, 100) == std::vector<int>(100, 1);
    const std::thread::id own = std::this_thread::get_id();
    run(*pool, 100, [&](int64_t) { right = right && std::this_thread::get_id() == own; });
    pool.reset();
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(visits(*pool, 100), std::vector<int>(100, 1));
}
#endif

TEST(ThreadPool, NeedsAThread) {
  EXPECT_THROW(ThreadPool(0), LogicError);
}

TEST(ParallelFor, RangesCoverAllIndicesInOrder) {
  for (const int threads : kThreadCounts) {
    ThreadPool pool(threads);
    const PoolBinding binding(pool);
    for (const int64_t count : {0, 1, 5, 17, 1000}) {
      for (const int64_t grain : {0, 1, 3, 400}) {
        std::vector<std::pair<int64_t, int64_t>> ranges(
            static_cast<size_t>(range_count(count, grain)));
        parallel_ranges(count, grain, [&](int64_t begin, int64_t end, int64_t range) {
          ranges.at(static_cast<size_t>(range)) = {begin, end};
        });
        int64_t next = 0;
        for (const auto& [begin, end] : ranges) {
          EXPECT_EQ(begin, next);
          EXPECT_TRUE(ranges.size() == 1 || end - begin >= std::max<int64_t>(grain, 1));
          next = end;
        }
        EXPECT_EQ(next, count) << threads << " threads, grain " << grain;
      }
    }
  }
}

/// Sums of ranges, added in the order of the ranges, are the same however the threads share them.
TEST(ParallelFor, SumsInTheOrderOfRangesRepeat) {
  std::vector<float> values(10'007);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0F / static_cast<float>(i + 1);
  for (const int threads : kThreadCounts) {
    ThreadPool pool(threads);
    const PoolBinding binding(pool);
    std::set<float> sums;
    for (int repeat = 0; repeat < 200; ++repeat) {
      std::vector<float> parts(static_cast<size_t>(range_count(std::ssize(values), 100)));
      parallel_ranges(std::ssize(values), 100, [&](int64_t begin, int64_t end, int64_t range) {
        parts[static_cast<size_t>(range)] =
            std::accumulate(values.begin() + begin, values.begin() + end, 0.0F);
      });
      sums.insert(std::accumulate(parts.begin(), parts.end(), 0.0F));
    }
    EXPECT_EQ(sums.size(), 1U) << threads << " threads";
  }
}

}  // namespace
}  // namespace bertha
