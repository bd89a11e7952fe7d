#pragma once

// Tasks of unequal length on plain threads: each takes the next index. What a task computes may
// depend on its index alone, so results are the same for any number of threads. Not the OpenMP team
// of core/threads.h: that one splits statically, for the ops.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace bertha {

/// Calls body(index) for every index in [0, count) on up to `threads` threads, the caller's among
/// them. After an exception no new index is begun; the first one is rethrown here.
template <typename Body>
void run_tasks(int64_t count, int64_t threads, const Body& body) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      for (int64_t index = next++; index < count; index = next++) body(index);
    } catch (...) {
      next = count;
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int64_t i = 1; i < std::min(threads, count); ++i) helpers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bertha
