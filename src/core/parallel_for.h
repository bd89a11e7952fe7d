#pragma once

// Data-parallel loops of the CPU ops, on the thread pool (core/thread_pool.h). Each loop splits its
// indices into equal ranges, more than there are threads. The ranges, and therefore every
// floating-point sum, depend on the thread count alone, not on the thread that runs a range.

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"

namespace bertha {

/// Number of threads of a parallel loop: OMP_NUM_THREADS, else the cores that this process may use,
/// else those of the pool that this thread is bound to.
inline int64_t thread_count() {
  return ThreadPool::current().threads();
}

/// Ranges of a loop for each thread, at most. A thread that starts late or runs slowly takes fewer.
inline constexpr int64_t kRangesForEachThread = 4;

/// Number of ranges into which parallel_ranges(count, grain, …) splits a loop.
inline int64_t range_count(int64_t count, int64_t grain) {
  const int64_t threads = thread_count();
  const int64_t most = threads == 1 ? 1 : threads * kRangesForEachThread;
  return std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, most);
}

/// Calls body(begin, end, range) on range_count(count, grain) disjoint ranges that cover [0, count)
/// in order. Each range has at least `grain` indices unless there is only one range. An exception
/// of a body is rethrown here.
template <typename Body>
void parallel_ranges(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return;
  const int64_t ranges = range_count(count, grain);
  if (ranges == 1) return body(int64_t{0}, count, int64_t{0});
  const auto run_range = [&](int64_t range) {
    body(count * range / ranges, count * (range + 1) / ranges, range);
  };
  ThreadPool::current().run(ranges, BlockBody(run_range));
}

/// Calls body(i) for every i in [0, count). Threads claim the indices one by one: for work of
/// unequal length, each worth a claim.
template <typename Body>
void parallel_items(int64_t count, const Body& body) {
  ThreadPool::current().run(count, BlockBody(body));
}

/// Calls body(i) for every i in [0, count).
template <typename Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  parallel_ranges(count, grain, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace bertha
