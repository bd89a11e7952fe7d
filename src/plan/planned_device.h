#pragma once

// A GPU that is only planned for: whatever is made on it says how much memory a real run will take.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "core/device.h"
#include "core/error.h"
#include "ops/cuda/cuda_scratch.h"
#include "ops/every_op.h"

namespace bertha::plan {

/// Answers what scratch the CUDA kernels need and runs nothing.
class PlannedKernels final : public ops::OnEveryOp<PlannedKernels, ops::CudaScratch> {
 public:
  template <typename Op>
  void on_run(const Op& /*op*/) {
    BERTHA_CHECK(false, "a planned GPU runs nothing");
  }
};

/// Stands for an NVIDIA GPU in plans. Buffers have a size and no memory; nothing can run.
class PlannedDevice : public Device {
 public:
  PlannedDevice() : Device(bertha::Memory::kDevice) {
    set_kernels(std::make_shared<PlannedKernels>());
  }

  DeviceKind kind() const override { return DeviceKind::kOther; }
  std::string description() const override { return "a planned GPU"; }
  bool has_bf16() const override { return true; }

  Buffer allocate(int64_t size_bytes) override {
    allocated_bytes_ += align_up(std::max<int64_t>(size_bytes, 1));
    return Buffer(this, nullptr, size_bytes);
  }
  void free(std::byte*, int64_t size_bytes) noexcept override {
    allocated_bytes_ -= align_up(std::max<int64_t>(size_bytes, 1));
  }
  void write(Out, const void*) override {}
  void read(const Tensor&, void*) override { refuse(); }
  void copy(const Tensor&, Out) override {}
  void zero(Out) override {}
  void run(const Segment&, BodyRef) override { refuse(); }
  void synchronize() override {}
  void parameters_changed() override {}

  int64_t allocated_bytes() const { return allocated_bytes_; }

 private:
  static void refuse() { BERTHA_CHECK(false, "a planned GPU runs nothing"); }

  int64_t allocated_bytes_ = 0;
};

/// Stands for the first of so many ranks in plans. Nothing can be summed.
class PlannedWorld : public comm::Communicator {
 public:
  explicit PlannedWorld(int64_t ranks) : ranks_(ranks) {}
  int64_t ranks() const override { return ranks_; }

 private:
  int64_t ranks_;
};

}  // namespace bertha::plan
