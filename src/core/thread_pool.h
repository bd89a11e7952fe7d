#pragma once

// The threads under all loops of the CPU (core/parallel_for.h) and its products. A loop is cut into
// more blocks than there are threads. Threads claim blocks one by one, the caller among them, and
// the caller waits only for blocks that another thread has claimed. So a thread that the system has
// not scheduled delays nobody: what it does not claim, others run.
//
// Which thread runs a block depends on timing. A result must depend on the block alone.

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/helper_balance.h"

namespace bertha {

/// A callable body(block) that outlives the call it is passed to.
class BlockBody {
 public:
  template <typename Body>
  explicit BlockBody(const Body& body)
      : body_(&body),
        call_([](const void* self, int64_t block) { (*static_cast<const Body*>(self))(block); }) {}
  void operator()(int64_t block) const { call_(body_, block); }

 private:
  const void* body_;
  void (*call_)(const void*, int64_t);
};

class ThreadPool {  // NOLINT(clang-analyzer-optin.performance.Padding): groups of cache lines
 public:
  /// A pool of `threads` threads: the caller of run() and threads - 1 helpers, which start with the
  /// first loop.
  explicit ThreadPool(int64_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int64_t threads() const { return threads_; }

  /// Calls body(block) once for every block in [0, blocks) and returns when all calls have. After
  /// an exception, blocks that have not begun are left out, and the exception is rethrown here. The
  /// calling thread runs all blocks itself, in order, when it is within a block, when another
  /// thread uses the pool, and in a child of fork().
  void run(int64_t blocks, BlockBody body);

  /// The pool that loops of the calling thread use: that of its PoolBinding, else the one pool of
  /// the process, which has default_thread_count() threads.
  static ThreadPool& current();

 private:
  void start_helpers();
  void help(int64_t number);
  /// Waits until blocks can be claimed. False when the pool ends.
  bool await_work();
  void publish(int64_t blocks, const BlockBody& body);
  void wake_helpers(int64_t count);
  /// Claims and runs blocks until none is left; returns their number.
  int64_t run_claimed(bool from_front);
  /// The same, adding to helped_ns_ and stalled_ns_.
  int64_t run_measured(bool from_front);
  void run_block(int64_t block) noexcept;
  /// Waits until helpers have run `blocks` blocks; returns how long that took.
  HelperBalance::Duration await_helpers(int64_t blocks);
  void note_wait(HelperBalance::Duration waited);

  // A cache line for each group of fields that different threads write.
  static constexpr size_t kLine = 128;

  const int64_t threads_;
  std::mutex caller_;  ///< held by the thread whose loop runs
  std::vector<std::thread> helpers_;
  int64_t process_ = 0;      ///< the helpers are threads of this process
  uint32_t generation_ = 0;  ///< number of the last loop
  HelperBalance balance_;
  bool started_ = false;  ///< the helpers, or those that could be started
  std::mutex failure_mutex_;
  std::exception_ptr failure_;  ///< the first one of this loop

  /// The number of the loop and the blocks that are not claimed yet (thread_pool.cc).
  alignas(kLine) std::atomic<uint64_t> claims_{0};
  std::atomic<const BlockBody*> body_{nullptr};
  /// Blocks of this loop that helpers have run.
  alignas(kLine) std::atomic<uint32_t> finished_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> measures_{false};
  std::atomic<int64_t> helped_ns_{0};  ///< of this loop: HelperBalance::Loop
  std::atomic<int64_t> stalled_ns_{0};
  alignas(kLine) std::atomic<int32_t> sleepers_{0};
  std::atomic<uint32_t> wakes_{0};  ///< changes when sleeping helpers should look for work
  std::atomic<bool> ends_{false};
};

/// While it lives, loops of the thread that made it run in `pool`. Bindings nest.
class PoolBinding {
 public:
  explicit PoolBinding(ThreadPool& pool);
  ~PoolBinding();
  PoolBinding(const PoolBinding&) = delete;
  PoolBinding& operator=(const PoolBinding&) = delete;

 private:
  ThreadPool* outer_;
};

}  // namespace bertha
