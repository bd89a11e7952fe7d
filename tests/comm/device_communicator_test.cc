// Selection of the communicator of a rank. The NCCL world itself is tested on GPUs
// (tests/cuda/several_gpus_test.cc).

#include "comm/device_communicator.h"

#include <gtest/gtest.h>

#include "backend/cpu/cpu_device.h"
#include "core/error.h"
#include "plan/planned_device.h"

namespace bertha::comm {
namespace {

/// Rank 0 of two; rank 1 reports a device of kind `other`.
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

TEST(DeviceCommunicator, OneRankNeedsNone) {
  plan::PlannedDevice card;
  EXPECT_EQ(choose_device_communicator(alone(), card), nullptr);
}

TEST(DeviceCommunicator, CpuRanksUseTheHostCommunicator) {
  cpu::CpuDevice cpu;
  Two world(DeviceKind::kCpu);
  EXPECT_EQ(choose_device_communicator(world, cpu), nullptr);
}

TEST(DeviceCommunicator, RankWithoutGpuIsNamed) {
  plan::PlannedDevice card;
  Two world(DeviceKind::kCpu);
  try {
    choose_device_communicator(world, card);
    FAIL() << "expected an error: a GPU and a CPU rank cannot reduce together";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("rank 1 on south"), std::string::npos) << error.what();
  }
}

TEST(DeviceCommunicator, SeveralGpusWithoutNcclAreRejected) {
#ifdef BERTHA_HAS_NCCL
  GTEST_SKIP() << "built with NCCL";
#endif
  plan::PlannedDevice card;
  Two world(DeviceKind::kCuda);
  try {
    choose_device_communicator(world, card);
    FAIL() << "expected an error: this build cannot reduce between GPUs";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("without NCCL"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bertha::comm
