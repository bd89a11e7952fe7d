#include "gaudi/standin/stream.h"

#include "core/philox.h"
#include "gaudi/standin/settings.h"

namespace bertha::standin {

void Signal::complete(const Refusal* failure) {
  {
    const std::lock_guard lock(mutex_);
    complete_ = true;
    if (failure != nullptr) failure_ = *failure;
    time_ = std::chrono::steady_clock::now();
  }
  changed_.notify_all();
}

void Signal::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return complete_; });
  if (failure_) throw failure_->again();
}

bool Signal::is_complete() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw failure_->again();
  return complete_;
}

std::chrono::steady_clock::time_point Signal::time() {
  const std::lock_guard lock(mutex_);
  return time_;
}

Stream::Stream(StreamNumber number, uint64_t seed, uint64_t delay_microseconds)
    : number_(number), seed_(seed), delay_microseconds_(delay_microseconds) {
  thread_ = std::thread([this] { serve(); });
}

Stream::~Stream() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Stream::queue(Operation operation) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(operation));
  }
  changed_.notify_all();
}

void Stream::throw_failure() const {
  if (failure_) throw failure_->again();
}

void Stream::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !running_; });
  throw_failure();
}

bool Stream::idle() {
  const std::lock_guard lock(mutex_);
  throw_failure();
  return queue_.empty() && !running_;
}

bool Stream::has_failed() {
  const std::lock_guard lock(mutex_);
  return failure_.has_value();
}

void Stream::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Operation operation = std::move(queue_.front());
    queue_.pop_front();
    running_ = true;
    const bool wanted = !failure_ || operation.always;
    lock.unlock();
    std::optional<Refusal> failure;
    try {
      if (wanted) run(operation);
    } catch (const Refusal& refusal) {
      report(operation.call, refusal);
      failure = refusal;
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    running_ = false;
    changed_.notify_all();
  }
}

void Stream::run(Operation& operation) {
  if (operation.begin) operation.begin();
  delay();
  operation.work();
}

void Stream::delay() {
  if (delay_microseconds_ == 0) return;
  const PhiloxBlock random =
      philox({static_cast<uint32_t>(delays_++), static_cast<uint32_t>(number_), 0, 0}, seed_);
  std::this_thread::sleep_for(std::chrono::microseconds(random[0] % (delay_microseconds_ + 1)));
}

Stream::Use::Use(Stream& stream, std::string_view call) : stream_(stream) {
  require(!stream.in_call_.exchange(true), kInvalidArgument, rule::kThreads,
          "{} is called while another thread is in a call with the same stream", call);
}

Stream::Use::~Use() {
  stream_.in_call_ = false;
}

}  // namespace bertha::standin
