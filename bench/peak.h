#pragma once

// The best speed of this machine, measured in the same run as the values that are compared with it:
// for f32 a loop of fused multiply-adds in registers, for bf16 the best square product.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "backend/cpu/multiply_add_rate.h"
#include "core/context.h"
#include "core/parallel_for.h"
#include "core/philox.h"
#include "ops/cpu/cpu_products.h"

namespace bertha::bench {

using Clock = std::chrono::steady_clock;

/// The shortest of several calls, in seconds: the cost when nothing else runs.
template <typename Body>
double shortest(const Body& body) {
  constexpr double kEnough = 0.3;
  body();
  double best = 1e9;
  double total = 0;
  for (int i = 0; i < 3 || (total < kEnough && i < 100); ++i) {
    const auto start = Clock::now();
    body();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

/// GB/s of a[i] = b[i] + c[i] over arrays that exceed every cache.
inline double measured_bandwidth() {
  constexpr int64_t kElements = 1 << 25;
  std::vector<float> a(kElements);
  const std::vector<float> b(kElements, 1.0F);
  const std::vector<float> c(kElements, 2.0F);
  const double seconds = shortest([&] {
    parallel_ranges(kElements, 1 << 16, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t i = begin; i < end; ++i) {
        a[static_cast<size_t>(i)] = b[static_cast<size_t>(i)] + c[static_cast<size_t>(i)];
      }
    });
  });
  return 3e-9 * static_cast<double>(kElements * size_of(DType::kF32)) / seconds;
}

/// Tensors of one product, filled with small numbers.
class Operands {
 public:
  Operands(int64_t tokens, int64_t inner, int64_t outer, DType dtype)
      : arena_(device_, bytes(tokens, inner, outer)), context_(device_, arena_) {
    x = random({tokens, inner}, dtype);
    w = random({outer, inner}, dtype);
    y = random({tokens, outer}, dtype);
    d_x = random({tokens, inner}, dtype);
    d_w = random({outer, inner}, DType::kF32);
    b = random({outer}, DType::kF32);
    flops_ = 2.0 * static_cast<double>(tokens) * static_cast<double>(inner * outer);
  }

  Tensor x, w, y, d_x, d_w, b;

  double forward() {
    return rate([&] { ops::multiply_forward(device_, x, w, b, ops::Activation::kNone, out(y)); });
  }
  double backward_data() {
    return rate([&] { ops::multiply_backward_data(device_, y, w, ops::Write::kSet, inout(d_x)); });
  }
  double backward_weights() {
    const Buffer scratch = device_.allocate(ops::weight_gradient_scratch(y, x));
    const Tensor packed(&scratch, 0, DType::kU8, {scratch.size_bytes()});
    return rate([&] { ops::multiply_backward_weights(y, x, inout(d_w), out(packed)); });
  }

 private:
  static int64_t bytes(int64_t tokens, int64_t inner, int64_t outer) {
    return 4 * (2 * tokens * inner + 2 * outer * inner + tokens * outer + outer) + 4096;
  }
  template <typename Body>
  double rate(const Body& body) {
    return flops_ / shortest(body) * 1e-9;
  }
  Tensor random(const Shape& shape, DType dtype) {
    const Tensor made = context_.make(shape, dtype);
    PhiloxStream stream(1, 0);
    for (int64_t i = 0; i < made.size(); ++i) {
      const auto value = static_cast<float>(stream.next_u32() >> 16) * 0x1p-18F - 0.125F;
      if (dtype == DType::kF32) {
        cpu::data<float>(Out(made))[i] = value;
      } else {
        cpu::data<BFloat16>(Out(made))[i] = BFloat16(value);
      }
    }
    return made;
  }

  cpu::CpuDevice device_;
  Arena arena_;
  Context context_;
  double flops_ = 0;
};

/// The GFLOP/s that products in `dtype` are compared with.
inline double ceiling_of(DType dtype) {
  if (dtype == DType::kF32) return cpu::multiply_add_rate();
  double best = 0;
  for (const int64_t size : {1024, 2048, 4096}) {
    best = std::max(best, Operands(size, size, size, dtype).forward());
  }
  return best;
}

}  // namespace bertha::bench
