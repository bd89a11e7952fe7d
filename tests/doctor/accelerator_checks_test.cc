// The checks of an accelerator must pass on a device that is right, which the CPU is, and find one
// that is wrong.

#include "doctor/accelerator_checks.h"

#include <gtest/gtest.h>

#include "backend/cpu/cpu_device.h"

namespace bertha::doctor {
namespace {

/// A CPU whose reads return before the result is there: now and then the host's memory stays as it
/// is.
class HastyDevice : public cpu::CpuDevice {
 public:
  void read(const Tensor& from, void* host) override {
    if (++reads_ % 7 != 0) cpu::CpuDevice::read(from, host);
  }

 private:
  int reads_ = 0;
};

/// A CPU that adds a small error to each result that is read.
class InexactDevice : public cpu::CpuDevice {
 public:
  void read(const Tensor& from, void* host) override {
    cpu::CpuDevice::read(from, host);
    if (from.dtype() == DType::kF32) *static_cast<float*>(host) *= 1.01F;
  }
};

TEST(AcceleratorChecks, ACorrectDevicePasses) {
  cpu::CpuDevice device;
  EXPECT_EQ(fact_of_waits(device).state, State::kFine);
  const Fact training = fact_of_training(device);
  EXPECT_EQ(training.state, State::kFine) << training.text;
  EXPECT_EQ(training.values["cpu"].size(), 20U);
  EXPECT_GT(fact_of_products(device).values["f32_gflops"].get<double>(), 0);
}

TEST(AcceleratorChecks, AReadThatReturnsTooEarlyIsFound) {
  HastyDevice device;
  const Fact fact = fact_of_waits(device);
  EXPECT_EQ(fact.state, State::kProblem);
  EXPECT_EQ(fact.values["wrong"].get<int>(), 28);
}

TEST(AcceleratorChecks, WrongLossesAreFound) {
  InexactDevice device;
  EXPECT_EQ(fact_of_training(device).state, State::kProblem);
}

}  // namespace
}  // namespace bertha::doctor
