#pragma once

// Parallel work with ordered results. One producer makes jobs, several threads work on them, and
// next() returns the results in the order of the jobs. Results do not depend on the number of
// threads, and the number of jobs in flight is bounded.

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/start_threads.h"

namespace bertha {

template <typename Job, typename Result>
class OrderedPipeline {
 public:
  /// `produce` returns the next job, or nothing at the end; no two threads call it at once. `work`
  /// must depend on its job alone. With one thread, or where no thread can be started, everything
  /// runs inside next().
  OrderedPipeline(int64_t threads, std::function<std::optional<Job>()> produce,
                  std::function<Result(Job&&)> work)
      : produce_(std::move(produce)),
        work_(std::move(work)),
        slots_(static_cast<size_t>(std::max<int64_t>(2 * threads, 1))) {
    if (threads > 1) start_threads(threads_, threads, [this] { run(); });
  }
  OrderedPipeline(const OrderedPipeline&) = delete;
  OrderedPipeline& operator=(const OrderedPipeline&) = delete;
  ~OrderedPipeline() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
  }

  /// The next result, or nothing at the end. If a job threw an exception, next() rethrows it once,
  /// after all results before it, and returns no result after it.
  std::optional<Result> next() {
    if (threads_.empty()) {
      std::optional<Job> job = produce_();
      if (!job) return std::nullopt;
      return work_(std::move(*job));
    }
    std::unique_lock lock(mutex_);
    std::optional<Slot>& place = slot_of(consumed_);
    changed_.wait(lock, [&] { return place.has_value() || (exhausted_ && consumed_ == issued_); });
    if (!place) return std::nullopt;
    Slot slot = std::move(*place);
    place.reset();
    ++consumed_;
    lock.unlock();
    changed_.notify_all();
    if (slot.failure) std::rethrow_exception(slot.failure);
    return std::move(slot.result);
  }

 private:
  struct Slot {
    std::optional<Result> result;
    std::exception_ptr failure;
  };

  void run() {
    while (true) {
      std::optional<Job> job;
      int64_t index = 0;
      Slot slot;
      {
        const std::lock_guard producing(produce_mutex_);
        if (!wait_for_space()) return;
        try {
          job = produce_();
        } catch (...) {
          slot.failure = std::current_exception();
        }
        index = announce(job.has_value() || slot.failure, slot.failure != nullptr || !job);
        if (index < 0) return;
      }
      if (job) {
        try {
          slot.result = work_(std::move(*job));
        } catch (...) {
          slot.failure = std::current_exception();
        }
      }
      {
        const std::lock_guard lock(mutex_);
        slot_of(index) = std::move(slot);
      }
      changed_.notify_all();
    }
  }

  std::optional<Slot>& slot_of(int64_t index) {
    return slots_[static_cast<size_t>(index) % slots_.size()];
  }

  bool wait_for_space() {
    std::unique_lock lock(mutex_);
    changed_.wait(
        lock, [&] { return stopped_ || exhausted_ || issued_ - consumed_ < std::ssize(slots_); });
    return !stopped_ && !exhausted_;
  }

  /// Returns the next position in the order, or -1 when there is no result to return.
  int64_t announce(bool has_result, bool is_last) {
    const std::lock_guard lock(mutex_);
    exhausted_ = exhausted_ || is_last;
    if (!has_result) changed_.notify_all();
    return has_result ? issued_++ : -1;
  }

  std::function<std::optional<Job>()> produce_;
  std::function<Result(Job&&)> work_;
  // Results that are done and not yet returned. They have their places from the start, so that a
  // thread can hand over a failure without an allocation.
  std::vector<std::optional<Slot>> slots_;
  std::mutex produce_mutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t issued_ = 0;
  int64_t consumed_ = 0;
  bool exhausted_ = false;
  bool stopped_ = false;
  std::vector<std::jthread> threads_;  // last member: the threads are joined before the members
                                       // that they use are destroyed
};

}  // namespace bertha
