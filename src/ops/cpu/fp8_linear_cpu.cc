// The processors that this program runs on have no products of 8-bit floats: operands are rounded
// to the same numbers and multiplied as they are in ops/cpu/linear_cpu.cc. It is slower than bf16,
// and shows what fp8 does to a training.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"
#include "ops/cpu/linear_cpu.h"
#include "ops/fp8_linear.h"

namespace bertha::ops {
namespace {

constexpr int64_t kGrain = 16384;

/// Infinity where an element is not finite.
template <typename E>
float largest_magnitude(const Tensor& values) {
  const E* const elements = cpu::data<E>(values);
  std::vector<float> of_range(static_cast<size_t>(range_count(values.size(), kGrain)), 0.0F);
  parallel_ranges(values.size(), kGrain, [&](int64_t begin, int64_t end, int64_t range) {
    float largest = 0;
    for (int64_t i = begin; i < end; ++i) {
      const float magnitude = std::abs(static_cast<float>(elements[i]));
      largest = std::isfinite(magnitude) ? std::max(largest, magnitude)
                                         : std::numeric_limits<float>::infinity();
    }
    of_range[static_cast<size_t>(range)] = largest;
  });
  return *std::ranges::max_element(of_range);
}

template <typename E>
void round_elements(const Tensor& from, float scale, Fp8Format format, const Tensor& to) {
  const E* const elements = cpu::data<E>(from);
  E* const rounded = cpu::data<E>(Out(to));
  parallel_ranges(from.size(), kGrain, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) {
      rounded[i] = E(round_to_fp8(static_cast<float>(elements[i]), scale, format));
    }
  });
}

void note(const Tensor& values, Fp8Format format, InOut state) {
  const bool wide = values.dtype() == DType::kF32;
  const float maximum = (wide ? largest_magnitude<float> : largest_magnitude<BFloat16>)(values);
  note_fp8_use(maximum, format, cpu::data<float>(state));
}

void round_by(const Tensor& state, const Tensor& from, Fp8Format format, const Tensor& to) {
  const bool wide = from.dtype() == DType::kF32;
  (wide ? round_elements<float>
        : round_elements<BFloat16>)(from, cpu::data<float>(state)[kFp8Scale], format, to);
}

/// The rounded weights lie in scratch memory, of which the device must keep no prepared copy.
class WithoutCopies {
 public:
  explicit WithoutCopies(cpu::CpuDevice& device) : device_(device) { device_.parameters_changed(); }
  ~WithoutCopies() { device_.parameters_changed(); }
  WithoutCopies(const WithoutCopies&) = delete;
  WithoutCopies& operator=(const WithoutCopies&) = delete;

 private:
  cpu::CpuDevice& device_;
};

}  // namespace

ScratchShapes CpuKernels::scratch(const Fp8Linear& op) const {
  return {.values = {.shape = {fp8_rounded_elements(op.linear.x, op.linear.w, false)},
                     .dtype = op.linear.x.dtype()}};
}

ScratchShapes CpuKernels::scratch(const Fp8LinearBackward& op) const {
  return {.values = {.shape = {fp8_rounded_elements(op.linear.x, op.linear.w, true)},
                     .dtype = op.linear.x.dtype()},
          .products = scratch(op.linear).values};
}

void CpuKernels::run(const Fp8Linear& op, const Scratch& scratch) {
  const Linear& linear = op.linear;
  if (op.notes) {
    note(linear.x, Fp8Format::kE4M3, op.x_state);
    note(linear.w, Fp8Format::kE4M3, op.w_state);
  }
  const auto rounded = fp8_rounded_operands(scratch.values, linear.x, linear.w, false);
  round_by(op.x_state.tensor(), linear.x, Fp8Format::kE4M3, rounded.x);
  round_by(op.w_state.tensor(), linear.w, Fp8Format::kE4M3, rounded.w);
  Linear product = linear;
  product.x = rounded.x;
  product.w = rounded.w;
  const WithoutCopies guard(device_);
  run(product, Scratch());
}

void CpuKernels::run(const Fp8LinearBackward& op, const Scratch& scratch) {
  const LinearBackward& linear = op.linear;
  const Tensor& d_y = linear.d_y.tensor();
  if (linear.reads_d_y_first()) activation_backward_cpu(linear);
  note(d_y, Fp8Format::kE5M2, op.d_y_state);
  const auto rounded = fp8_rounded_operands(scratch.values, linear.x, linear.w, true);
  round_by(op.x_state, linear.x, Fp8Format::kE4M3, rounded.x);
  round_by(op.w_state, linear.w, Fp8Format::kE4M3, rounded.w);
  round_by(op.d_y_state.tensor(), d_y, Fp8Format::kE5M2, rounded.d_y);
  const WithoutCopies guard(device_);
  run(LinearBackward{.x = rounded.x,
                     .w = rounded.w,
                     .d_y = inout(rounded.d_y),
                     .d_x = linear.d_x,
                     .d_x_write = linear.d_x_write,
                     .d_w = linear.d_w,
                     .d_w_write = linear.d_w_write},
      {.values = scratch.products});
}

}  // namespace bertha::ops
