// The ends of NCCL and its sums over ranks, on the stand-in of nccl_standin/ and the emulated
// device. Ranks are threads.

#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "backend/cuda/cuda_device.h"
#include "comm/deadline.h"
#include "comm/device_communicator.h"
#include "core/error.h"
#include "emulation.h"
#include "nccl_standin/nccl_standin.h"

namespace bertha::comm {
namespace {

using std::chrono::milliseconds;
using Calls = std::vector<std::string>;

constexpr int64_t kSize = 24;
constexpr milliseconds kLong{20000};

/// What the ranks of a process share.
struct Threads {
  explicit Threads(int64_t count) : ranks(count), gate(count) {}
  int64_t ranks;
  std::barrier<> gate;
  std::span<std::byte> sent;
};

class ThreadWorld final : public Communicator {
 public:
  ThreadWorld(Threads& threads, int64_t rank) : threads_(threads), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t ranks() const override { return threads_.ranks; }
  void broadcast(std::span<std::byte> data, Stage) override {
    if (rank_ == 0) threads_.sent = data;
    threads_.gate.arrive_and_wait();
    if (rank_ != 0) std::ranges::copy(threads_.sent, data.begin());
    threads_.gate.arrive_and_wait();
  }
  void on_abort(const std::function<void()>& release) override { release_ = release; }
  /// As the watchdog does.
  void release() const {
    const std::function<void()> release = release_;  // the end of the world takes it away
    if (release) release();
  }

 private:
  Threads& threads_;
  int64_t rank_;
  std::function<void()> release_;
};

class NcclWorldTest : public testing::Test {
 protected:
  void SetUp() override {
    test::nccl::reset();
    cuda::emulation::on_drop_graphs() = test::nccl::drop_graphs;
  }
  void TearDown() override { cuda::emulation::on_drop_graphs() = {}; }
};

/// A rank with a buffer of kSize elements.
struct Rank {
  Rank(Threads& threads, int64_t rank)
      : host(threads, rank), world(make_device_communicator(host, device)) {
    buffer = device.allocate(kSize * size_of(DType::kF32));
    std::array<float, kSize> values{};
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(rank, i);
    device.write(out(all()), values.data());
  }
  static float value(int64_t rank, size_t i) {
    return static_cast<float>(rank + 1) * static_cast<float>(i % 8);
  }
  Tensor all() const { return Tensor(&buffer, 0, DType::kF32, {kSize}); }
  std::vector<float> read() {
    std::vector<float> values(kSize);
    device.read(all(), values.data());
    return values;
  }

  cuda::CudaDevice device;
  Buffer buffer;
  ThreadWorld host;
  std::unique_ptr<Communicator> world;
};

/// Runs body(rank) on a thread for each rank.
template <typename Body>
void on_ranks(int64_t count, const Body& body) {
  Threads threads(count);
  std::vector<std::jthread> running;
  for (int64_t r = 0; r < count; ++r) {
    running.emplace_back([&, r] {
      Rank rank(threads, r);
      body(rank);
    });
  }
}

float sum_of_ranks(int64_t ranks, size_t i) {
  float sum = 0;
  for (int64_t r = 0; r < ranks; ++r) sum += Rank::value(r, i);
  return sum;
}

TEST_F(NcclWorldTest, SumsOverRanks) {
  for (const DType wire : {DType::kF32, DType::kBF16}) {
    for (const int64_t ranks : {1, 2, 3}) {
      on_ranks(ranks, [&](Rank& rank) {
        rank.world->all_reduce_async(inout(rank.all()), {.wire_dtype = wire});
        rank.world->wait_all_reduces();
        const std::vector<float> values = rank.read();
        for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], sum_of_ranks(ranks, i));
      });
    }
  }
}

TEST_F(NcclWorldTest, PartitionsAreSummedAndGathered) {
  using Bounds = std::vector<int64_t>;
  for (const Bounds& bounds : {Bounds{0, 8, 16, 24}, Bounds{0, 5, 5, 24}}) {
    for (const DType wire : {DType::kF32, DType::kBF16}) {
      on_ranks(3, [&](Rank& rank) {
        rank.world->reduce_scatter(inout(rank.all()), bounds, {.wire_dtype = wire});
        rank.world->all_gather(inout(rank.all()), bounds, Stage::kWeights);
        const std::vector<float> values = rank.read();
        for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], sum_of_ranks(3, i));
      });
    }
  }
}

TEST_F(NcclWorldTest, TheEndDropsGraphsBeforeItWaitsForThem) {
  Threads alone(1);
  auto rank = std::make_unique<Rank>(alone, 0);
  test::nccl::capture();
  rank->world->all_reduce_async(inout(rank->all()), {});
  ASSERT_TRUE(call_with_deadline([&] { rank->world.reset(); }, kLong)) << "NCCL waits for ever";
  EXPECT_EQ(test::nccl::calls(), (Calls{"get_unique_id", "init", "all_reduce of 24",
                                        "graphs dropped", "finalize", "destroy"}));
  rank->host.release();
  EXPECT_EQ(test::nccl::calls().size(), 6U) << "the watchdog touched what is gone";
}

TEST_F(NcclWorldTest, ARankThatLeavesByAnErrorAborts) {
  Threads alone(1);
  try {
    Rank rank(alone, 0);
    test::nccl::capture();
    rank.world->all_reduce_async(inout(rank.all()), {});
    fail("the disk is full");
  } catch (const Error&) {
    EXPECT_EQ(test::nccl::calls(),
              (Calls{"get_unique_id", "init", "all_reduce of 24", "graphs dropped", "abort"}));
    return;
  }
  FAIL();
}

/// The watchdog may not drop the graphs of another thread. NCCL's abort then does not return, and
/// the watchdog goes on without it.
TEST_F(NcclWorldTest, TheAbortOfTheWatchdogHasADeadline) {
  Threads alone(1);
  Rank rank(alone, 0);
  test::nccl::capture();
  rank.world->all_reduce_async(inout(rank.all()), {});
  EXPECT_FALSE(call_with_deadline([&] { rank.host.release(); }, milliseconds(50)));
  EXPECT_EQ(test::nccl::calls().back(), "abort");
  test::nccl::drop_graphs();
  rank.world.reset();
  const Calls calls = test::nccl::calls();
  EXPECT_EQ(std::ranges::count(calls, "abort"), 1);
  EXPECT_EQ(std::ranges::count(calls, "destroy"), 0) << "the communicator is gone already";
}

TEST_F(NcclWorldTest, TheWatchdogEndsAWaitForALostRank) {
  Threads two(2);
  std::barrier<> started(2);
  std::jthread lost([&] {
    Rank rank(two, 1);
    started.arrive_and_wait();
    rank.host.release();  // it never sums
  });
  Rank rank(two, 0);
  std::jthread watchdog([&] {
    started.arrive_and_wait();
    lost.join();
    rank.host.release();
  });
  EXPECT_THROW(rank.world->all_reduce_async(inout(rank.all()), {}), Error);
  watchdog.join();
}

TEST_F(NcclWorldTest, AnOldLibraryIsRefused) {
  test::nccl::set_version(21700);
  Threads alone(1);
  try {
    const Rank rank(alone, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("NCCL 2.17.0 is loaded"), std::string::npos);
  }
  EXPECT_TRUE(test::nccl::calls().empty());
}

TEST_F(NcclWorldTest, RegistrationOfCapturedMemoryIsOffUnlessTheUserAsks) {
  Threads alone(1);
  unsetenv("NCCL_GRAPH_REGISTER");
  { const Rank rank(alone, 0); }
  EXPECT_STREQ(std::getenv("NCCL_GRAPH_REGISTER"), "0");
  setenv("NCCL_GRAPH_REGISTER", "1", 1);
  { const Rank rank(alone, 0); }
  EXPECT_STREQ(std::getenv("NCCL_GRAPH_REGISTER"), "1");
  unsetenv("NCCL_GRAPH_REGISTER");
}

TEST_F(NcclWorldTest, SumsOfAFixedOrderAreRefused) {
  Threads alone(1);
  Rank rank(alone, 0);
  EXPECT_THROW(rank.world->all_reduce_async(inout(rank.all()), {.fixed_order = true}), Error);
}

}  // namespace
}  // namespace bertha::comm
