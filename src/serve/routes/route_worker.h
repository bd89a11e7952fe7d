#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace bertha::serve {

/// A thread for parts of requests that are too long for an I/O thread and for a lane: large bodies
/// to parse, large answers to write. Parts run in the order in which they came.
class RouteWorker {
 public:
  RouteWorker();
  /// Runs what was posted, then ends.
  ~RouteWorker();
  RouteWorker(const RouteWorker&) = delete;
  RouteWorker& operator=(const RouteWorker&) = delete;

  /// Any thread. `part` must not throw.
  void post(std::function<void()> part);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> parts_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace bertha::serve
