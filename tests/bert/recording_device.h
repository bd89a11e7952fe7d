#pragma once

// A device of the kind that a graph compiler drives: an op is only noted, as the struct that the
// model passed; the notes are run when the host waits for a result. Here the references of the ops
// run them. Its memory is its own: no CPU kernel may read it.

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "core/device.h"
#include "core/error.h"
#include "ops/every_op.h"

namespace bertha::test {

template <typename List>
struct VariantOf;
template <typename... Ops>
struct VariantOf<ops::OpList<Ops...>> {
  using Type = std::variant<Ops...>;
};
using AnyOp = VariantOf<ops::EveryOp>::Type;

/// Runs an op by its reference (reference_ops.cc). Throws LogicError for one that has no replay.
void run_reference(const AnyOp& op);

/// Kernels that need no scratch.
class WithoutScratch : public ops::Kernels {
 public:
  ops::Support support(std::string_view, DType dtype) const override {
    return dtype == DType::kF32 ? ops::Support::kNative : ops::Support::kAbsent;
  }
  ops::ScratchShapes scratch(const ops::EmbeddingBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::LayerNormBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Linear&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::LinearBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Int8Linear&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Fp8Linear&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Fp8LinearBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::AttentionBackward&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::CrossEntropy&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::SequenceCrossEntropy&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::GlobalNorm&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::ClipNormEach&) const override { return {}; }
  ops::ScratchShapes scratch(const ops::Lamb&) const override { return {}; }
};

class RecordingKernels final : public ops::OnEveryOp<RecordingKernels, WithoutScratch> {
 public:
  template <typename Op>
  void on_run(const Op& op) {
    recorded.emplace_back(op);
  }
  std::deque<AnyOp> recorded;
};

class RecordingDevice final : public Device {
 public:
  RecordingDevice() : Device(Memory::kDevice) {
    auto kernels = std::make_shared<RecordingKernels>();
    recorded_ = &kernels->recorded;
    set_kernels(std::move(kernels));
  }

  DeviceKind kind() const override { return DeviceKind::kOther; }
  std::string description() const override { return "a device that records"; }
  bool has_bf16() const override { return false; }

  Buffer allocate(int64_t size_bytes) override {
    const auto size = static_cast<size_t>(align_up(std::max<int64_t>(size_bytes, 1)));
    auto* base = static_cast<std::byte*>(std::aligned_alloc(kAlignmentBytes, size));
    std::memset(base, 0, size);
    return Buffer(this, base, size_bytes);
  }
  void free(std::byte* base, int64_t) noexcept override { std::free(base); }
  void write(Out to, const void* host) override {
    synchronize();
    std::memcpy(address(to.tensor()), host, static_cast<size_t>(to.tensor().size_bytes()));
  }
  void read(const Tensor& from, void* host) override {
    synchronize();
    std::memcpy(host, address(from), static_cast<size_t>(from.size_bytes()));
  }
  void copy(const Tensor& from, Out to) override { write(to, address(from)); }
  void zero(Out to) override {
    synchronize();
    std::memset(address(to.tensor()), 0, static_cast<size_t>(to.tensor().size_bytes()));
  }
  void run(const Segment&, BodyRef body) override { body(); }
  /// Replays what was recorded, in order.
  void synchronize() override {
    for (; !recorded_->empty(); recorded_->pop_front()) {
      const AnyOp& op = recorded_->front();
      const std::string name(std::visit([](const auto& o) { return o.kName; }, op));
      ++replayed[name];
      if (name != left_out) run_reference(op);
    }
  }
  void parameters_changed() override {}

  int64_t waiting() const { return std::ssize(*recorded_); }
  std::map<std::string, int64_t> replayed;  ///< how often, by the op's name
  std::string left_out;                     ///< ops of this name are not run

 private:
  static std::byte* address(const Tensor& tensor) {
    return tensor.buffer()->base() + tensor.offset_bytes();
  }

  std::deque<AnyOp>* recorded_;
};

}  // namespace bertha::test
