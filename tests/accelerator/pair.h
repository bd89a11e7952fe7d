#pragma once

// The same operands on the CPU and on the accelerator under test: an op runs on both, then what it
// wrote is compared.

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "accelerator/under_test.h"
#include "support/compare.h"
#include "support/host.h"

namespace bertha::test {

using Values = std::vector<float>;

class DevicePair {
 public:
  DevicePair()
      : device_(accelerator().open(0)), arena_(*device_, kCapacity), context_(*device_, arena_) {}

  static std::string absence() { return accelerator().absence(0); }
  Device& device() const { return *device_; }

  /// Operands on the CPU; run() copies them.
  Tensor random(const Shape& shape, DType dtype, uint64_t stream, float range = 1) {
    return host_.tensor(shape, uniform_values(shape.size(), stream, range), dtype);
  }
  Tensor filled(const Shape& shape, float value) { return host_.filled(shape, value); }
  Tensor values(const Shape& shape, const Values& values) { return host_.tensor(shape, values); }
  /// `count` indices in [least, end).
  Tensor indices(int64_t count, int32_t end, uint64_t stream, int32_t least = 0) {
    std::vector<int32_t> made;
    PhiloxStream stream_of(31, stream);
    for (int64_t i = 0; i < count; ++i) {
      made.push_back(static_cast<int32_t>(stream_of.below(static_cast<uint64_t>(end - least))) +
                     least);
    }
    return numbers(made);
  }
  Tensor numbers(const std::vector<int32_t>& values) {
    const Tensor made = host_.context().make({std::ssize(values)}, DType::kI32);
    host_.device().write(out(made), values.data());
    return made;
  }
  Tensor numbers64(const std::vector<int64_t>& values) {
    const Tensor made = host_.context().make({std::ssize(values)}, DType::kI64);
    host_.device().write(out(made), values.data());
    return made;
  }

  /// Runs body(context, at) on copies of the operands on the device, then on the operands
  /// themselves on the CPU; at(operand) is the operand on the device in question.
  template <typename Body>
  void run(std::initializer_list<Tensor> operands, const Body& body) {
    arena_.rewind(0);
    copies_.clear();
    for (const Tensor& operand : operands) {
      if (operand.empty()) continue;
      const Tensor copy = context_.make(operand.shape(), operand.dtype());
      device_->write(out(copy), cpu::address(operand));
      copies_[operand.offset_bytes()] = copy;
    }
    body(context_, [&](const Tensor& operand) {
      return operand.empty() ? Tensor() : copies_.at(operand.offset_bytes());
    });
    device_->synchronize();
    body(host_.context(), [](const Tensor& operand) { return operand; });
  }

  /// Compares an operand after run().
  void expect_same(const Tensor& operand, double limit, const std::string& what) {
    const Tensor& copy = copies_.at(operand.offset_bytes());
    const Context::Scope scope = host_.context().scope();
    const Tensor read = host_.context().make(copy.shape(), copy.dtype());
    device_->read(copy, cpu::address(read));
    expect_close(Host::values(read), Host::values(operand), limit, what);
  }

 private:
  static constexpr int64_t kCapacity = int64_t{64} << 20;
  Host host_;
  std::unique_ptr<Device> device_;
  Arena arena_;
  Context context_;
  std::map<int64_t, Tensor> copies_;  ///< by the operand's place in the CPU's arena
};

}  // namespace bertha::test
