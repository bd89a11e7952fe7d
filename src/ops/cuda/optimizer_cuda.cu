// A block of threads takes a block of at most kNormBlock elements of one parameter. Norms: each
// block writes its sum of squares (double), then one warp a parameter adds these in order. Almost
// all spans start at a multiple of 16 bytes; their elements are taken four at a time. The biases of
// query, key and value follow each other without a gap, so those of an odd hidden size do not.

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/cuda_kernels.h"
#include "ops/cuda/norm_blocks.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 256;
constexpr int kFloats = 4;  ///< 16 bytes

/// body(element, count) with count kFloats (a constant) for whole aligned packs and 1 for the rest.
template <typename Body>
__device__ void for_elements(const NormBlock& block, const Body& body) {
  const int packs = block.offset % kFloats == 0 ? block.size / kFloats : 0;
  for (int p = static_cast<int>(threadIdx.x); p < packs; p += kThreads) {
    body(block.offset + int64_t{p} * kFloats, std::integral_constant<int, kFloats>());
  }
  for (int i = packs * kFloats + static_cast<int>(threadIdx.x); i < block.size; i += kThreads) {
    body(block.offset + i, std::integral_constant<int, 1>());
  }
}

/// AdamSettings as kernels take them; rounded once on the host.
struct Factors {
  float beta1, rest1;
  float beta2, rest2;
  float eps;
  float decay;
};

struct Buffers {
  float* weights;
  float* gradients;
  float* exp_avg;
  float* exp_avg_sq;
  BFloat16* bf16_weights;
};

struct Tables {
  const NormBlock* blocks;
  const SpanBlocks* spans;
};

/// Writes the moments; `update` becomes m c1 / (√(v c2) + eps) + decay w.
template <int kCount>
__device__ void adam_update(const Buffers& buffers, const Factors& f, float decay,
                            const float* scalars, int64_t at, const float (&weights)[kCount],
                            float (&update)[kCount]) {
  float g[kCount], m[kCount], v[kCount];
  cuda::load(buffers.gradients + at, g);
  cuda::load(buffers.exp_avg + at, m);
  cuda::load(buffers.exp_avg_sq + at, v);
  for (int i = 0; i < kCount; ++i) {
    const float scaled = g[i] * scalars[kGradientScale];
    m[i] = m[i] * f.beta1 + scaled * f.rest1;
    v[i] = v[i] * f.beta2 + scaled * scaled * f.rest2;
    update[i] =
        m[i] * scalars[kFirstCorrection] / (sqrtf(v[i] * scalars[kSecondCorrection]) + f.eps) +
        weights[i] * decay;
  }
  cuda::store(buffers.exp_avg + at, m);
  cuda::store(buffers.exp_avg_sq + at, v);
}

template <int kCount>
__device__ void store_weights(const Buffers& buffers, int64_t at, const float (&weights)[kCount]) {
  cuda::store(buffers.weights + at, weights);
  if (buffers.bf16_weights != nullptr) cuda::store(buffers.bf16_weights + at, weights);
}

/// Moments, u in place of the gradients, and the squared norms of weights and u of each block.
__global__ void __launch_bounds__(kThreads)
    lamb_update_kernel(Buffers buffers, Tables tables, Factors f, const float* scalars,
                       double* squares) {
  const NormBlock block = tables.blocks[blockIdx.x];
  const float decay = tables.spans[block.span].decays != 0 ? f.decay : 0;
  double weight_squares = 0;
  double update_squares = 0;
  for_elements(block, [&](int64_t at, auto count) {
    float w[count()], u[count()];
    cuda::load(buffers.weights + at, w);
    adam_update(buffers, f, decay, scalars, at, w, u);
    cuda::store(buffers.gradients + at, u);
    for (int i = 0; i < count(); ++i) {
      weight_squares += static_cast<double>(w[i]) * static_cast<double>(w[i]);
      update_squares += static_cast<double>(u[i]) * static_cast<double>(u[i]);
    }
  });
  weight_squares = cuda::block_reduce<kThreads>(weight_squares, cuda::Sum());
  update_squares = cuda::block_reduce<kThreads>(update_squares, cuda::Sum());
  if (threadIdx.x != 0) return;
  squares[2 * int64_t{blockIdx.x}] = weight_squares;
  squares[2 * int64_t{blockIdx.x} + 1] = update_squares;
}

/// The sum of `width` interleaved values a block over the blocks of a span, by one warp.
__device__ double span_sum(const double* values, const SpanBlocks& span, int width, int which) {
  double sum = 0;
  for (int b = static_cast<int>(threadIdx.x); b < span.count; b += cuda::kWarp) {
    sum += values[int64_t{span.first + b} * width + which];
  }
  return cuda::warp_reduce(sum, cuda::Sum());
}

/// NVLAMB's trust ratio of each span. One warp a block.
__global__ void ratio_kernel(const double* squares, const SpanBlocks* spans, bool decays,
                             float* ratios) {
  const SpanBlocks span = spans[blockIdx.x];
  const double weights = span_sum(squares, span, 2, 0);
  const double update = span_sum(squares, span, 2, 1);
  if (threadIdx.x != 0) return;
  const bool scales = decays && span.decays != 0 && weights > 0 && update > 0;
  ratios[blockIdx.x] = scales ? static_cast<float>(sqrt(weights) / sqrt(update)) : 1.0F;
}

__global__ void __launch_bounds__(kThreads)
    lamb_apply_kernel(Buffers buffers, Tables tables, const float* scalars, const float* ratios) {
  const NormBlock block = tables.blocks[blockIdx.x];
  const float step = scalars[kRate] * ratios[block.span];
  for_elements(block, [&](int64_t at, auto count) {
    float w[count()], u[count()];
    cuda::load(buffers.weights + at, w);
    cuda::load(buffers.gradients + at, u);
    for (int i = 0; i < count(); ++i) w[i] -= u[i] * step;
    store_weights(buffers, at, w);
  });
}

__global__ void __launch_bounds__(kThreads)
    adamw_kernel(Buffers buffers, Tables tables, Factors f, const float* scalars) {
  const NormBlock block = tables.blocks[blockIdx.x];
  const float decay = tables.spans[block.span].decays != 0 ? f.decay : 0;
  for_elements(block, [&](int64_t at, auto count) {
    float w[count()], u[count()];
    cuda::load(buffers.weights + at, w);
    adam_update(buffers, f, decay, scalars, at, w, u);
    for (int i = 0; i < count(); ++i) w[i] -= u[i] * scalars[kRate];
    store_weights(buffers, at, w);
  });
}

__global__ void __launch_bounds__(kThreads)
    squares_kernel(const float* values, const NormBlock* blocks, double* squares) {
  double sum = 0;
  for_elements(blocks[blockIdx.x], [&](int64_t at, auto count) {
    float v[count()];
    cuda::load(values + at, v);
    for (int i = 0; i < count(); ++i) sum += static_cast<double>(v[i]) * static_cast<double>(v[i]);
  });
  sum = cuda::block_reduce<kThreads>(sum, cuda::Sum());
  if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

/// One block: the root of the sum of `count` values.
__global__ void __launch_bounds__(kThreads)
    root_kernel(const double* squares, int count, float* norm) {
  double sum = 0;
  for (int b = static_cast<int>(threadIdx.x); b < count; b += kThreads) sum += squares[b];
  sum = cuda::block_reduce<kThreads>(sum, cuda::Sum());
  if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(sum));
}

/// torch's clip_grad_norm_; a NaN compares false and changes nothing.
__device__ float clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor < 1 ? static_cast<float>(factor) : 1.0F;
}

__global__ void clip_factor_kernel(const double* squares, const SpanBlocks* spans, double max_norm,
                                   float* factors) {
  const double sum = span_sum(squares, spans[blockIdx.x], 1, 0);
  if (threadIdx.x == 0) factors[blockIdx.x] = clip_factor(sqrt(sum), max_norm);
}

/// values *= the factor of their span, or, without factors, the one that `norm` gives.
__global__ void __launch_bounds__(kThreads)
    scale_kernel(float* values, const NormBlock* blocks, const float* factors, const float* norm,
                 double max_norm) {
  const NormBlock block = blocks[blockIdx.x];
  const float factor =
      factors != nullptr ? factors[block.span] : clip_factor(static_cast<double>(*norm), max_norm);
  if (factor == 1.0F) return;
  for_elements(block, [&](int64_t at, auto count) {
    float v[count()];
    cuda::load(values + at, v);
    for (int i = 0; i < count(); ++i) v[i] *= factor;
    cuda::store(values + at, v);
  });
}

template <typename From, typename To, int kPack>
__global__ void __launch_bounds__(kThreads)
    convert_kernel(const From* from, To* to, int64_t packs) {
  const int64_t pack = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (pack >= packs) return;
  float values[kPack];
  cuda::load(from + pack * kPack, values);
  cuda::store(to + pack * kPack, values);
}

template <typename From, typename To>
void convert_of(const cuda::CudaDevice& device, const Convert& op) {
  constexpr int kPack = cuda::kElementPack;
  const int64_t size = op.from.size();
  const bool fits = size % kPack == 0;
  const int64_t packs = fits ? size / kPack : size;
  cuda::launch(
      device,
      {.name = "convert", .blocks = {cuda::blocks_for(packs, kThreads)}, .threads = {kThreads}},
      fits ? convert_kernel<From, To, kPack> : convert_kernel<From, To, 1>,
      cuda::data<From>(op.from), cuda::data<To>(op.to), packs);
}

template <typename T>
const T* device_table(cuda::CudaDevice& device, const std::vector<T>& rows) {
  return reinterpret_cast<const T*>(device.table(std::as_bytes(std::span(rows))));
}

Tables tables_of(cuda::CudaDevice& device, Spans spans) {
  return {.blocks = device_table(device, list_norm_blocks(spans)),
          .spans = device_table(device, list_span_blocks(spans))};
}

Buffers buffers_of(const OptimizerBuffers& buffers) {
  return {.weights = cuda::data<float>(buffers.weights),
          .gradients = cuda::data<float>(buffers.gradients),
          .exp_avg = cuda::data<float>(buffers.exp_avg),
          .exp_avg_sq = cuda::data<float>(buffers.exp_avg_sq),
          .bf16_weights = cuda::data<BFloat16>(buffers.bf16_weights)};
}

Factors factors_of(const AdamSettings& settings) {
  return {.beta1 = static_cast<float>(settings.beta1),
          .rest1 = static_cast<float>(1 - settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          .rest2 = static_cast<float>(1 - settings.beta2),
          .eps = static_cast<float>(settings.eps),
          .decay = static_cast<float>(settings.weight_decay)};
}

cuda::Grid grid_of(const char* name, int64_t blocks, unsigned threads = kThreads) {
  return {.name = name, .blocks = {cuda::blocks_for(blocks, 1)}, .threads = {threads}};
}

}  // namespace

void CudaKernels::run(const GlobalNorm& op, const Scratch& scratch) {
  const ParameterSpan whole = {.size = op.values.size()};
  const Tables tables = tables_of(device_, {&whole, 1});
  const int64_t blocks = norm_blocks({&whole, 1});
  auto* const squares = cuda::data<double>(Out(scratch.values));
  cuda::launch(device_, grid_of("sum_squares", blocks), squares_kernel,
               cuda::data<float>(op.values), tables.blocks, squares);
  cuda::launch(device_, grid_of("norm", 1), root_kernel, squares, blocks,
               cuda::data<float>(op.norm));
}

void CudaKernels::run(const ClipNorm& op) {
  const ParameterSpan whole = {.size = op.gradients.tensor().size()};
  const Tables tables = tables_of(device_, {&whole, 1});
  cuda::launch(device_, grid_of("clip_norm", norm_blocks({&whole, 1})), scale_kernel,
               cuda::data<float>(op.gradients), tables.blocks, nullptr, cuda::data<float>(op.norm),
               op.max_norm);
}

void CudaKernels::run(const ClipNormEach& op, const Scratch& scratch) {
  const Tables tables = tables_of(device_, op.spans);
  const int64_t blocks = norm_blocks(op.spans);
  auto* const values = cuda::data<float>(op.gradients);
  auto* const squares = cuda::data<double>(Out(scratch.values));
  auto* const factors = cuda::data<float>(Out(scratch.factors));
  cuda::launch(device_, grid_of("sum_squares", blocks), squares_kernel, values, tables.blocks,
               squares);
  cuda::launch(device_, grid_of("clip_factors", std::ssize(op.spans), cuda::kWarp),
               clip_factor_kernel, squares, tables.spans, op.max_norm, factors);
  cuda::launch(device_, grid_of("clip_norm_each", blocks), scale_kernel, values, tables.blocks,
               factors, nullptr, op.max_norm);
}

void CudaKernels::run(const SquareBlocks& op) {
  cuda::launch(device_, grid_of("sum_squares", norm_blocks(op.spans)), squares_kernel,
               cuda::data<float>(op.values), tables_of(device_, op.spans).blocks,
               cuda::data<double>(op.squares));
}

void CudaKernels::run(const LambUpdate& op) {
  cuda::launch(device_, grid_of("lamb_update", norm_blocks(op.spans)), lamb_update_kernel,
               buffers_of(op.buffers), tables_of(device_, op.spans), factors_of(op.settings),
               cuda::data<float>(op.scalars), cuda::data<double>(op.squares));
}

void CudaKernels::run(const LambApply& op) {
  cuda::launch(device_, grid_of("lamb_apply", norm_blocks(op.spans)), lamb_apply_kernel,
               buffers_of(op.buffers), tables_of(device_, op.spans), cuda::data<float>(op.scalars),
               cuda::data<float>(op.ratios));
}

void CudaKernels::run(const Lamb& op, const Scratch& scratch) {
  run(LambUpdate{.buffers = op.buffers,
                 .spans = op.spans,
                 .settings = op.settings,
                 .scalars = op.scalars,
                 .squares = Out(scratch.values)});
  cuda::launch(device_, grid_of("lamb_ratios", std::ssize(op.spans), cuda::kWarp), ratio_kernel,
               cuda::data<double>(scratch.values), tables_of(device_, op.spans).spans,
               op.settings.weight_decay != 0, cuda::data<float>(Out(scratch.factors)));
  run(LambApply{
      .buffers = op.buffers, .spans = op.spans, .scalars = op.scalars, .ratios = scratch.factors});
}

void CudaKernels::run(const AdamW& op) {
  cuda::launch(device_, grid_of("adamw", norm_blocks(op.spans)), adamw_kernel,
               buffers_of(op.buffers), tables_of(device_, op.spans), factors_of(op.settings),
               cuda::data<float>(op.scalars));
}

void CudaKernels::run(const Convert& op) {
  const bool narrows = op.from.dtype() == DType::kF32;
  (narrows ? convert_of<float, BFloat16> : convert_of<BFloat16, float>)(device_, op);
}

}  // namespace bertha::ops
