#include <bit>
#include <cmath>

#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "core/profile.h"
#include "ops/cpu/activation_kernels.h"
#include "ops/cpu/cpu_kernels.h"
#include "ops/cpu/cpu_products.h"
#include "ops/cpu/linear_cpu.h"

namespace bertha::ops {
namespace {

/// Elements that make a parallel range worth its start.
constexpr int64_t kGrain = 16384;
/// Columns a thread works on at least, and in multiples of: two cache lines of bf16.
constexpr int64_t kColumnGrain = 64;

template <typename E>
const ElementKernels<E>& kernels() {
  static const ActivationKernels all = cpu::best_isa() >= cpu::Isa::kAvx512
                                           ? activation_kernels_avx512()
                                           : activation_kernels_avx2();
  if constexpr (sizeof(E) == sizeof(float)) {
    return all.f32;
  } else {
    return all.bf16;
  }
}

/// The elements as kernels take them: bf16 as bits.
template <typename E>
E* elements(const Tensor& tensor) {
  return static_cast<E*>(cpu::address(tensor));
}

/// The activations that BERT's own models do not have run one value at a time.
bool is_scalar(Activation activation) {
  return needs_input(activation) && activation != Activation::kGelu;
}

float widen(float value) {
  return value;
}
float widen(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}
void store(float value, float* to) {
  *to = value;
}
void store(float value, uint16_t* to) {
  *to = BFloat16(value).bits;
}

float tanh_argument(float x) {
  constexpr float kRootTwoOverPi = 0.7978845608F;
  return kRootTwoOverPi * (x + 0.044715F * x * x * x);
}

float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::kGeluTanh:
      return 0.5F * x * (1 + std::tanh(tanh_argument(x)));
    case Activation::kRelu:
      return x > 0 ? x : 0;
    default:
      return x / (1 + std::exp(-x));
  }
}

float slope(Activation activation, float x) {
  switch (activation) {
    case Activation::kGeluTanh: {
      constexpr float kRootTwoOverPi = 0.7978845608F;
      const float t = std::tanh(tanh_argument(x));
      const float inner = kRootTwoOverPi * (1 + 3 * 0.044715F * x * x);
      return 0.5F * (1 + t) + 0.5F * x * (1 - t * t) * inner;
    }
    case Activation::kRelu:
      return x > 0 ? 1 : 0;
    default: {
      const float sigmoid = 1 / (1 + std::exp(-x));
      return sigmoid * (1 + x * (1 - sigmoid));
    }
  }
}

template <typename E>
void activate_scalars(Activation activation, const Tensor& x, const Tensor& y) {
  const E* from = elements<E>(x);
  E* to = elements<E>(y);
  parallel_ranges(x.size(), kGrain, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) store(activated(activation, widen(from[i])), to + i);
  });
}

/// d *= the derivative at s, in a block.
template <typename E>
void scale_by_slopes(Activation activation, E* d, const E* s, const ColumnBlock& block) {
  for (int64_t row = 0; row < block.rows; ++row) {
    for (int64_t i = row * block.stride; i < row * block.stride + block.columns; ++i) {
      store(widen(d[i]) * slope(activation, widen(s[i])), d + i);
    }
  }
}

template <typename E>
void gelu(const Tensor& x, const Tensor& y) {
  const E* from = elements<E>(x);
  E* to = elements<E>(y);
  parallel_ranges(x.size(), kGrain, [&](int64_t begin, int64_t end, int64_t) {
    kernels<E>().gelu(from + begin, to + begin, end - begin);
  });
}

/// Makes d_y the gradient before the activation and adds its column sums to d_b. Each thread has
/// columns of its own, so that no sum depends on the number of threads.
template <typename E>
void activation_backward(const LinearBackward& op) {
  const Tensor& d_y = op.d_y.tensor();
  E* const d = elements<E>(d_y);
  const E* const s = elements<E>(op.saved);
  float* const d_b = cpu::data<float>(op.d_b);
  const int64_t columns = d_y.dim(1);
  const int64_t groups = (columns + kColumnGrain - 1) / kColumnGrain;
  const int64_t grain = std::max<int64_t>(1, kGrain / (d_y.dim(0) * kColumnGrain + 1));
  parallel_ranges(groups, grain, [&](int64_t first, int64_t last, int64_t) {
    const int64_t left = first * kColumnGrain;
    const ColumnBlock block{.rows = d_y.dim(0),
                            .columns = std::min(last * kColumnGrain, columns) - left,
                            .stride = columns};
    float* const sums = d_b == nullptr ? nullptr : d_b + left;
    if (op.activation == Activation::kGelu) {
      kernels<E>().gelu_gradient(d + left, s + left, block, sums);
    } else if (op.activation == Activation::kTanh) {
      kernels<E>().tanh_gradient(d + left, s + left, block, sums);
    } else {
      if (is_scalar(op.activation)) scale_by_slopes(op.activation, d + left, s + left, block);
      kernels<E>().column_sums(d + left, block, sums);
    }
  });
}

}  // namespace

int64_t CpuKernels::panel_channels(DType dtype) const {
  return product_panel_channels(dtype);
}

void activation_backward_cpu(const LinearBackward& op) {
  const Tensor& d_y = op.d_y.tensor();
  (d_y.dtype() == DType::kF32 ? activation_backward<float> : activation_backward<uint16_t>)(op);
}

void CpuKernels::run(const Linear& op, const Scratch& /*scratch*/) {
  const bool keeps = !op.saved.empty();
  multiply_forward(device_, op.x, op.w, op.b, keeps ? Activation::kNone : op.activation,
                   keeps ? op.saved : op.y);
  if (!keeps) return;
  const Timed timed(
      device_, "linear, GELU",
      [&] { return Cost{.bytes = bytes_of(op.saved.tensor(), op.y.tensor())}; },
      Timed::Work::kPart);
  const bool wide = op.x.dtype() == DType::kF32;
  if (is_scalar(op.activation)) {
    (wide ? activate_scalars<float> : activate_scalars<uint16_t>)(op.activation, op.saved.tensor(),
                                                                  op.y.tensor());
  } else {
    (wide ? gelu<float> : gelu<uint16_t>)(op.saved.tensor(), op.y.tensor());
  }
}

void CpuKernels::run(const LinearBackward& op, const Scratch& scratch) {
  const Tensor& d_y = op.d_y.tensor();
  if (op.reads_d_y_first()) {
    const Timed timed(
        device_, "linear, bias and activation backward",
        [&] { return Cost{.bytes = bytes_of(d_y, op.saved, op.saved)}; }, Timed::Work::kPart);
    activation_backward_cpu(op);
  }
  {
    const Timed timed(
        device_, "linear, d_w",
        [&] {
          const Cost product = product_cost(op.x, op.w, d_y);
          return Cost{.flops = product.flops,
                      .bytes = product.bytes + 2 * op.d_w.tensor().size_bytes()};
        },
        Timed::Work::kPart);
    if (op.d_w_write == Write::kSet) device_.zero(out(op.d_w.tensor()));
    multiply_backward_weights(d_y, op.x, op.d_w, out(scratch.values));
  }
  if (op.d_x.empty()) return;
  const Timed timed(
      device_, "linear, d_x", [&] { return product_cost(op.x, op.w, d_y); }, Timed::Work::kPart);
  multiply_backward_data(device_, d_y, op.w, op.d_x_write, op.d_x);
}

}  // namespace bertha::ops
