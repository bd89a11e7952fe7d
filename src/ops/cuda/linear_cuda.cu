// The library multiplies and adds the bias. GELU is a kernel of its own: cuBLASLt's GELU epilogue
// is the tanh approximation, BERT's is the erf form. Its derivative is fused with the sums that the
// bias gradient needs; the library's epilogue for those overwrites where the contract adds.

#include "ops/cuda/linear_cuda.h"

#include "backend/cuda/kernel_launch.h"
#include "backend/cuda/products.h"
#include "ops/cuda/column_sums_cuda.h"
#include "ops/cuda/cuda_kernels.h"

namespace bertha::ops {
namespace {

using cuda::kElementPack;

constexpr int kThreads = 256;

constexpr float kOneOverRootTwoPi = 0.3989422804F;

/// Exact in the tails, for f32.
struct GeluExact {
  __device__ static float value(float x) { return x * normcdff(x); }
  /// Φ(x) + x φ(x).
  __device__ static float derivative(float x) {
    return normcdff(x) + x * kOneOverRootTwoPi * expf(-0.5F * x * x);
  }
};
/// For bf16, half the instructions: Φ(x) = (1 + erf(x/√2)) / 2 with an error below 1e-7, which is
/// under a step of bf16 beside the results that GELU has outside its tail.
struct Gelu {
  __device__ static float cdf(float x) { return 0.5F + 0.5F * erff(x * 0.7071067812F); }
  __device__ static float value(float x) { return x * cdf(x); }
  __device__ static float derivative(float x) {
    return cdf(x) + x * kOneOverRootTwoPi * __expf(-0.5F * x * x);
  }
};
struct Tanh {
  __device__ static float value(float x) { return tanhf(x); }
  /// Of x, from y = tanh x.
  __device__ static float derivative(float y) { return 1 - y * y; }
};
struct GeluTanh {
  static constexpr float kRootTwoOverPi = 0.7978845608F;
  static constexpr float kCubic = 0.044715F;
  __device__ static float value(float x) {
    return 0.5F * x * (1 + tanhf(kRootTwoOverPi * (x + kCubic * x * x * x)));
  }
  __device__ static float derivative(float x) {
    const float t = tanhf(kRootTwoOverPi * (x + kCubic * x * x * x));
    const float inner = kRootTwoOverPi * (1 + 3 * kCubic * x * x);
    return 0.5F * (1 + t) + 0.5F * x * (1 - t * t) * inner;
  }
};
struct Relu {
  __device__ static float value(float x) { return x > 0 ? x : 0; }
  __device__ static float derivative(float x) { return x > 0 ? 1 : 0; }
};
struct Silu {
  __device__ static float value(float x) { return x / (1 + expf(-x)); }
  __device__ static float derivative(float x) {
    const float sigmoid = 1 / (1 + expf(-x));
    return sigmoid * (1 + x * (1 - sigmoid));
  }
};
struct None {
  __device__ static float derivative(float) { return 1; }
};

/// The function on f32.
template <typename Function>
struct OnF32 {
  using Type = Function;
};
template <>
struct OnF32<Gelu> {
  using Type = GeluExact;
};

/// Calls use(Function()) for the activation's function on bf16; for kNone it does not.
template <typename Use>
void with_function(Activation activation, const Use& use) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kGelu:
      return use(Gelu());
    case Activation::kTanh:
      return use(Tanh());
    case Activation::kGeluTanh:
      return use(GeluTanh());
    case Activation::kRelu:
      return use(Relu());
    case Activation::kSilu:
      return use(Silu());
  }
}

template <typename E, int kPack, typename Function>
__global__ void __launch_bounds__(kThreads) activate_kernel(const E* x, E* y, int64_t packs) {
  const int64_t pack = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (pack >= packs) return;
  float values[kPack];
  cuda::load(x + pack * kPack, values);
  for (int i = 0; i < kPack; ++i) values[i] = Function::value(values[i]);
  cuda::store(y + pack * kPack, values);
}

/// The block's largest value, for blocks of kColumnThreads x kRowThreads.
__device__ float largest_of_block(float value) {
  __shared__ float of_warp[kRowThreads];
  static_assert(kColumnThreads == cuda::kWarp);
  value = cuda::warp_reduce(value, cuda::Larger());
  if (threadIdx.x == 0) of_warp[threadIdx.y] = value;
  __syncthreads();
  for (int y = 0; y < kRowThreads; ++y) value = fmaxf(value, of_warp[y]);
  return value;
}

/// d *= the derivative; partial sums of the columns of the result, as it is stored. With kMaxima
/// also each block's largest magnitude of it; infinity where an element is not finite.
template <typename E, int kPack, typename Function, bool kMaxima>
__global__ void __launch_bounds__(kColumnThreads* kRowThreads)
    gradient_kernel(E* d, const E* saved, int64_t rows, int columns, float* partials,
                    float* maxima) {
  float largest = 0;
  column_partials<1, kPack>(
      rows, columns, partials, [&](int64_t row, int column, float(&sums)[1][kPack]) {
        float values[kPack];
        cuda::load(d + row * columns + column, values);
        if (saved != nullptr) {
          float of_saved[kPack];
          cuda::load(saved + row * columns + column, of_saved);
          for (int i = 0; i < kPack; ++i) {
            values[i] = cuda::widen(cuda::narrow<E>(values[i] * Function::derivative(of_saved[i])));
          }
          cuda::store(d + row * columns + column, values);
        }
        for (int i = 0; i < kPack; ++i) {
          sums[0][i] += values[i];
          if constexpr (kMaxima) {
            const float magnitude = fabsf(values[i]);
            largest = fmaxf(largest, magnitude < INFINITY ? magnitude : INFINITY);
          }
        }
      });
  if constexpr (kMaxima) {
    largest = largest_of_block(largest);
    if (threadIdx.x == 0 && threadIdx.y == 0) {
      maxima[int64_t{blockIdx.y} * gridDim.x + blockIdx.x] = largest;
    }
  }
}

template <typename E, typename Function>
void activate(const cuda::CudaDevice& device, const Tensor& x, const Tensor& y) {
  const bool fits = x.size() % kElementPack == 0;
  const int64_t packs = fits ? x.size() / kElementPack : x.size();
  cuda::launch(
      device,
      {.name = "activation", .blocks = {cuda::blocks_for(packs, kThreads)}, .threads = {kThreads}},
      fits ? activate_kernel<E, kElementPack, Function> : activate_kernel<E, 1, Function>,
      cuda::data<E>(x), cuda::data<E>(Out(y)), packs);
}

template <typename Function>
void activate_any(const cuda::CudaDevice& device, const Tensor& x, const Tensor& y) {
  (x.dtype() == DType::kF32 ? activate<float, typename OnF32<Function>::Type>
                            : activate<BFloat16, Function>)(device, x, y);
}

/// What the kernel of a gradient writes beside it; null: not wanted.
struct GradientParts {
  float* sums;
  float* maxima;
};

template <typename E, int kPack, typename Function>
void gradient_by(const cuda::CudaDevice& device, const Tensor& d, const Tensor& saved,
                 const GradientParts& parts) {
  const auto kernel = parts.maxima == nullptr ? gradient_kernel<E, kPack, Function, false>
                                              : gradient_kernel<E, kPack, Function, true>;
  cuda::launch(device, column_grid("activation_gradient", d.dim(0), d.dim(1), kPack), kernel,
               cuda::data<E>(Out(d)), cuda::data<E>(saved), d.dim(0), d.dim(1), parts.sums,
               parts.maxima);
}

template <typename E, typename Function>
void gradient(const cuda::CudaDevice& device, const Tensor& d, const Tensor& saved,
              const GradientParts& parts) {
  const bool fits = d.dim(1) % kElementPack == 0;
  (fits ? gradient_by<E, kElementPack, Function> : gradient_by<E, 1, Function>)(device, d, saved,
                                                                                parts);
}

template <typename Function>
void gradient_any(const cuda::CudaDevice& device, const Tensor& d, const Tensor& saved,
                  const GradientParts& parts) {
  (d.dtype() == DType::kF32 ? gradient<float, typename OnF32<Function>::Type>
                            : gradient<BFloat16, Function>)(device, d, saved, parts);
}

}  // namespace

void activate_cuda(const cuda::CudaDevice& device, Activation activation, const Tensor& x, Out y) {
  with_function(activation,
                [&](auto function) { activate_any<decltype(function)>(device, x, y.tensor()); });
}

void activation_backward_cuda(const cuda::CudaDevice& device, const LinearBackward& op,
                              const Tensor& partials, const Tensor& maxima) {
  const Tensor& d = op.d_y.tensor();
  const GradientParts parts = {.sums = cuda::data<float>(Out(partials)),
                               .maxima = cuda::data<float>(Out(maxima))};
  with_function(op.activation, [&](auto function) {
    gradient_any<decltype(function)>(device, d, op.saved, parts);
  });
  const bool needed = !op.d_b.empty() || !maxima.empty();
  if (op.activation == Activation::kNone && needed) gradient_any<None>(device, d, Tensor(), parts);
  if (op.d_b.empty()) return;
  add_partials(device, parts.sums, partial_blocks(d.dim(0)), d.dim(1), cuda::data<float>(op.d_b));
}

/// cuBLASLt adds a bias of the type of y alone (its CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE).
Tensor CudaKernels::bias_as_x(const Linear& op, const Scratch& scratch) {
  const Tensor bias = op.b_rounded.empty() ? op.b : op.b_rounded;
  if (bias.empty() || bias.dtype() == op.x.dtype()) return bias;
  run(Convert{.from = op.b, .to = out(scratch.values)});
  return scratch.values;
}

void CudaKernels::run(const Linear& op, const Scratch& scratch) {
  const Tensor before = op.saved.empty() ? op.y.tensor() : op.saved.tensor();
  device_.products().forward(op.x, op.w, bias_as_x(op, scratch), out(before));
  activate_cuda(device_, op.activation, before, op.y);
}

void CudaKernels::run(const LinearBackward& op, const Scratch& scratch) {
  const Tensor& d = op.d_y.tensor();
  activation_backward_cuda(device_, op, scratch.values);
  device_.products().backward_weights(d, op.x, op.d_w_write == Write::kAdd, op.d_w);
  if (op.d_x.empty()) return;
  device_.products().backward_data(d, op.w, op.d_x_write == Write::kAdd, out(op.d_x.tensor()));
}

}  // namespace bertha::ops
