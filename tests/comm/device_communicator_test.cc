// Which world a rank on a card trains in. NCCL's own is tested on a card
// (tests/cuda/cards_test.cc).

#include "comm/device_communicator.h"

#include <gtest/gtest.h>

#include "backend/cpu/cpu_device.h"
#include "core/error.h"
#include "plan/planned_device.h"

namespace bertha::comm {
namespace {

/// Rank 0 of two; rank 1 says that its device is of kind `other`.
class Two final : public Communicator {
 public:
  explicit Two(DeviceKind other) : other_(other) {}
  int64_t ranks() const override { return 2; }
  std::vector<uint64_t> all_gather(uint64_t value, Stage) override {
    return {value, static_cast<uint64_t>(other_)};
  }
  std::string host(int64_t rank) const override { return rank == 0 ? "north" : "south"; }

 private:
  DeviceKind other_;
};

TEST(Cards, OneRankNeedsNoOther) {
  plan::PlannedDevice card;
  EXPECT_EQ(choose_device_communicator(alone(), card), nullptr);
}

TEST(Cards, CpusAreTheHostsOwnWorld) {
  cpu::CpuDevice cpu;
  Two world(DeviceKind::kCpu);
  EXPECT_EQ(choose_device_communicator(world, cpu), nullptr);
}

TEST(Cards, ARankWithoutACardIsNamed) {
  plan::PlannedDevice card;
  Two world(DeviceKind::kCpu);
  try {
    choose_device_communicator(world, card);
    FAIL() << "a card and a CPU would wait for each other";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("rank 1 on south"), std::string::npos) << error.what();
  }
}

TEST(Cards, SeveralCardsNeedNccl) {
#ifdef BERTHA_HAS_NCCL
  GTEST_SKIP() << "built with NCCL";
#endif
  plan::PlannedDevice card;
  Two world(DeviceKind::kCuda);
  try {
    choose_device_communicator(world, card);
    FAIL() << "nothing here sums between cards";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("without NCCL"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bertha::comm
