#include "serve/serving_lanes.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace bertha::serve {
namespace {

using std::chrono::steady_clock;

/// Lanes yield to the threads that read requests, so that a busy server still answers its probes
/// and refuses in time. The step is from the priority that the process was given. Threads that the
/// lane starts later inherit it.
void lower_priority() {
  constexpr int kStep = 5;
  const auto thread = static_cast<id_t>(::gettid());
  (void)::setpriority(PRIO_PROCESS, thread, ::getpriority(PRIO_PROCESS, thread) + kStep);
}

/// Runs a batch. The result is empty, or has a message for each window that failed.
std::vector<std::string> run_batch(LaneModels& models, const WindowQueue::Batch& batch) {
  const std::span<const infer::WindowRef> all = batch.windows;
  try {
    models.run(batch.model, all);
    return {};
  } catch (const std::exception& error) {
    if (all.size() == 1) return {error.what()};
  }
  // One window must not fail the others: each runs alone.
  std::vector<std::string> failures(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    try {
      models.run(batch.model, all.subspan(i, 1));
    } catch (const std::exception& error) {
      failures[i] = error.what();
      if (failures[i].empty()) failures[i] = "the batch failed";
    }
  }
  return failures;
}

}  // namespace

Lanes::Lanes(int64_t lanes, const MakeModels& make, const ServiceLimits& limits)
    : lanes_(lanes), models_(static_cast<size_t>(lanes)) {
  BERTHA_CHECK(lanes > 0);
  try {
    open(make, limits);
  } catch (...) {
    end_threads();
    throw;
  }
}

void Lanes::open(const MakeModels& make, const ServiceLimits& limits) {
  threads_.reserve(static_cast<size_t>(lanes_) + 1);
  for (int64_t lane = 0; lane < lanes_; ++lane) {
    threads_.emplace_back([this, lane, &make] { start(lane, make); });
  }
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return lanes_ready_ == lanes_; });
  if (failure_) std::rethrow_exception(failure_);
  queue_.emplace(models_[0]->paces(), limits, lanes_);
  threads_.emplace_back([this] { run_reporter(); });
  wake_lane_.notify_all();
}

Lanes::~Lanes() {
  {
    const std::lock_guard lock(mutex_);
    queue_->stop();
  }
  end_threads();
  hand_to_reporter();
  for (const EndedRequest& request : to_report_) request.report();
}

void Lanes::end_threads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_lane_.notify_all();
    wake_reporter_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Lanes::start(int64_t lane, const MakeModels& make) {
  lower_priority();
  const auto at = static_cast<size_t>(lane);
  std::unique_ptr<LaneModels> models;
  std::exception_ptr failure;
  try {
    models = make(lane);
  } catch (...) {
    failure = std::current_exception();
  }
  {
    std::unique_lock lock(mutex_);
    models_[at] = std::move(models);
    if (failure) failure_ = failure;
    ++lanes_ready_;
    idle_.notify_all();
    wake_lane_.wait(lock, [&] { return queue_.has_value() || stop_; });
  }
  if (queue_) run_lane(*models_[at]);
  models_[at].reset();  // on the thread that made them
}

void Lanes::run_lane(LaneModels& models) {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_lane_.wait(lock, [&] { return stop_ || !queue_->nothing_waits(); });
    if (stop_) return;
    const TimePoint begin = steady_clock::now();
    const WindowQueue::Batch batch = queue_->take(begin);
    if (!batch.empty()) {
      // Other lanes may take what is left.
      if (lanes_ > 1 && !queue_->nothing_waits()) wake_lane_.notify_one();
      hand_to_reporter();
      lock.unlock();
      const std::vector<std::string> failures = run_batch(models, batch);
      lock.lock();
      const TimePoint end = steady_clock::now();
      busy_ += end - begin;
      queue_->finish(batch, failures, end);
    }
    report_ended(lock);
  }
}

/// While requests wait, the reporter reports the results, and the lane computes. A lane without
/// work reports them itself, which saves a change of threads.
void Lanes::report_ended(std::unique_lock<std::mutex>& lock) {
  if (!queue_->nothing_waits()) {
    hand_to_reporter();
    return;
  }
  report(queue_->ended(), lock);
}

void Lanes::hand_to_reporter() {
  std::vector<EndedRequest> ended = queue_->ended();
  if (ended.empty()) return;
  std::ranges::move(ended, std::back_inserter(to_report_));
  wake_reporter_.notify_one();
}

void Lanes::report(std::vector<EndedRequest> ended, std::unique_lock<std::mutex>& lock) {
  const int64_t count = std::ssize(ended);
  if (count > 0) {
    reporting_ += count;
    lock.unlock();
    for (const EndedRequest& request : ended) request.report();
    ended.clear();
    lock.lock();
    reporting_ -= count;
  }
  if (queue_->idle() && reporting_ == 0 && to_report_.empty()) idle_.notify_all();
}

void Lanes::run_reporter() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_reporter_.wait(lock, [&] { return stop_ || !to_report_.empty(); });
    if (to_report_.empty()) return;
    report(std::exchange(to_report_, {}), lock);
  }
}

std::optional<ServeError> Lanes::submit(LaneRequest request) {
  const std::lock_guard lock(mutex_);
  if (stop_) return ServeError{.kind = ErrorKind::kDraining, .message = "the server ends"};
  std::optional<ServeError> refused = queue_->admit(std::move(request), steady_clock::now());
  if (!refused) wake_lane_.notify_one();
  return refused;
}

bool Lanes::wait_idle(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, deadline,
                          [&] { return queue_->idle() && reporting_ == 0 && to_report_.empty(); });
}

void Lanes::add_to(ServiceStats& stats) const {
  const std::lock_guard lock(mutex_);
  const TimePoint now = steady_clock::now();
  const QueueCounts& counts = queue_->counts();
  stats.queued_requests = queue_->live_requests();
  stats.queued_windows = queue_->waiting_windows();
  stats.queued_tokens = queue_->waiting_tokens();
  stats.predicted_wait_seconds = queue_->predicted_wait(0, 1, Priority::kInteractive, now);
  stats.tokens_per_second = queue_->tokens_per_second(0);
  stats.lanes = lanes_;
  stats.lane_busy_seconds = std::chrono::duration<double>(busy_).count();
  stats.batches = counts.batches;
  stats.batch_tokens_total = counts.batch_tokens;
  stats.batch_windows_total = counts.batch_windows;
  stats.last_batch_windows = counts.last_batch_windows;
  stats.last_batch_tokens = counts.last_batch_tokens;
  stats.max_batch_tokens = queue_->pace(0).budget_tokens;
  stats.admitted = counts.admitted;
  stats.completed = counts.completed;
  stats.refused_overloaded = counts.refused;
  stats.expired = counts.expired;
  stats.cancelled = counts.cancelled;
  stats.failed = counts.failed;
  stats.longest_batch_age =
      std::chrono::duration_cast<std::chrono::milliseconds>(queue_->longest_run(now));
}

}  // namespace bertha::serve
