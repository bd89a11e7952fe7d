#pragma once

// The requests that wait, cut into windows, and the choice of the next batch. Nobody waits for a
// batch to fill: a lane that falls free takes what is there, up to a budget of tokens.
//
// Fairness: requests of at most kQuantum tokens are served in their order; longer ones take turns
// by deficit round robin (Shreedhar and Varghese 1995). Where both wait, each kind gets half of a
// batch, or every other batch where a batch holds one window. So a long request does not delay a
// short one by more than about a batch, and short ones slow a long one down to half at most. Models
// take turns by the time that they used. Requests of Priority::kBatch get a tenth of the time while
// others wait.
//
// The class has no threads and no clock. Its caller holds a lock and says what time it is.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/window_job.h"
#include "serve/batch_cost.h"
#include "serve/inference_service.h"

namespace bertha::serve {

using TimePoint = std::chrono::steady_clock::time_point;

enum class Outcome : uint8_t { kDone, kExpired, kCancelled, kFailed, kStopped };

/// How a request ended.
struct RequestEnd {
  Outcome outcome = Outcome::kDone;
  std::string message{};                 ///< of kFailed
  std::chrono::microseconds queue{0};    ///< from admission to its first batch
  std::chrono::microseconds compute{0};  ///< from there to its end
};

/// A request to the lanes.
struct LaneRequest {
  size_t model = 0;
  std::shared_ptr<infer::WindowJob> job{};  ///< with at least one window
  Priority priority = Priority::kInteractive;
  TimePoint deadline = TimePoint::max();
  std::shared_ptr<const std::atomic<bool>> cancelled{};
  std::function<void(const RequestEnd&)> done{};  ///< called once, without the lock
};

/// A request that ended, for the caller to report.
struct EndedRequest {
  std::function<void(const RequestEnd&)> done{};
  std::shared_ptr<infer::WindowJob> job{};
  RequestEnd end{};
  void report() const { done(end); }
};

/// What the queue knows of a model.
struct ModelPace {
  BatchCost cost{};
  int64_t budget_tokens = 2048;  ///< of a batch; a batch of one window may be larger
  int64_t budget_rows = 0;       ///< picked rows of a batch; 0: no limit
};

/// Counters since the start.
struct QueueCounts {
  int64_t admitted = 0;
  int64_t completed = 0;
  int64_t refused = 0;
  int64_t expired = 0;
  int64_t cancelled = 0;
  int64_t failed = 0;
  int64_t batches = 0;
  int64_t batch_tokens = 0;
  int64_t batch_windows = 0;
  int64_t last_batch_tokens = 0;
  int64_t last_batch_windows = 0;
};

class WindowQueue {
 public:
  /// Tokens that a long request may take in a turn.
  static constexpr int64_t kQuantum = 512;

  WindowQueue(std::vector<ModelPace> models, const ServiceLimits& limits, int64_t lanes);
  ~WindowQueue();

  /// Takes the request into the queue, or says why not: kOverloaded with the time to wait, or
  /// kTooLarge where it takes longer than its deadline allows even alone.
  std::optional<ServeError> admit(LaneRequest request, TimePoint now);

  class Entry;
  struct Batch {
    size_t model = 0;
    std::vector<infer::WindowRef> windows{};       ///< longest first
    std::vector<std::shared_ptr<Entry>> owners{};  ///< of each window
    int64_t tokens = 0;
    TimePoint begin{};
    bool empty() const { return windows.empty(); }
  };
  /// The next batch; empty where nothing waits. Requests that are cancelled or past their deadline
  /// leave the queue.
  Batch take(TimePoint now);
  /// Takes a batch back that ran. `failures` has a message for each window that failed, else an
  /// empty text; it may be empty.
  void finish(const Batch& batch, const std::vector<std::string>& failures, TimePoint now);

  /// Ends all requests that wait.
  void stop();
  /// The requests that ended since the last call.
  std::vector<EndedRequest> ended();

  /// No request waits; some may run.
  bool nothing_waits() const { return waiting_tokens_ == 0; }
  /// No request waits or runs.
  bool idle() const { return live_ == 0; }

  /// Time that a request of these tokens would wait, in seconds.
  double predicted_wait(size_t model, int64_t tokens, Priority priority, TimePoint now) const;
  int64_t waiting_tokens() const { return waiting_tokens_; }
  int64_t waiting_windows() const { return waiting_windows_; }
  int64_t live_requests() const { return live_; }
  /// Tokens of a second, in batches of the model's budget.
  double tokens_per_second(size_t model) const;
  const QueueCounts& counts() const { return counts_; }
  const ModelPace& pace(size_t model) const { return models_[model].pace; }
  /// How long the batch that began first runs.
  std::chrono::nanoseconds longest_run(TimePoint now) const;

 private:
  using EntryPointer = std::shared_ptr<Entry>;
  /// The requests of a model and a priority.
  struct Waiting {
    std::deque<EntryPointer> small{};  ///< at most kQuantum tokens, in their order
    std::deque<EntryPointer> large{};  ///< the first has its turn
    int64_t small_tokens = 0;
    bool large_first = false;  ///< in the next batch that both kinds share
    bool empty() const { return small.empty() && large.empty(); }
  };
  struct ModelState {
    ModelPace pace{};
    Waiting waiting[2]{};  ///< by priority
    double used_seconds = 0;
  };
  struct Room;

  std::optional<ServeError> refusal(const Entry& entry, TimePoint now) const;
  double queued_seconds(size_t model, int64_t tokens) const;
  double running_seconds(TimePoint now) const;
  double waiting_seconds(double own, bool small, Priority priority) const;
  bool waits(size_t priority) const;
  void drop_ended(TimePoint now);
  void drop_ended(std::deque<EntryPointer>& entries, TimePoint now);
  size_t choose_model(size_t priority) const;
  size_t choose_priority() const;
  void fill(Waiting& waiting, Room& room);
  void fill_small(Waiting& waiting, Room& room);
  void fill_large(Waiting& waiting, Room& room);
  /// Moves windows of the entry to the batch; false: the next one has no room.
  bool take_windows(const EntryPointer& entry, int64_t most_tokens, Room& room);
  void charge(size_t priority, Batch& batch);
  void end(Entry& entry, Outcome outcome, const std::string& message, TimePoint now);

  std::vector<ModelState> models_;
  ServiceLimits limits_;
  int64_t lanes_;
  int64_t waiting_tokens_ = 0;
  int64_t waiting_windows_ = 0;
  int64_t live_ = 0;
  int64_t oversized_ = 0;    ///< live requests that alone take longer than the limit
  double batch_credit_ = 0;  ///< seconds that Priority::kBatch may take before the others
  double least_used_ = 0;    ///< used_seconds of the model that ran last
  std::vector<std::pair<TimePoint, double>> running_;  ///< begin and predicted seconds of batches
  std::vector<EndedRequest> ended_;
  QueueCounts counts_;
};

}  // namespace bertha::serve
