// The queue with a clock that the test sets: a token takes a millisecond.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "serve/fake_windows.h"
#include "serve/window_queue.h"

namespace bertha::serve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeRequest;

class QueueTest : public testing::Test {
 protected:
  static ModelPace pace(int64_t budget = 1024) {
    return {.cost = BatchCost(0, 1e-3), .budget_tokens = budget};
  }
  void make(std::vector<ModelPace> models = {pace()}, ServiceLimits limits = generous(),
            int64_t lanes = 1) {
    queue_.emplace(std::move(models), limits, lanes);
  }
  static ServiceLimits generous() {
    return {.max_queue_tokens = 1 << 30, .max_queue_time = std::chrono::hours(1)};
  }
  std::optional<ServeError> admit(const FakeRequest& request) {
    return queue_->admit(request.lane_request(), now_);
  }
  void must_admit(const FakeRequest& request) {
    const std::optional<ServeError> error = admit(request);
    ASSERT_FALSE(error) << error->message;
  }
  /// Takes a batch and runs it for as long as it is predicted to take.
  WindowQueue::Batch run_batch() {
    WindowQueue::Batch batch = queue_->take(now_);
    if (batch.empty()) {
      report();  // of those that are past their deadline
      return batch;
    }
    now_ += milliseconds(batch.tokens);
    queue_->finish(batch, {}, now_);
    report();
    return batch;
  }
  void report() {
    for (const EndedRequest& ended : queue_->ended()) ended.report();
  }
  static int64_t windows_of(const WindowQueue::Batch& batch, const FakeRequest& request) {
    return std::ranges::count(batch.windows, request.job.get(), &infer::WindowRef::job);
  }

  TimePoint now_{seconds(1000)};
  std::optional<WindowQueue> queue_;
};

TEST_F(QueueTest, WindowsOfSeveralRequestsRunTogetherUpToTheBudget) {
  make({pace(100)});
  std::vector<FakeRequest> requests(10, FakeRequest(0));
  for (FakeRequest& request : requests) {
    request = FakeRequest(1, 30);
    must_admit(request);
  }
  EXPECT_EQ(run_batch().windows.size(), 3U);
  EXPECT_EQ(requests[2].outcome(), Outcome::kDone);
  EXPECT_EQ(requests[3].outcome(), Outcome::kStopped);
  EXPECT_EQ(queue_->waiting_tokens(), 7 * 30);
  EXPECT_EQ(queue_->waiting_windows(), 7);
  EXPECT_EQ(queue_->live_requests(), 7);
  while (!queue_->nothing_waits()) run_batch();
  EXPECT_TRUE(queue_->idle());
  EXPECT_EQ(queue_->counts().completed, 10);
  EXPECT_EQ(queue_->counts().batches, 4);
}

TEST_F(QueueTest, WindowLargerThanTheBudgetRunsAlone) {
  make({pace(100)});
  FakeRequest large(2, 400);
  must_admit(large);
  EXPECT_EQ(run_batch().windows.size(), 1U);
  EXPECT_EQ(run_batch().windows.size(), 1U);
  EXPECT_EQ(large.outcome(), Outcome::kDone);
}

TEST_F(QueueTest, RowsOfABatchAreBounded) {
  class Rows final : public infer::WindowJob {
   public:
    int64_t windows() const override { return 6; }
    infer::WindowSize size(int64_t) const override { return {.tokens = 10, .rows = 5}; }
    void append(int64_t, RaggedBatch&, std::vector<int32_t>&) const override {}
    void take(int64_t, std::span<const float>) override {}
  };
  ModelPace limited = pace();
  limited.budget_rows = 12;
  make({limited});
  LaneRequest request = {.job = std::make_shared<Rows>()};
  request.done = [](const RequestEnd&) {};
  ASSERT_FALSE(queue_->admit(std::move(request), now_));
  EXPECT_EQ(run_batch().windows.size(), 2U);
}

TEST_F(QueueTest, LongestWindowsComeFirstInABatch) {
  make();
  const FakeRequest shorter(1, 10);
  const FakeRequest longer(1, 90);
  must_admit(shorter);
  must_admit(longer);
  const WindowQueue::Batch batch = run_batch();
  ASSERT_EQ(batch.windows.size(), 2U);
  EXPECT_EQ(batch.windows[0].job, longer.job.get());
}

TEST_F(QueueTest, ShortRequestIsInTheNextBatchThoughAThousandWindowsWaitBeforeIt) {
  make();
  const FakeRequest flood(1000, 128);
  must_admit(flood);
  run_batch();
  for (int i = 0; i < 20; ++i) {
    const FakeRequest single(1, 128);
    must_admit(single);
    const WindowQueue::Batch batch = run_batch();
    EXPECT_EQ(single.outcome(), Outcome::kDone);
    EXPECT_GE(windows_of(batch, flood), 4) << "the long request must not starve";
  }
}

TEST_F(QueueTest, ShortRequestsLeaveHalfOfEachBatchToLongOnes) {
  make();
  const FakeRequest flood(100, 64);
  must_admit(flood);
  std::vector<FakeRequest> singles;
  for (int i = 0; i < 100; ++i) {
    singles.emplace_back(1, 64);
    must_admit(singles.back());
  }
  const WindowQueue::Batch batch = run_batch();
  EXPECT_EQ(batch.tokens, 1024);
  EXPECT_EQ(windows_of(batch, flood), 8);
}

TEST_F(QueueTest, LongRequestsTakeTurns) {
  make({pace(1536)});
  std::vector<FakeRequest> requests;
  for (int i = 0; i < 3; ++i) {
    requests.emplace_back(100, 128);
    must_admit(requests.back());
  }
  const WindowQueue::Batch batch = run_batch();
  for (const FakeRequest& request : requests) EXPECT_EQ(windows_of(batch, request), 4);
}

TEST_F(QueueTest, BothKindsRunWhereABatchHoldsOneWindow) {
  make({pace(128)});
  const FakeRequest large(40, 100);
  must_admit(large);
  std::vector<FakeRequest> requests;
  for (int i = 0; i < 40; ++i) requests.emplace_back(1, 100);
  for (const FakeRequest& request : requests) must_admit(request);
  int64_t of_large = 0;
  for (int i = 0; i < 40; ++i) of_large += windows_of(run_batch(), large);
  EXPECT_EQ(of_large, 20);
}

TEST_F(QueueTest, TurnsArePaidBackWhereWindowsDoNotFitTheQuantum) {
  make({pace(2048)});
  const FakeRequest thirds(300, 200);  // 512 is no multiple of it
  const FakeRequest halves(300, 256);
  must_admit(thirds);
  must_admit(halves);
  int64_t first = 0;
  int64_t second = 0;
  for (int i = 0; i < 20; ++i) {
    const WindowQueue::Batch batch = run_batch();
    first += 200 * windows_of(batch, thirds);
    second += 256 * windows_of(batch, halves);
  }
  EXPECT_NEAR(static_cast<double>(first) / static_cast<double>(second), 1, 0.05);
}

TEST_F(QueueTest, ModelsShareTheTimeWhateverTheirSpeed) {
  ModelPace slow = {.cost = BatchCost(0, 4e-3), .budget_tokens = 1024};
  make({pace(), slow});
  FakeRequest quick(4000, 128);
  FakeRequest other(4000, 128);
  other.model = 1;
  must_admit(quick);
  must_admit(other);
  std::map<size_t, double> used;
  for (int i = 0; i < 100; ++i) {
    const WindowQueue::Batch batch = queue_->take(now_);
    const double time = static_cast<double>(batch.tokens) * (batch.model == 0 ? 1e-3 : 4e-3);
    used[batch.model] += time;
    now_ += std::chrono::duration_cast<milliseconds>(std::chrono::duration<double>(time));
    queue_->finish(batch, {}, now_);
  }
  EXPECT_NEAR(used[0] / used[1], 1, 0.1);
}

TEST_F(QueueTest, ModelThatWasIdleDoesNotCatchUp) {
  make({pace(), pace()});
  const FakeRequest first(200, 128);
  must_admit(first);
  for (int i = 0; i < 20; ++i) run_batch();
  FakeRequest second(200, 128);
  second.model = 1;
  must_admit(second);
  int64_t of_first = 0;
  for (int i = 0; i < 10; ++i) of_first += run_batch().model == 0 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(of_first), 5, 1);
}

TEST_F(QueueTest, InteractiveRequestsComeFirstAndBatchOnesGetATenth) {
  make();
  FakeRequest background(2000, 128);
  background.priority = Priority::kBatch;
  const FakeRequest urgent(2000, 128);
  must_admit(background);
  must_admit(urgent);
  int64_t tenth = 0;
  for (int i = 0; i < 100; ++i) {
    const WindowQueue::Batch batch = run_batch();
    EXPECT_TRUE(windows_of(batch, background) == 0 || windows_of(batch, urgent) == 0);
    tenth += windows_of(batch, background) > 0 ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(tenth), 10, 1);
}

TEST_F(QueueTest, BatchRequestsRunAtOnceWhereNothingElseWaits) {
  make();
  FakeRequest background(8, 128);
  background.priority = Priority::kBatch;
  must_admit(background);
  run_batch();
  EXPECT_EQ(background.outcome(), Outcome::kDone);
}

// --- Admission -----------------------------------------------------------------------------------

TEST_F(QueueTest, RequestIsRefusedWhereItsPredictedWaitIsTooLong) {
  ServiceLimits limits = generous();
  limits.max_queue_time = seconds(2);
  make({pace()}, limits);
  int admitted = 0;
  std::optional<ServeError> refused;
  while (!refused) {
    refused = admit(FakeRequest(1, 100));
    admitted += refused ? 0 : 1;
  }
  EXPECT_EQ(admitted, 20);  // of a tenth of a second each
  EXPECT_EQ(refused->kind, ErrorKind::kOverloaded);
  EXPECT_EQ(refused->retry_after, milliseconds(2000));
  EXPECT_EQ(queue_->counts().refused, 1);
  run_batch();
  EXPECT_FALSE(admit(FakeRequest(1, 100)));
}

TEST_F(QueueTest, WaitCountsWhatRuns) {
  make();
  const FakeRequest request(8, 128);
  must_admit(request);
  const WindowQueue::Batch batch = queue_->take(now_);
  ASSERT_EQ(batch.tokens, 1024);
  EXPECT_NEAR(queue_->predicted_wait(0, 1, Priority::kInteractive, now_), 1.024, 1e-6);
  now_ += milliseconds(1000);
  EXPECT_NEAR(queue_->predicted_wait(0, 1, Priority::kInteractive, now_), 0.024, 1e-6);
  now_ += milliseconds(1000);
  EXPECT_EQ(queue_->predicted_wait(0, 1, Priority::kInteractive, now_), 0);
}

TEST_F(QueueTest, FreeLaneHasNoWaitAndTwoLanesHalveIt) {
  make({pace()}, generous(), 2);
  must_admit(FakeRequest(1, 400));
  EXPECT_NEAR(queue_->predicted_wait(0, 1, Priority::kInteractive, now_), 0.2, 1e-6);
  const WindowQueue::Batch batch = queue_->take(now_);
  EXPECT_EQ(queue_->predicted_wait(0, 1, Priority::kInteractive, now_), 0);
}

TEST_F(QueueTest, ShortRequestDoesNotWaitForAllOfALongOne) {
  make();
  must_admit(FakeRequest(1000, 128));
  EXPECT_NEAR(queue_->predicted_wait(0, 100, Priority::kInteractive, now_), 0.1, 1e-6);
  EXPECT_NEAR(queue_->predicted_wait(0, 2000, Priority::kInteractive, now_), 2, 1e-6);
}

TEST_F(QueueTest, BatchPriorityWaitsForAllInteractiveRequests) {
  make();
  must_admit(FakeRequest(10, 100));
  EXPECT_NEAR(queue_->predicted_wait(0, 100, Priority::kBatch, now_), 1, 1e-6);
}

TEST_F(QueueTest, OversizedRequestIsAdmittedOneAtATime) {
  ServiceLimits limits = generous();
  limits.max_queue_time = seconds(2);
  make({pace()}, limits);
  const FakeRequest giant(40, 100);
  must_admit(giant);
  const std::optional<ServeError> refused = admit(FakeRequest(40, 100));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::kOverloaded);
  EXPECT_FALSE(admit(FakeRequest(1, 100))) << "others pass";
  while (!queue_->nothing_waits()) run_batch();
  EXPECT_FALSE(admit(FakeRequest(40, 100)));
}

TEST_F(QueueTest, RequestThatCannotMeetItsDeadlineIsRefused) {
  make();
  FakeRequest request(1, 400);
  request.deadline = now_ + milliseconds(300);
  EXPECT_EQ(admit(request)->kind, ErrorKind::kTooLarge);
  must_admit(FakeRequest(1, 400));
  request.deadline = now_ + milliseconds(600);
  EXPECT_EQ(admit(request)->kind, ErrorKind::kOverloaded);
  request.deadline = now_ + milliseconds(900);
  EXPECT_FALSE(admit(request));
  request.deadline = now_;
  EXPECT_EQ(admit(request)->kind, ErrorKind::kDeadline);
}

TEST_F(QueueTest, NumbersOfRequestsAndTokensAreBounded) {
  ServiceLimits limits = generous();
  limits.max_queue_requests = 3;
  limits.max_queue_tokens = 1000;
  make({pace()}, limits);
  must_admit(FakeRequest(1, 600));
  EXPECT_EQ(admit(FakeRequest(1, 600))->kind, ErrorKind::kOverloaded);
  must_admit(FakeRequest(1, 10));
  must_admit(FakeRequest(1, 10));
  const std::optional<ServeError> refused = admit(FakeRequest(1, 10));
  ASSERT_TRUE(refused);
  EXPECT_GE(refused->retry_after, milliseconds(1000));
}

TEST_F(QueueTest, PredictionFollowsWhatBatchesTake) {
  make();
  const double before = queue_->tokens_per_second(0);
  for (int i = 0; i < 50; ++i) {
    const FakeRequest request(1, 100);
    must_admit(request);
    const WindowQueue::Batch batch = queue_->take(now_);
    now_ += milliseconds(300);  // three times as long
    queue_->finish(batch, {}, now_);
  }
  EXPECT_NEAR(before / queue_->tokens_per_second(0), 3, 0.05);
}

// --- Ends of requests
// ------------------------------------------------------------------------------

TEST_F(QueueTest, RequestPastItsDeadlineIsNotComputed) {
  make({pace(100)});
  FakeRequest late(1, 100);
  late.deadline = now_ + milliseconds(250);
  FakeRequest partly(4, 100);
  partly.deadline = now_ + milliseconds(650);
  must_admit(late);
  must_admit(FakeRequest(1, 100));
  must_admit(partly);
  now_ += milliseconds(250);
  const WindowQueue::Batch batch = run_batch();
  EXPECT_EQ(windows_of(batch, late), 0);
  EXPECT_EQ(late.outcome(), Outcome::kExpired);
  EXPECT_EQ(late.ends->front().queue, milliseconds(250));
  while (!queue_->nothing_waits()) run_batch();
  report();
  EXPECT_EQ(partly.outcome(), Outcome::kExpired) << "it was begun and could not be finished";
  EXPECT_TRUE(queue_->idle());
  EXPECT_EQ(queue_->waiting_tokens(), 0);
  EXPECT_EQ(queue_->counts().expired, 2);
}

TEST_F(QueueTest, CancelledRequestIsSkipped) {
  make({pace(100)});
  const FakeRequest gone(8, 100);
  const FakeRequest small_and_gone(1, 50);
  const FakeRequest stays(1, 100);
  must_admit(gone);
  must_admit(small_and_gone);
  must_admit(stays);
  *gone.cancelled = true;
  *small_and_gone.cancelled = true;
  const WindowQueue::Batch batch = run_batch();
  EXPECT_EQ(windows_of(batch, stays), 1);
  EXPECT_EQ(gone.outcome(), Outcome::kCancelled);
  EXPECT_EQ(small_and_gone.outcome(), Outcome::kCancelled);
  EXPECT_TRUE(queue_->idle());
  EXPECT_EQ(queue_->waiting_tokens(), 0);
  EXPECT_EQ(queue_->waiting_windows(), 0);
  EXPECT_EQ(queue_->predicted_wait(0, 1, Priority::kInteractive, now_), 0);
}

TEST_F(QueueTest, FailedWindowFailsItsRequestAlone) {
  make({pace(300)});
  const FakeRequest bad(5, 150);
  const FakeRequest good(1, 100);
  must_admit(bad);
  must_admit(good);
  const WindowQueue::Batch batch = queue_->take(now_);
  std::vector<std::string> failures;
  for (const infer::WindowRef& window : batch.windows) {
    failures.emplace_back(window.job == bad.job.get() ? "broken" : "");
  }
  queue_->finish(batch, failures, now_);
  report();
  EXPECT_EQ(bad.outcome(), Outcome::kFailed);
  EXPECT_EQ(bad.ends->front().message, "broken");
  EXPECT_EQ(good.outcome(), Outcome::kDone);
  EXPECT_TRUE(queue_->nothing_waits());
  EXPECT_TRUE(queue_->take(now_).empty());
  EXPECT_TRUE(queue_->idle());
}

TEST_F(QueueTest, RequestEndsOnceWhenItsLastWindowIsDone) {
  make({pace(100)}, generous(), 2);
  const FakeRequest request(2, 100);
  must_admit(request);
  const WindowQueue::Batch first = queue_->take(now_);
  const WindowQueue::Batch second = queue_->take(now_ + milliseconds(1));
  queue_->finish(second, {}, now_ + milliseconds(100));
  report();
  EXPECT_TRUE(request.ends->empty());
  EXPECT_FALSE(queue_->idle());
  queue_->finish(first, {}, now_ + milliseconds(120));
  report();
  ASSERT_EQ(request.ends->size(), 1U);
  EXPECT_EQ(request.ends->front().outcome, Outcome::kDone);
  EXPECT_EQ(request.ends->front().compute, milliseconds(120));
}

TEST_F(QueueTest, StopEndsAllThatWait) {
  make();
  const FakeRequest request(3, 100);
  must_admit(request);
  queue_->stop();
  report();
  ASSERT_EQ(request.ends->size(), 1U);
  EXPECT_EQ(request.ends->front().outcome, Outcome::kStopped);
  EXPECT_TRUE(queue_->idle());
}

// --- Cost
// ------------------------------------------------------------------------------------------

TEST(BatchCost, FitFindsTheLine) {
  std::vector<BatchTiming> timings;
  for (const int64_t tokens : {32, 128, 512, 2048}) {
    timings.push_back({tokens, 1e-3 + 3e-5 * static_cast<double>(tokens)});
  }
  const BatchCost cost = BatchCost::fit(timings);
  EXPECT_NEAR(cost.fixed_seconds(), 1e-3, 1e-9);
  EXPECT_NEAR(cost.token_seconds(), 3e-5, 1e-12);
}

TEST(BatchCost, PartsAreNeverNegative) {
  const BatchCost flat = BatchCost::fit(std::vector<BatchTiming>{{32, 5e-3}, {128, 4e-3}});
  EXPECT_GE(flat.fixed_seconds(), 0);
  EXPECT_GT(flat.token_seconds(), 0);
  const BatchCost steep = BatchCost::fit(std::vector<BatchTiming>{{32, 1e-3}, {128, 9e-3}});
  EXPECT_EQ(steep.fixed_seconds(), 0);
  EXPECT_GT(steep.token_seconds(), 0);
  const BatchCost one = BatchCost::fit(std::vector<BatchTiming>{{100, 1e-2}});
  EXPECT_NEAR(one.seconds(100), 1e-2, 1e-9);
}

TEST(BatchCost, SmallestBatchAtFullSpeedIsChosen) {
  const auto chosen = [](std::initializer_list<BatchTiming> timings) {
    return smallest_fast_batch(std::vector<BatchTiming>(timings));
  };
  EXPECT_EQ(chosen({{32, 8e-3}, {128, 16e-3}, {256, 32e-3}, {512, 64e-3}}), 128);
  EXPECT_EQ(chosen({{32, 8e-3}, {128, 16e-3}, {256, 31.6e-3}, {512, 70e-3}}), 128);
  EXPECT_EQ(chosen({{32, 8e-3}, {128, 10e-3}, {512, 14e-3}, {2048, 40e-3}}), 2048);
  EXPECT_EQ(chosen({{128, 0.1}}), 128);
}

}  // namespace
}  // namespace bertha::serve
