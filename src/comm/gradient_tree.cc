#include "comm/gradient_tree.h"

#include <cstring>

#include "backend/cpu/cpu_view.h"
#include "comm/pairwise.h"
#include "core/error.h"

namespace bertha::comm {

GradientTree::GradientTree(Device& device, int64_t flat_size, int64_t accumulation)
    : accumulation_(accumulation), run_(odd_part(accumulation)) {
  BERTHA_CHECK(accumulation > 0);
  if (device.memory() != Memory::kHost) fail("--deterministic sums gradients on CPUs only");
  for (int64_t leaves = accumulation / run_; leaves > 1; leaves /= 2) {
    levels_.push_back(device.allocate(flat_size * size_of(DType::kF32)));
  }
}

/// A binary counter: level l holds the sum of 2^l runs until its right-hand neighbour is complete.
void GradientTree::fold(Device& device, InOut gradients) {
  ++seen_;
  if (seen_ % run_ != 0) return;
  const int64_t size = gradients.tensor().size();
  const auto level = [&](size_t l) { return Tensor(&levels_[l], 0, DType::kF32, {size}); };
  int64_t runs = seen_ / run_;
  size_t l = 0;
  for (; runs % 2 == 0; runs /= 2, ++l) {
    add_to(cpu::data<float>(gradients), cpu::data<float>(level(l)), size);
  }
  if (seen_ == accumulation_) {
    seen_ = 0;
    return;
  }
  std::memcpy(cpu::data<float>(out(level(l))), cpu::data<float>(gradients.tensor()),
              static_cast<size_t>(size) * sizeof(float));
  device.zero(out(gradients.tensor()));
}

/// At the last run every level is full, and all are added.
void GradientTree::fold_last(InOut piece, int64_t offset) {
  BERTHA_CHECK(seen_ == accumulation_ - 1);
  const int64_t size = piece.tensor().size();
  for (const Buffer& level : levels_) {
    const Tensor part(&level, offset * size_of(DType::kF32), DType::kF32, {size});
    add_to(cpu::data<float>(piece), cpu::data<float>(part), size);
  }
}

}  // namespace bertha::comm
