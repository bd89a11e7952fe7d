#include "serve/window_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace bertha::serve {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr size_t kInteractive = static_cast<size_t>(Priority::kInteractive);
constexpr size_t kBatch = static_cast<size_t>(Priority::kBatch);
constexpr double kBatchShare = 1.0 / 9;  // of what the other priority takes: a tenth of all

double seconds_of(std::chrono::nanoseconds time) {
  return duration<double>(time).count();
}

/// Puts the longest windows first: threads that share a batch then end at about the same time.
void sort_by_length(WindowQueue::Batch& batch) {
  std::vector<size_t> order(batch.windows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](size_t i) { return batch.windows[i].size().tokens; });
  WindowQueue::Batch sorted = batch;
  for (size_t i = 0; i < order.size(); ++i) {
    sorted.windows[i] = batch.windows[order[i]];
    sorted.owners[i] = batch.owners[order[i]];
  }
  batch = std::move(sorted);
}

ServeError overloaded(std::string message, double wait) {
  const auto ms = static_cast<int64_t>(std::ceil(std::clamp(wait, 0.1, 120.0) * 1000));
  return {.kind = ErrorKind::kOverloaded,
          .message = std::move(message),
          .retry_after = milliseconds(ms)};
}

}  // namespace

/// A request in the queue or on the lanes.
class WindowQueue::Entry {
 public:
  Entry(LaneRequest from, TimePoint now) : request(std::move(from)), admitted(now) {
    windows = request.job->windows();
    left = windows;
    for (int64_t i = 0; i < windows; ++i) tokens += request.job->size(i).tokens;
    waiting_tokens = tokens;
  }
  bool small() const { return tokens <= kQuantum; }
  size_t priority() const { return static_cast<size_t>(request.priority); }
  bool all_taken() const { return next == windows; }
  bool gone() const {
    return request.cancelled != nullptr && request.cancelled->load(std::memory_order_relaxed);
  }

  LaneRequest request;
  TimePoint admitted;
  std::optional<TimePoint> begun{};
  int64_t windows = 0;
  int64_t tokens = 0;
  int64_t next = 0;            ///< the first window that waits
  int64_t left = 0;            ///< windows without a result
  int64_t waiting_tokens = 0;  ///< of the windows that wait
  int64_t deficit = 0;         ///< tokens that it may still take in its turn
  bool in_turn = false;
  bool oversized = false;
  bool ended = false;
};

/// A batch that is being filled.
struct WindowQueue::Room {
  Batch& batch;
  TimePoint now{};
  int64_t tokens = 0;  ///< that the batch may have
  int64_t rows = 0;    ///< 0: no limit
  int64_t used_rows = 0;

  bool fits(const infer::WindowSize& size) const {
    return batch.empty() ||
           (batch.tokens + size.tokens <= tokens && (rows == 0 || used_rows + size.rows <= rows));
  }
};

WindowQueue::WindowQueue(std::vector<ModelPace> models, const ServiceLimits& limits, int64_t lanes)
    : models_(models.size()), limits_(limits), lanes_(lanes) {
  BERTHA_CHECK(!models.empty() && lanes > 0);
  for (size_t i = 0; i < models.size(); ++i) models_[i].pace = models[i];
}

WindowQueue::~WindowQueue() = default;

double WindowQueue::queued_seconds(size_t model, int64_t tokens) const {
  const ModelPace& pace = models_[model].pace;
  return pace.cost.queued_seconds(tokens, pace.budget_tokens);
}

double WindowQueue::tokens_per_second(size_t model) const {
  return 1 / queued_seconds(model, 1);
}

double WindowQueue::running_seconds(TimePoint now) const {
  if (std::ssize(running_) < lanes_) return 0;
  double least = INFINITY;
  for (const auto& [begin, predicted] : running_) {
    least = std::min(least, predicted - seconds_of(now - begin));
  }
  return std::max(least, 0.0);
}

double WindowQueue::waiting_seconds(double own, bool small, Priority priority) const {
  double small_seconds = 0;
  double large_seconds = 0;  // what large requests take while one of `own` seconds is served
  double before = 0;         // of the higher priority
  for (size_t model = 0; model < models_.size(); ++model) {
    for (size_t level = 0; level <= static_cast<size_t>(priority); ++level) {
      const Waiting& waiting = models_[model].waiting[level];
      const bool higher = level < static_cast<size_t>(priority);
      const double quick = queued_seconds(model, waiting.small_tokens);
      (higher ? before : small_seconds) += quick;
      for (const EntryPointer& entry : waiting.large) {
        const double whole = queued_seconds(model, entry->waiting_tokens);
        (higher ? before : large_seconds) += higher || small ? whole : std::min(whole, own);
      }
    }
  }
  const double first = small ? small_seconds : large_seconds;
  const double second = small ? large_seconds : small_seconds;
  return (before + first + std::min(second, first + own)) / static_cast<double>(lanes_);
}

double WindowQueue::predicted_wait(size_t model, int64_t tokens, Priority priority,
                                   TimePoint now) const {
  return running_seconds(now) +
         waiting_seconds(queued_seconds(model, tokens), tokens <= kQuantum, priority);
}

std::optional<ServeError> WindowQueue::refusal(const Entry& entry, TimePoint now) const {
  const LaneRequest& request = entry.request;
  const double own = queued_seconds(request.model, entry.tokens);
  const double limit = seconds_of(limits_.max_queue_time);
  const double left =
      request.deadline == TimePoint::max() ? INFINITY : seconds_of(request.deadline - now);
  if (left <= 0) {
    return ServeError{.kind = ErrorKind::kDeadline,
                      .message = "the deadline of the request has passed"};
  }
  if (own > left) {
    return ServeError{
        .kind = ErrorKind::kTooLarge,
        .message = fmt::format(
            "the request needs about {:.1f} s alone; its deadline is in {:.1f} s", own, left)};
  }
  const double wait = predicted_wait(request.model, entry.tokens, request.priority, now);
  if (live_ >= limits_.max_queue_requests ||
      (waiting_tokens_ > 0 && waiting_tokens_ + entry.tokens > limits_.max_queue_tokens)) {
    return overloaded("the queue is full", std::max(wait, 1.0));
  }
  const bool in_time = own > limit ? wait <= limit && oversized_ == 0 : wait + own <= limit;
  if (in_time && wait + own <= left) return std::nullopt;
  return overloaded(fmt::format("the queue is about {:.1f} s long", wait), wait);
}

std::optional<ServeError> WindowQueue::admit(LaneRequest request, TimePoint now) {
  const auto entry = std::make_shared<Entry>(std::move(request), now);
  BERTHA_CHECK(entry->windows > 0);
  if (std::optional<ServeError> error = refusal(*entry, now)) {
    ++counts_.refused;
    return error;
  }
  const size_t model = entry->request.model;
  entry->oversized = queued_seconds(model, entry->tokens) > seconds_of(limits_.max_queue_time);
  oversized_ += entry->oversized ? 1 : 0;
  waiting_tokens_ += entry->tokens;
  waiting_windows_ += entry->windows;
  ++live_;
  ++counts_.admitted;
  Waiting& waiting = models_[model].waiting[entry->priority()];
  if (entry->small()) waiting.small_tokens += entry->tokens;
  (entry->small() ? waiting.small : waiting.large).push_back(entry);
  return std::nullopt;
}

void WindowQueue::end(Entry& entry, Outcome outcome, const std::string& message, TimePoint now) {
  entry.ended = true;
  --live_;
  oversized_ -= entry.oversized ? 1 : 0;
  waiting_tokens_ -= entry.waiting_tokens;
  waiting_windows_ -= entry.windows - entry.next;
  Waiting& waiting = models_[entry.request.model].waiting[entry.priority()];
  if (entry.small()) waiting.small_tokens -= entry.waiting_tokens;
  entry.waiting_tokens = 0;
  counts_.completed += outcome == Outcome::kDone ? 1 : 0;
  counts_.expired += outcome == Outcome::kExpired ? 1 : 0;
  counts_.cancelled += outcome == Outcome::kCancelled ? 1 : 0;
  counts_.failed += outcome == Outcome::kFailed ? 1 : 0;
  const TimePoint begun = entry.begun.value_or(now);
  ended_.push_back({.done = std::move(entry.request.done),
                    .job = entry.request.job,
                    .end = {.outcome = outcome,
                            .message = message,
                            .queue = duration_cast<microseconds>(begun - entry.admitted),
                            .compute = duration_cast<microseconds>(now - begun)}});
}

void WindowQueue::drop_ended(std::deque<EntryPointer>& entries, TimePoint now) {
  std::erase_if(entries, [&](const EntryPointer& entry) {
    if (!entry->ended && entry->gone()) end(*entry, Outcome::kCancelled, "", now);
    if (!entry->ended && now >= entry->request.deadline) {
      end(*entry, Outcome::kExpired, "", now);
    }
    return entry->ended;
  });
}

void WindowQueue::drop_ended(TimePoint now) {
  for (ModelState& model : models_) {
    for (Waiting& waiting : model.waiting) {
      drop_ended(waiting.small, now);
      drop_ended(waiting.large, now);
    }
  }
}

bool WindowQueue::waits(size_t priority) const {
  return std::ranges::any_of(
      models_, [&](const ModelState& model) { return !model.waiting[priority].empty(); });
}

size_t WindowQueue::choose_model(size_t priority) const {
  size_t best = models_.size();
  double least = INFINITY;
  for (size_t i = 0; i < models_.size(); ++i) {
    const double used = std::max(models_[i].used_seconds, least_used_);
    if (models_[i].waiting[priority].empty() || used >= least) continue;
    best = i;
    least = used;
  }
  return best;
}

size_t WindowQueue::choose_priority() const {
  if (!waits(kBatch)) return kInteractive;
  if (!waits(kInteractive)) return kBatch;
  const ModelPace& pace = models_[choose_model(kBatch)].pace;
  return batch_credit_ >= pace.cost.seconds(pace.budget_tokens) ? kBatch : kInteractive;
}

bool WindowQueue::take_windows(const EntryPointer& entry, int64_t most_tokens, Room& room) {
  while (!entry->all_taken()) {
    const infer::WindowSize size = entry->request.job->size(entry->next);
    if (size.tokens > most_tokens) return true;
    if (!room.fits(size)) return false;
    room.batch.windows.push_back({entry->request.job.get(), entry->next++});
    room.batch.owners.push_back(entry);
    room.batch.tokens += size.tokens;
    room.used_rows += size.rows;
    most_tokens -= size.tokens;
    entry->deficit -= size.tokens;
    entry->waiting_tokens -= size.tokens;
    if (!entry->begun) entry->begun = room.now;
    waiting_tokens_ -= size.tokens;
    --waiting_windows_;
  }
  return true;
}

void WindowQueue::fill_small(Waiting& waiting, Room& room) {
  while (!waiting.small.empty()) {
    const EntryPointer entry = waiting.small.front();
    const int64_t before = entry->waiting_tokens;
    const bool room_left = take_windows(entry, INT64_MAX, room);
    waiting.small_tokens -= before - entry->waiting_tokens;
    if (!room_left) return;
    waiting.small.pop_front();
  }
}

void WindowQueue::fill_large(Waiting& waiting, Room& room) {
  while (!waiting.large.empty()) {
    const EntryPointer entry = waiting.large.front();
    if (!entry->in_turn) entry->deficit += kQuantum;
    entry->in_turn = true;
    // The turn goes on in the next batch where this one has no room.
    if (!take_windows(entry, entry->deficit, room)) return;
    entry->in_turn = false;
    waiting.large.pop_front();
    if (!entry->all_taken()) waiting.large.push_back(entry);
  }
}

void WindowQueue::fill(Waiting& waiting, Room& room) {
  if (waiting.small.empty()) return fill_large(waiting, room);
  if (waiting.large.empty()) return fill_small(waiting, room);
  const auto first = waiting.large_first ? &WindowQueue::fill_large : &WindowQueue::fill_small;
  const auto second = waiting.large_first ? &WindowQueue::fill_small : &WindowQueue::fill_large;
  waiting.large_first = !waiting.large_first;
  const int64_t all = room.tokens;
  room.tokens = all / 2;
  (this->*first)(waiting, room);
  room.tokens = all;
  (this->*second)(waiting, room);
  (this->*first)(waiting, room);
}

void WindowQueue::charge(size_t priority, Batch& batch) {
  ModelState& model = models_[batch.model];
  const double predicted = model.pace.cost.seconds(batch.tokens);
  least_used_ = std::max(model.used_seconds, least_used_);
  model.used_seconds = least_used_ + predicted;
  if (priority == kBatch) {
    batch_credit_ = std::max(batch_credit_ - predicted, 0.0);
  } else {
    batch_credit_ = waits(kBatch) ? batch_credit_ + kBatchShare * predicted : 0;
  }
  running_.emplace_back(batch.begin, predicted);
  ++counts_.batches;
  counts_.batch_tokens += batch.tokens;
  counts_.batch_windows += std::ssize(batch.windows);
  counts_.last_batch_tokens = batch.tokens;
  counts_.last_batch_windows = std::ssize(batch.windows);
}

WindowQueue::Batch WindowQueue::take(TimePoint now) {
  drop_ended(now);
  Batch batch;
  if (nothing_waits()) return batch;
  const size_t priority = choose_priority();
  batch.model = choose_model(priority);
  batch.begin = now;
  ModelState& model = models_[batch.model];
  Room room = {.batch = batch,
               .now = now,
               .tokens = model.pace.budget_tokens,
               .rows = model.pace.budget_rows};
  fill(model.waiting[priority], room);
  sort_by_length(batch);
  charge(priority, batch);
  return batch;
}

void WindowQueue::finish(const Batch& batch, const std::vector<std::string>& failures,
                         TimePoint now) {
  const auto run = std::ranges::find(running_, batch.begin, &std::pair<TimePoint, double>::first);
  if (run != running_.end()) running_.erase(run);
  models_[batch.model].pace.cost.observe(
      {.tokens = batch.tokens, .seconds = seconds_of(now - batch.begin)});
  for (size_t i = 0; i < batch.owners.size(); ++i) {
    Entry& owner = *batch.owners[i];
    --owner.left;
    if (owner.ended) continue;
    const bool failed = !failures.empty() && !failures[i].empty();
    if (failed) end(owner, Outcome::kFailed, failures[i], now);
    if (!failed && owner.left == 0) end(owner, Outcome::kDone, "", now);
  }
}

void WindowQueue::stop() {
  for (ModelState& model : models_) {
    for (Waiting& waiting : model.waiting) {
      for (std::deque<EntryPointer>* entries : {&waiting.small, &waiting.large}) {
        for (const EntryPointer& entry : *entries) {
          if (!entry->ended) end(*entry, Outcome::kStopped, "", entry->admitted);
        }
        entries->clear();
      }
    }
  }
}

std::vector<EndedRequest> WindowQueue::ended() {
  return std::exchange(ended_, {});
}

std::chrono::nanoseconds WindowQueue::longest_run(TimePoint now) const {
  std::chrono::nanoseconds longest{0};
  for (const auto& [begin, predicted] : running_) longest = std::max(longest, now - begin);
  return longest;
}

}  // namespace bertha::serve
