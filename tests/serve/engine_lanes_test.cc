// Threads that run batches of a model that does nothing, or fails.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "serve/fake_windows.h"
#include "serve/serving_lanes.h"

namespace bertha::serve {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using test::FakeJob;

/// Calls a function for each window in place of a model.
class FakeModels final : public LaneModels {
 public:
  explicit FakeModels(std::function<void(const infer::WindowRef&)> each) : each_(std::move(each)) {}
  void run(size_t, std::span<const infer::WindowRef> windows) override {
    for (const infer::WindowRef& window : windows) {
      if (each_) each_(window);
      window.job->take(window.window, {});
    }
  }
  std::vector<ModelPace> paces() override {
    return {{.cost = BatchCost(0, 1e-7), .budget_tokens = 256}};
  }

 private:
  std::function<void(const infer::WindowRef&)> each_;
};

Lanes::MakeModels models(std::function<void(const infer::WindowRef&)> each = {}) {
  return [each = std::move(each)](int64_t) { return std::make_unique<FakeModels>(each); };
}

ServiceLimits no_limits() {
  return {.max_queue_requests = 1 << 30,
          .max_queue_tokens = 1 << 30,
          .max_queue_time = std::chrono::hours(1)};
}

/// Submits a request and returns how it will end.
std::future<RequestEnd> submit(Lanes& lanes, const std::shared_ptr<FakeJob>& job,
                               TimePoint deadline = TimePoint::max()) {
  const auto end = std::make_shared<std::promise<RequestEnd>>();
  LaneRequest request = {.job = job, .deadline = deadline};
  request.done = [end](const RequestEnd& how) { end->set_value(how); };
  const std::optional<ServeError> refused = lanes.submit(std::move(request));
  EXPECT_FALSE(refused) << refused->message;
  return end->get_future();
}

TEST(Lanes, RequestsFromManyThreadsEndOnceWithAllTheirWindows) {
  constexpr int kThreads = 8;
  constexpr int kRequests = 200;
  for (const int64_t count : {1, 2, 3}) {
    Lanes lanes(count, models(), no_limits());
    std::atomic<int> wrong = 0;
    std::vector<std::thread> clients;
    for (int thread = 0; thread < kThreads; ++thread) {
      clients.emplace_back([&, thread] {
        for (int i = 0; i < kRequests; ++i) {
          const auto job = std::make_shared<FakeJob>(1 + (i * 7 + thread) % 40, 5 + i % 90);
          if (submit(lanes, job).get().outcome != Outcome::kDone) ++wrong;
          for (int64_t window = 0; window < job->windows(); ++window) {
            if (job->taken(window) != 1) ++wrong;
          }
        }
      });
    }
    for (std::thread& client : clients) client.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(lanes.wait_idle(steady_clock::now() + seconds(10)));
    ServiceStats stats;
    lanes.add_to(stats);
    EXPECT_EQ(stats.completed, kThreads * kRequests);
    EXPECT_EQ(stats.queued_tokens, 0);
    EXPECT_EQ(stats.queued_requests, 0);
  }
}

TEST(Lanes, FailingWindowFailsItsRequestAndNoOther) {
  const auto bad = std::make_shared<FakeJob>(3, 10);
  std::promise<void> open;
  std::shared_future<void> gate = open.get_future().share();
  Lanes lanes(1, models([&](const infer::WindowRef& window) {
                gate.wait();
                if (window.job == bad.get()) throw Error("damaged input");
              }),
              no_limits());
  std::vector<std::shared_ptr<FakeJob>> jobs;
  std::vector<std::future<RequestEnd>> ends;
  for (int i = 0; i < 9; ++i) {
    jobs.push_back(i == 4 ? bad : std::make_shared<FakeJob>(1, 10));
    ends.push_back(submit(lanes, jobs.back()));
  }
  open.set_value();
  for (size_t i = 0; i < ends.size(); ++i) {
    const RequestEnd end = ends[i].get();
    EXPECT_EQ(end.outcome, jobs[i] == bad ? Outcome::kFailed : Outcome::kDone) << i;
    EXPECT_EQ(end.message, jobs[i] == bad ? "damaged input" : "");
  }
}

TEST(Lanes, LaneGoesOnAfterAFailure) {
  Lanes lanes(1, models([](const infer::WindowRef& window) {
                if (window.size().tokens == 13) throw std::bad_alloc();
              }),
              no_limits());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(submit(lanes, std::make_shared<FakeJob>(2, 13)).get().outcome, Outcome::kFailed);
    EXPECT_EQ(submit(lanes, std::make_shared<FakeJob>(2, 14)).get().outcome, Outcome::kDone);
  }
}

TEST(Lanes, RequestsWhileABatchRunsShareTheNextOne) {
  std::promise<void> open;
  std::shared_future<void> gate = open.get_future().share();
  Lanes lanes(1, models([&](const infer::WindowRef&) { gate.wait(); }), no_limits());
  std::vector<std::future<RequestEnd>> ends;
  ends.push_back(submit(lanes, std::make_shared<FakeJob>(1, 8)));
  ServiceStats stats;
  while (stats.batches == 0) lanes.add_to(stats);
  for (int i = 0; i < 10; ++i) ends.push_back(submit(lanes, std::make_shared<FakeJob>(1, 8)));
  open.set_value();
  for (std::future<RequestEnd>& end : ends) EXPECT_EQ(end.get().outcome, Outcome::kDone);
  lanes.add_to(stats);
  EXPECT_EQ(stats.batches, 2);
  EXPECT_EQ(stats.last_batch_windows, 10);
}

TEST(Lanes, RequestPastItsDeadlineInTheQueueExpires) {
  std::promise<void> open;
  std::shared_future<void> gate = open.get_future().share();
  Lanes lanes(1, models([&](const infer::WindowRef&) { gate.wait(); }), no_limits());
  std::future<RequestEnd> first = submit(lanes, std::make_shared<FakeJob>(1, 8));
  ServiceStats stats;
  while (stats.batches == 0) lanes.add_to(stats);
  const auto job = std::make_shared<FakeJob>(1, 8);
  std::future<RequestEnd> late =
      submit(lanes, job, steady_clock::now() + std::chrono::milliseconds(20));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  open.set_value();
  EXPECT_EQ(first.get().outcome, Outcome::kDone);
  EXPECT_EQ(late.get().outcome, Outcome::kExpired);
  EXPECT_EQ(job->taken(0), 0);
}

TEST(Lanes, WaitIdleWaitsForWhatRuns) {
  std::promise<void> open;
  std::shared_future<void> gate = open.get_future().share();
  Lanes lanes(1, models([&](const infer::WindowRef&) { gate.wait(); }), no_limits());
  std::future<RequestEnd> end = submit(lanes, std::make_shared<FakeJob>(1, 8));
  EXPECT_FALSE(lanes.wait_idle(steady_clock::now() + std::chrono::milliseconds(20)));
  open.set_value();
  EXPECT_TRUE(lanes.wait_idle(steady_clock::now() + seconds(10)));
  EXPECT_EQ(end.wait_for(seconds(0)), std::future_status::ready) << "it was reported, too";
}

TEST(Lanes, DestructionEndsWhatWaits) {
  std::promise<void> open;
  std::shared_future<void> gate = open.get_future().share();
  auto lanes = std::make_unique<Lanes>(1, models([&](const infer::WindowRef&) { gate.wait(); }),
                                       no_limits());
  std::future<RequestEnd> runs = submit(*lanes, std::make_shared<FakeJob>(1, 8));
  ServiceStats stats;
  while (stats.batches == 0) lanes->add_to(stats);
  std::future<RequestEnd> waits = submit(*lanes, std::make_shared<FakeJob>(1, 8));
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    open.set_value();
  });
  lanes.reset();
  opener.join();
  EXPECT_EQ(runs.get().outcome, Outcome::kDone);
  EXPECT_EQ(waits.get().outcome, Outcome::kStopped);
}

TEST(Lanes, StartThrowsWhatALaneThrows) {
  const auto broken = [](int64_t lane) -> std::unique_ptr<LaneModels> {
    if (lane == 1) throw Error("m: damaged");
    return std::make_unique<FakeModels>(nullptr);
  };
  EXPECT_THROW(Lanes(3, broken, no_limits()), Error);
}

TEST(Lanes, StartAndStopAThousandTimes) {
  for (int i = 0; i < 1000; ++i) {
    Lanes lanes(2, models(), no_limits());
    if (i % 3 == 0) submit(lanes, std::make_shared<FakeJob>(2, 8)).wait();
  }
}

}  // namespace
}  // namespace bertha::serve
