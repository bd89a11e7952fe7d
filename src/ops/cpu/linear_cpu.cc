#include "ops/cpu/linear_cpu.h"

#include "backend/cpu/onednn.h"
#include "backend/cpu/view.h"
#include "core/profile.h"
#include "core/threads.h"
#include "ops/cpu/activation_kernels.h"

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

cpu::Epilogue epilogue_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return cpu::Epilogue::kNone;
    case Activation::kGelu:
      return cpu::Epilogue::kGelu;
    case Activation::kTanh:
      return cpu::Epilogue::kTanh;
  }
  BERTHA_CHECK(false, "activation {}", static_cast<int>(activation));
}

template <typename E>
void gelu(const Tensor& x, const Tensor& y) {
  const E* from = elements<E>(x);
  E* to = elements<E>(y);
  parallel_ranges(x.size(), kGrain, [&](int64_t begin, int64_t end, int) {
    kernels<E>().gelu(from + begin, to + begin, end - begin);
  });
}

/// Turns d_y into the gradient before the activation and adds its column sums to d_b. Threads share
/// the columns out, so that no sum depends on their number.
template <typename E>
void activation_backward(const Tensor& d_y, const Tensor& saved, Activation activation,
                         float* d_b) {
  E* const d = elements<E>(d_y);
  const E* const s = elements<E>(saved);
  const int64_t columns = d_y.dim(1);
  const int64_t groups = (columns + kColumnGrain - 1) / kColumnGrain;
  const int64_t grain = std::max<int64_t>(1, kGrain / (d_y.dim(0) * kColumnGrain + 1));
  parallel_ranges(groups, grain, [&](int64_t first, int64_t last, int) {
    const int64_t left = first * kColumnGrain;
    const ColumnBlock block{.rows = d_y.dim(0),
                            .columns = std::min(last * kColumnGrain, columns) - left,
                            .stride = columns};
    float* const sums = d_b == nullptr ? nullptr : d_b + left;
    if (activation == Activation::kGelu) {
      kernels<E>().gelu_gradient(d + left, s + left, block, sums);
    } else if (activation == Activation::kTanh) {
      kernels<E>().tanh_gradient(d + left, s + left, block, sums);
    } else {
      kernels<E>().column_sums(d + left, block, sums);
    }
  });
}

/// Of one product over x [T,K], w [N,K] and y [T,N], beside `more_bytes`.
Cost product_cost(const Tensor& x, const Tensor& w, const Tensor& y, int64_t more_bytes = 0) {
  return {.flops = 2 * x.size() * w.dim(0), .bytes = bytes_of(x, w, y) + more_bytes};
}

void gradient_of_activation(cpu::CpuDevice& device, const Tensor& d_y, const Tensor& saved,
                            Activation activation, float* d_b) {
  const Timed timed(device, "linear, bias and activation backward",
                    [&] { return Cost{.bytes = bytes_of(d_y, saved, saved)}; });
  if (d_y.dtype() == DType::kF32) {
    activation_backward<float>(d_y, saved, activation, d_b);
  } else {
    activation_backward<uint16_t>(d_y, saved, activation, d_b);
  }
}

}  // namespace

void linear_cpu(cpu::CpuDevice& device, const Tensor& x, const Tensor& w, const Tensor& b,
                Activation activation, Out y, Out saved) {
  const bool keeps = !saved.empty();
  {
    const Timed timed(device, "linear", [&] { return product_cost(x, w, y.tensor()); });
    device.products().forward(x, w, b, keeps ? cpu::Epilogue::kNone : epilogue_of(activation),
                              keeps ? saved : y, device.parameter_version());
  }
  if (!keeps) return;
  const Timed timed(device, "linear, GELU",
                    [&] { return Cost{.bytes = bytes_of(saved.tensor(), y.tensor())}; });
  if (x.dtype() == DType::kF32) {
    gelu<float>(saved.tensor(), y.tensor());
  } else {
    gelu<uint16_t>(saved.tensor(), y.tensor());
  }
}

void linear_backward_cpu(cpu::CpuDevice& device, const Tensor& x, const Tensor& w,
                         const Tensor& saved, Activation activation, InOut d_y, InOut d_x,
                         Write d_x_write, InOut d_w, InOut d_b) {
  const Tensor& d = d_y.tensor();
  if (activation != Activation::kNone || !d_b.empty()) {
    gradient_of_activation(device, d, saved, activation, cpu::data<float>(d_b));
  }
  {
    const Timed timed(device, "linear, d_w",
                      [&] { return product_cost(x, w, d, 2 * d_w.tensor().size_bytes()); });
    device.products().backward_weights(d, x, d_w);
  }
  if (d_x.empty()) return;
  const Timed timed(device, "linear, d_x", [&] { return product_cost(x, w, d); });
  device.products().backward_data(d, w, d_x_write == Write::kAdd, d_x, device.parameter_version());
}

}  // namespace bertha::ops
