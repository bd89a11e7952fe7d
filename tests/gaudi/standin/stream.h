#pragma once

// A stream: operations that a thread runs one after the other, each after a random delay.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "gaudi/standin/access_order.h"
#include "gaudi/standin/refusal.h"

namespace bertha::standin {

/// What a recorded event waits for. It is complete when the stream has come to the place of the
/// record.
class Signal {
 public:
  void complete(const Refusal* failure);
  /// Both throw the failure that the stream had, if any.
  void wait();
  bool is_complete();
  std::chrono::steady_clock::time_point time();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool complete_ = false;
  std::optional<Refusal> failure_;
  std::chrono::steady_clock::time_point time_;
};

class Stream {
 public:
  Stream(StreamNumber number, uint64_t seed, uint64_t delay_microseconds);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Runs what is queued, then ends the thread.
  ~Stream();

  StreamNumber number() const { return number_; }

  bool has_failed();

  /// Queues an operation. `begin` runs before the delay and may be empty; `work` runs after it.
  /// After a failure the later operations are left out, and waits return the failure's status.
  /// `always` runs an operation in spite of a failure.
  struct Operation {
    std::string_view call;
    std::function<void()> begin = {};
    std::function<void()> work;
    bool always = false;
  };
  void queue(Operation operation);

  /// Waits until the queue is empty; throws the failure of the stream, if any.
  void wait();
  /// True when the queue is empty; throws the failure of the stream, if any.
  bool idle();

  /// The failure of the stream, for its own operations; null when there is none.
  const Refusal* failure() const { return failure_ ? &*failure_ : nullptr; }

  /// What the operations queued so far know to be complete, and the number of the last one. The
  /// runtime's lock protects both.
  Clock clock;
  uint64_t operations = 0;

  /// Finds two threads that are in calls with this stream at the same time.
  class Use {
   public:
    Use(Stream& stream, std::string_view call);
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();

   private:
    Stream& stream_;
  };

 private:
  void serve();
  void run(Operation& operation);
  void delay();
  void throw_failure() const;

  const StreamNumber number_;
  const uint64_t seed_;
  const uint64_t delay_microseconds_;
  uint64_t delays_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Operation> queue_;
  bool running_ = false;
  bool ending_ = false;
  std::optional<Refusal> failure_;  ///< only the stream's thread changes it
  std::atomic<bool> in_call_{false};
  std::thread thread_;
};

}  // namespace bertha::standin
