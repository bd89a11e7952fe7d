// Selection of the communicator of a rank. The NCCL world itself is tested on GPUs
// (tests/cuda/several_gpus_test.cc).

#include "comm/device_communicator.h"

#include <gtest/gtest.h>

#include "backend/cpu/cpu_device.h"
#include "core/error.h"

namespace bertha::comm {
namespace {

/// A device with memory of its own.
class GpuLike final : public Device {
 public:
  GpuLike() : Device(Memory::kDevice) {}
  DeviceKind kind() const override { return DeviceKind::kOther; }
  std::string description() const override { return "a device with memory of its own"; }
  bool has_bf16() const override { return false; }
  Buffer allocate(int64_t) override { return {}; }
  void free(std::byte*, int64_t) noexcept override {}
  void write(Out, const void*) override {}
  void read(const Tensor&, void*) override {}
  void copy(const Tensor&, Out) override {}
  void zero(Out) override {}
  void run(const Segment&, BodyRef) override {}
  void synchronize() override {}
  void parameters_changed() override {}
};

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
  GpuLike device;
  EXPECT_EQ(choose_device_communicator(alone(), device), nullptr);
}

TEST(DeviceCommunicator, CpuRanksUseTheHostCommunicator) {
  cpu::CpuDevice cpu;
  Two world(DeviceKind::kCpu);
  EXPECT_EQ(choose_device_communicator(world, cpu), nullptr);
}

TEST(DeviceCommunicator, RankWithoutGpuIsNamed) {
  GpuLike device;
  Two world(DeviceKind::kCpu);
  try {
    choose_device_communicator(world, device);
    FAIL() << "expected an error: a GPU and a CPU rank cannot reduce together";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("rank 1 on south"), std::string::npos) << error.what();
  }
}

TEST(DeviceCommunicator, SeveralGpusWithoutNcclAreRejected) {
#ifdef BERTHA_HAS_NCCL
  GTEST_SKIP() << "built with NCCL";
#endif
  GpuLike device;
  Two world(DeviceKind::kOther);
  try {
    choose_device_communicator(world, device);
    FAIL() << "expected an error: this build cannot reduce between GPUs";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("without NCCL"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bertha::comm
