#include "serve/routes/route_worker.h"

#include <utility>

namespace bertha::serve {

RouteWorker::RouteWorker() : thread_([this] { run(); }) {}

RouteWorker::~RouteWorker() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void RouteWorker::post(std::function<void()> part) {
  {
    const std::lock_guard lock(mutex_);
    parts_.push_back(std::move(part));
  }
  changed_.notify_one();
}

void RouteWorker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !parts_.empty(); });
    if (parts_.empty()) return;
    auto part = std::move(parts_.front());
    parts_.pop_front();
    lock.unlock();
    part();
    part = nullptr;  // what it holds is released without the lock
    lock.lock();
  }
}

}  // namespace bertha::serve
