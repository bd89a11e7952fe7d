#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend/cpu/instruction_set.h"
#include "core/device.h"

namespace bertha::cpu {

class MatrixProducts;
class WeightCopies;

/// The processor that this program runs on. A call returns when its work is complete.
class CpuDevice : public Device {
 public:
  CpuDevice();
  ~CpuDevice() override;

  DeviceKind kind() const override { return DeviceKind::kCpu; }
  std::string description() const override;
  bool has_bf16() const override { return best_isa() >= Isa::kAvx512Bf16; }

  Buffer allocate(int64_t size_bytes) override;
  void free(std::byte* base, int64_t size_bytes) noexcept override;
  void write(Out to, const void* host) override;
  void read(const Tensor& from, void* host) override;
  void copy(const Tensor& from, Out to) override;
  void zero(Out to) override;
  void run(const Segment& segment, BodyRef body) override;
  void synchronize() override {}
  void parameters_changed() override { ++parameter_version_; }
  void expect_inference() override { expects_inference_ = true; }

  /// The number of calls of parameters_changed(). Prepared weights of an older version are stale.
  uint64_t parameter_version() const { return parameter_version_; }
  bool expects_inference() const { return expects_inference_; }
  /// Weights in the layouts of products.
  WeightCopies& weight_copies() { return *weight_copies_; }
  /// The library's matrix products, with what they keep between calls.
  MatrixProducts& products() { return *products_; }

 private:
  std::unique_ptr<WeightCopies> weight_copies_;
  std::unique_ptr<MatrixProducts> products_;
  uint64_t parameter_version_ = 0;
  bool expects_inference_ = false;
};

/// CpuDevice::copy() and zero() on all threads, without an entry in the profile.
void copy_bytes(const Tensor& from, Out to);
void zero_bytes(Out to);

}  // namespace bertha::cpu
