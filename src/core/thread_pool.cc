#include "core/thread_pool.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <system_error>
#include <utility>

#include "core/allowed_threads.h"
#include "core/error.h"

namespace bertha {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a helper without work looks for the next loop before it sleeps: longer than the gaps
/// between the loops of a model.
constexpr std::chrono::microseconds kHelperSpin{100};
/// How long a caller waits for blocks of others before it sleeps, so that the system can run one of
/// them on its core.
constexpr std::chrono::microseconds kCallerSpin{50};

/// The pool of this thread's loops; null: that of the process.
thread_local ThreadPool* bound_pool = nullptr;
/// Whether this thread runs a block. Loops within it run on this thread alone.
thread_local bool in_block = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Processor time of this thread.
int64_t processor_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{1'000'000'000} * time.tv_sec + time.tv_nsec;
}

/// Looks at done() until it is true or `time` has passed; returns what it saw last.
template <typename Done>
bool spin(std::chrono::microseconds time, const Done& done) {
  constexpr int kLooksForEachTime = 16;
  const Clock::time_point end = Clock::now() + time;
  do {
    for (int i = 0; i < kLooksForEachTime; ++i) {
      if (done()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return done();
}

/// The state of a loop in one word: its number and the blocks [front, back) that are not claimed.
/// Number and blocks change together, so a thread that was delayed between reading and claiming
/// cannot claim a block of another loop: its exchange fails.
struct Claims {
  uint32_t generation;
  uint16_t front;
  uint16_t back;

  static constexpr int64_t kMostBlocks = UINT16_MAX;

  static Claims of(uint64_t word) {
    return {static_cast<uint32_t>(word >> 32), static_cast<uint16_t>(word >> 16),
            static_cast<uint16_t>(word)};
  }
  uint64_t word() const {
    return uint64_t{generation} << 32 | uint64_t{front} << 16 | uint64_t{back};
  }
  bool empty() const { return front >= back; }
};

/// Takes a block from the front or the back. False when none is left.
bool claim(std::atomic<uint64_t>& claims, bool from_front, int64_t& block) {
  uint64_t seen = claims.load(std::memory_order_acquire);
  while (true) {
    Claims next = Claims::of(seen);
    if (next.empty()) return false;
    block = from_front ? next.front++ : --next.back;
    if (claims.compare_exchange_weak(seen, next.word(), std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      return true;
    }
  }
}

}  // namespace

ThreadPool::ThreadPool(int64_t threads) : threads_(threads) {
  BERTHA_CHECK(threads >= 1, "a pool of {} threads", threads);
}

ThreadPool::~ThreadPool() {
  ends_ = true;
  ++wakes_;
  wakes_.notify_all();
  for (std::thread& helper : helpers_) {
    // The threads of a parent are not in its child.
    if (process_ == ::getpid()) {
      helper.join();
    } else {
      helper.detach();
    }
  }
}

ThreadPool& ThreadPool::current() {
  if (bound_pool != nullptr) return *bound_pool;
  // Never destroyed: a helper may run a loop's block when another thread calls exit().
  static ThreadPool* const pool = new ThreadPool(default_thread_count());
  return *pool;
}

void ThreadPool::run(int64_t blocks, BlockBody body) {
  if (blocks > Claims::kMostBlocks) {
    const int64_t groups = Claims::kMostBlocks;
    const auto group = [&](int64_t i) {
      for (int64_t b = blocks * i / groups; b < blocks * (i + 1) / groups; ++b) body(b);
    };
    return run(groups, BlockBody(group));
  }
  std::unique_lock caller(caller_, std::defer_lock);
  if (blocks <= 1 || threads_ == 1 || in_block || !caller.try_lock() ||
      balance_.rests(Clock::now)) {
    for (int64_t block = 0; block < blocks; ++block) body(block);
    return;
  }
  start_helpers();
  publish(blocks, body);
  const int64_t claimed_by_helpers = blocks - run_claimed(true);
  if (claimed_by_helpers > 0) note_wait(await_helpers(claimed_by_helpers));
  if (failed_.load(std::memory_order_acquire)) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::start_helpers() {
  if (std::exchange(started_, true)) return;
  process_ = ::getpid();
  helpers_.reserve(static_cast<size_t>(threads_ - 1));
  try {
    for (int64_t number = 1; number < threads_; ++number) {
      helpers_.emplace_back([this, number] { help(number); });
    }
  } catch (const std::system_error&) {
    // The system has no more threads for this process: those that there are do the work.
  }
}

void ThreadPool::publish(int64_t blocks, const BlockBody& body) {
  body_.store(&body, std::memory_order_relaxed);
  finished_.store(0, std::memory_order_relaxed);
  failed_.store(false, std::memory_order_relaxed);
  if (balance_.measures() != measures_.load(std::memory_order_relaxed)) {
    measures_.store(balance_.measures(), std::memory_order_relaxed);
  }
  const Claims all = {
      .generation = ++generation_, .front = 0, .back = static_cast<uint16_t>(blocks)};
  // Sequentially consistent, as the two accesses in await_work(): either the helper that goes to
  // sleep sees this loop, or the caller sees the sleeper.
  claims_.store(all.word(), std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) wake_helpers(blocks - 1);
}

void ThreadPool::wake_helpers(int64_t count) {
  wakes_.fetch_add(1, std::memory_order_seq_cst);
  if (count >= threads_ - 1) {
    wakes_.notify_all();
  } else {
    for (int64_t i = 0; i < count; ++i) wakes_.notify_one();
  }
}

void ThreadPool::help(int64_t number) {
  ::pthread_setname_np(::pthread_self(), "bertha-pool");
  bound_pool = this;
  // Half of the helpers share the front with the caller. With two threads each one finds the blocks
  // of the loop before in its own cache.
  const bool from_front = number % 2 == 0;
  while (await_work()) {
    const bool measures = measures_.load(std::memory_order_relaxed);
    const int64_t blocks = measures ? run_measured(from_front) : run_claimed(from_front);
    if (blocks == 0) continue;
    finished_.fetch_add(static_cast<uint32_t>(blocks), std::memory_order_acq_rel);
    finished_.notify_one();
  }
}

bool ThreadPool::await_work() {
  const auto has_work = [this] {
    return !Claims::of(claims_.load(std::memory_order_seq_cst)).empty() ||
           ends_.load(std::memory_order_relaxed);
  };
  while (!spin(kHelperSpin, has_work)) {
    const uint32_t wakes = wakes_.load(std::memory_order_seq_cst);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (!has_work()) wakes_.wait(wakes, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }
  return !ends_.load(std::memory_order_relaxed);
}

int64_t ThreadPool::run_claimed(bool from_front) {
  int64_t count = 0;
  for (int64_t block = 0; claim(claims_, from_front, block); ++count) run_block(block);
  return count;
}

int64_t ThreadPool::run_measured(bool from_front) {
  const Clock::time_point begin = Clock::now();
  const int64_t processor_begin = processor_ns();
  const int64_t count = run_claimed(from_front);
  if (count == 0) return 0;
  const int64_t helped = processor_ns() - processor_begin;
  const int64_t passed = std::chrono::nanoseconds(Clock::now() - begin).count();
  helped_ns_.fetch_add(helped, std::memory_order_relaxed);
  stalled_ns_.fetch_add(std::max<int64_t>(passed - helped, 0), std::memory_order_relaxed);
  return count;
}

/// A claimed block is one of the loop that runs now, and the loop does not end before it has been
/// counted in finished_: body_ cannot change meanwhile.
void ThreadPool::run_block(int64_t block) noexcept {
  if (failed_.load(std::memory_order_relaxed)) return;
  in_block = true;
  try {
    (*body_.load(std::memory_order_relaxed))(block);
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_) failure_ = std::current_exception();
    failed_.store(true, std::memory_order_relaxed);
  }
  in_block = false;
}

HelperBalance::Duration ThreadPool::await_helpers(int64_t blocks) {
  const auto count = static_cast<uint32_t>(blocks);
  uint32_t finished = 0;
  const auto done = [&] {
    finished = finished_.load(std::memory_order_acquire);
    return finished == count;
  };
  if (done()) return {};
  const Clock::time_point begin = Clock::now();
  if (!spin(kCallerSpin, done)) {
    while (!done()) finished_.wait(finished, std::memory_order_acquire);
  }
  return Clock::now() - begin;
}

void ThreadPool::note_wait(HelperBalance::Duration waited) {
  if (!balance_.measures() && waited < HelperBalance::kLongWait) return;
  const auto take = [](std::atomic<int64_t>& ns) {
    return std::chrono::nanoseconds(ns.exchange(0, std::memory_order_relaxed));
  };
  balance_.add({.waited = waited, .helped = take(helped_ns_), .stalled = take(stalled_ns_)},
               Clock::now());
}

PoolBinding::PoolBinding(ThreadPool& pool) : outer_(std::exchange(bound_pool, &pool)) {}

PoolBinding::~PoolBinding() {
  bound_pool = outer_;
}

}  // namespace bertha
