// Attention on CUDA for every dtype and head size: a warp takes a row of a head, its lanes take 32
// keys (or queries) at a time for the scores and the columns of the head for the sums. bf16 with
// head size 64 goes to attention_mma_cuda.cu.

#include <cmath>

#include "ops/cuda/attention_arguments_cuda.h"
#include "ops/cuda/cuda_kernels.h"
#include "ops/cuda/fused_attention_cuda.h"

namespace bertha::ops {
namespace {

using cuda::kWarp;

constexpr int kWarpsInBlock = 4;

/// What a warp works on, and its part of the shared memory.
struct WarpWork {
  int row;
  int head;
  int lane;
  bool active;  ///< false: past the last row
};

template <typename E>
__device__ WarpWork warp_work(const AttentionArguments<E>& a) {
  const int64_t item = int64_t{blockIdx.x} * kWarpsInBlock + static_cast<int>(threadIdx.x) / kWarp;
  return {.row = static_cast<int>(item / a.heads),
          .head = static_cast<int>(item % a.heads),
          .lane = static_cast<int>(threadIdx.x) % kWarp,
          .active = item < int64_t{a.tokens} * a.heads};
}

/// `vectors` of D floats, then `words` of 32 for each warp of the block.
template <typename E>
__device__ float* warp_memory(const AttentionArguments<E>& a, int vectors, int words) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  return cuda::dynamic_shared<float>() + warp * (vectors * a.head_size + words * kWarp);
}

/// Query (part 0), key (1) or value (2) of a row.
template <typename E>
__device__ const E* part_of(const AttentionArguments<E>& a, int row, int part, int head) {
  return a.qkv + int64_t{row} * 3 * a.hidden() + part * a.hidden() + head * a.head_size;
}
template <typename E>
__device__ E* d_part_of(const AttentionArguments<E>& a, int row, int part, int head) {
  return a.d_qkv + int64_t{row} * 3 * a.hidden() + part * a.hidden() + head * a.head_size;
}
template <typename E>
__device__ int64_t head_of(const AttentionArguments<E>& a, int row, int head) {
  return int64_t{row} * a.hidden() + head * a.head_size;
}

template <typename E>
__device__ void copy_vector(const E* from, int size, int lane, float* to) {
  for (int d = lane; d < size; d += kWarp) to[d] = cuda::widen(from[d]);
}
template <typename E>
__device__ void write_vector(const float* from, float factor, int size, int lane, E* to) {
  for (int d = lane; d < size; d += kWarp) to[d] = cuda::narrow<E>(from[d] * factor);
}
__device__ void clear_vector(int size, int lane, float* to) {
  for (int d = lane; d < size; d += kWarp) to[d] = 0;
}
template <typename E>
__device__ float dot(const float* a, const E* b, int size) {
  float sum = 0;
  for (int d = 0; d < size; ++d) sum += a[d] * cuda::widen(b[d]);
  return sum;
}
/// sums[d] = sums[d] keep + Σ weights[j] rows[j][d] over `count` rows that lie `stride` apart.
template <typename E>
__device__ void add_rows(const float* weights, const E* rows, int64_t stride, int count, int size,
                         int lane, float keep, float* sums) {
  for (int d = lane; d < size; d += kWarp) {
    float sum = sums[d] * keep;
    for (int j = 0; j < count; ++j) sum += weights[j] * cuda::widen(rows[j * stride + d]);
    sums[d] = sum;
  }
}

/// What dropout multiplies a probability by.
template <typename E>
__device__ float kept(const AttentionArguments<E>& a, int row, int head, int key) {
  if (a.dropout.seed == nullptr) return 1;
  return (keep_bits(a.dropout, a.element(row, head, key)) & 1U) != 0 ? a.dropout.scale : 0.0F;
}

template <typename E>
__global__ void forward_kernel(AttentionArguments<E> a) {
  const WarpWork w = warp_work(a);
  if (!w.active) return;
  float* const q = warp_memory(a, 2, 1);
  float* const sums = q + a.head_size;
  float* const weights = sums + a.head_size;
  const RowRange sequence = sequence_of(a.seq_start, a.sequences, w.row);
  copy_vector(part_of(a, w.row, 0, w.head), a.head_size, w.lane, q);
  clear_vector(a.head_size, w.lane, sums);
  __syncwarp();
  float most = -INFINITY;
  float total = 0;
  for (int base = sequence.begin; base < sequence.end; base += kWarp) {
    const int key = base + w.lane;
    const bool inside = key < sequence.end;
    const float score =
        inside ? dot(q, part_of(a, key, 1, w.head), a.head_size) * a.scale : -INFINITY;
    const float larger = fmaxf(most, cuda::warp_reduce(score, cuda::Larger()));
    const float p = inside ? expf(score - larger) : 0.0F;
    const float keep = expf(most - larger);
    most = larger;
    total = total * keep + cuda::warp_reduce(p, cuda::Sum());
    weights[w.lane] = inside ? p * kept(a, w.row, w.head, key - sequence.begin) : 0.0F;
    __syncwarp();
    const int count = min(kWarp, sequence.end - base);
    add_rows(weights, part_of(a, base, 2, w.head), int64_t{3} * a.hidden(), count, a.head_size,
             w.lane, keep, sums);
    __syncwarp();
  }
  const bool none = sequence.begin == sequence.end;
  write_vector(sums, none ? 0.0F : 1 / total, a.head_size, w.lane, a.y + head_of(a, w.row, w.head));
  if (w.lane == 0) a.lse[int64_t{w.row} * a.heads + w.head] = none ? 0.0F : most + logf(total);
}

template <typename E>
__global__ void delta_kernel(AttentionArguments<E> a) {
  const WarpWork w = warp_work(a);
  if (!w.active) return;
  const E* const y = a.y + head_of(a, w.row, w.head);
  const E* const d_y = a.d_y + head_of(a, w.row, w.head);
  float sum = 0;
  for (int d = w.lane; d < a.head_size; d += kWarp) sum += cuda::widen(y[d]) * cuda::widen(d_y[d]);
  sum = cuda::warp_reduce(sum, cuda::Sum());
  if (w.lane == 0) a.delta[int64_t{w.row} * a.heads + w.head] = sum;
}

/// The gradient of a query: Σ d_score key.
template <typename E>
__global__ void query_kernel(AttentionArguments<E> a) {
  const WarpWork w = warp_work(a);
  if (!w.active) return;
  float* const q = warp_memory(a, 3, 1);
  float* const d_y = q + a.head_size;
  float* const sums = d_y + a.head_size;
  float* const weights = sums + a.head_size;
  const RowRange sequence = sequence_of(a.seq_start, a.sequences, w.row);
  copy_vector(part_of(a, w.row, 0, w.head), a.head_size, w.lane, q);
  copy_vector(a.d_y + head_of(a, w.row, w.head), a.head_size, w.lane, d_y);
  clear_vector(a.head_size, w.lane, sums);
  __syncwarp();
  const float lse = a.lse[int64_t{w.row} * a.heads + w.head];
  const float delta = a.delta[int64_t{w.row} * a.heads + w.head];
  for (int base = sequence.begin; base < sequence.end; base += kWarp) {
    const int key = base + w.lane;
    float d_score = 0;
    if (key < sequence.end) {
      const float p = expf(dot(q, part_of(a, key, 1, w.head), a.head_size) * a.scale - lse);
      const float d_p = dot(d_y, part_of(a, key, 2, w.head), a.head_size) *
                        kept(a, w.row, w.head, key - sequence.begin);
      d_score = p * (d_p - delta);
    }
    weights[w.lane] = d_score;
    __syncwarp();
    add_rows(weights, part_of(a, base, 1, w.head), int64_t{3} * a.hidden(),
             min(kWarp, sequence.end - base), a.head_size, w.lane, 1, sums);
    __syncwarp();
  }
  write_vector(sums, a.scale, a.head_size, w.lane, d_part_of(a, w.row, 0, w.head));
}

/// The gradients of a key, Σ d_score query, and of a value, Σ p d_y, over the queries.
template <typename E>
__global__ void key_value_kernel(AttentionArguments<E> a) {
  const WarpWork w = warp_work(a);
  if (!w.active) return;
  float* const k = warp_memory(a, 4, 2);
  float* const v = k + a.head_size;
  float* const d_k = v + a.head_size;
  float* const d_v = d_k + a.head_size;
  float* const d_scores = d_v + a.head_size;
  float* const weights = d_scores + kWarp;
  const RowRange sequence = sequence_of(a.seq_start, a.sequences, w.row);
  copy_vector(part_of(a, w.row, 1, w.head), a.head_size, w.lane, k);
  copy_vector(part_of(a, w.row, 2, w.head), a.head_size, w.lane, v);
  clear_vector(a.head_size, w.lane, d_k);
  clear_vector(a.head_size, w.lane, d_v);
  __syncwarp();
  for (int base = sequence.begin; base < sequence.end; base += kWarp) {
    const int query = base + w.lane;
    float p = 0;
    float keep = 0;
    float d_score = 0;
    if (query < sequence.end) {
      const int64_t at = int64_t{query} * a.heads + w.head;
      p = expf(dot(k, part_of(a, query, 0, w.head), a.head_size) * a.scale - a.lse[at]);
      keep = kept(a, query, w.head, w.row - sequence.begin);
      const float d_p = dot(v, a.d_y + head_of(a, query, w.head), a.head_size) * keep;
      d_score = p * (d_p - a.delta[at]);
    }
    d_scores[w.lane] = d_score;
    weights[w.lane] = p * keep;
    __syncwarp();
    const int count = min(kWarp, sequence.end - base);
    add_rows(d_scores, part_of(a, base, 0, w.head), int64_t{3} * a.hidden(), count, a.head_size,
             w.lane, 1, d_k);
    add_rows(weights, a.d_y + head_of(a, base, w.head), int64_t{a.hidden()}, count, a.head_size,
             w.lane, 1, d_v);
    __syncwarp();
  }
  write_vector(d_k, a.scale, a.head_size, w.lane, d_part_of(a, w.row, 1, w.head));
  write_vector(d_v, 1, a.head_size, w.lane, d_part_of(a, w.row, 2, w.head));
}

/// One warp a row and head; shared memory for `vectors` of D and `words` of 32 floats a warp.
template <typename E>
cuda::Grid warp_grid(const char* name, const AttentionArguments<E>& a, int vectors, int words) {
  const int64_t floats = int64_t{vectors} * a.head_size + words * kWarp;
  return {.name = name,
          .blocks = {cuda::blocks_for(int64_t{a.tokens} * a.heads, kWarpsInBlock)},
          .threads = {kWarpsInBlock * kWarp},
          .shared_bytes = kWarpsInBlock * floats * int64_t{sizeof(float)}};
}

/// The operands that both passes have.
template <typename E, typename Op>
AttentionArguments<E> shared_arguments(const Op& op) {
  const int64_t head_size = op.qkv.dim(1) / (3 * op.shape.heads);
  return {.qkv = cuda::data<E>(op.qkv),
          .seq_start = cuda::data<int32_t>(op.seq_start),
          .dropout = dropout_arguments(op.dropout),
          .y = nullptr,
          .lse = nullptr,
          .d_y = nullptr,
          .delta = nullptr,
          .d_qkv = nullptr,
          .kept = nullptr,
          .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(head_size))),
          .tokens = static_cast<int>(op.qkv.dim(0)),
          .sequences = static_cast<int>(op.seq_start.dim(0) - 1),
          .heads = static_cast<int>(op.shape.heads),
          .head_size = static_cast<int>(head_size),
          .max_length = static_cast<int>(op.shape.max_length)};
}

uint32_t* kept_words(const Out& kept) {
  return reinterpret_cast<uint32_t*>(cuda::data<int32_t>(kept));
}

template <typename E>
AttentionArguments<E> arguments_of(const Attention& op) {
  AttentionArguments<E> a = shared_arguments<E>(op);
  a.y = cuda::data<E>(op.y);
  a.lse = cuda::data<float>(op.lse);
  a.kept = kept_words(op.kept);
  return a;
}

template <typename E>
AttentionArguments<E> arguments_of(const AttentionBackward& op, const Tensor& delta) {
  AttentionArguments<E> a = shared_arguments<E>(op);
  a.y = cuda::data<E>(Out(op.y));
  a.lse = cuda::data<float>(Out(op.lse));
  a.d_y = cuda::data<E>(op.d_y);
  a.d_qkv = cuda::data<E>(op.d_qkv);
  a.delta = cuda::data<float>(Out(delta));
  a.kept = kept_words(Out(op.kept));
  return a;
}

}  // namespace

template <typename E>
void attention_any(const cuda::CudaDevice& device, const AttentionArguments<E>& arguments) {
  cuda::launch(device, warp_grid("attention", arguments, 2, 1), forward_kernel<E>, arguments);
}

template <typename E>
void attention_backward_any(const cuda::CudaDevice& device,
                            const AttentionArguments<E>& arguments) {
  cuda::launch(device, warp_grid("attention_delta", arguments, 0, 0), delta_kernel<E>, arguments);
  cuda::launch(device, warp_grid("attention_d_query", arguments, 3, 1), query_kernel<E>, arguments);
  cuda::launch(device, warp_grid("attention_d_key_value", arguments, 4, 2), key_value_kernel<E>,
               arguments);
}

void CudaKernels::run(const Attention& op) {
  if (op.qkv.dtype() == DType::kF32) return attention_any(device_, arguments_of<float>(op));
  const auto own = [&] {
    const auto arguments = arguments_of<BFloat16>(op);
    const bool fits = arguments.head_size == kTensorCoreHeadSize;
    (fits ? attention_tensor_cores : attention_any<BFloat16>)(device_, arguments);
  };
  if (!run_fused_attention(device_, op, own)) own();
}

void CudaKernels::run(const AttentionBackward& op, const Scratch& scratch) {
  const Tensor& delta = scratch.values;
  if (op.qkv.dtype() == DType::kF32) {
    return attention_backward_any(device_, arguments_of<float>(op, delta));
  }
  const auto arguments = arguments_of<BFloat16>(op, delta);
  const bool fits = arguments.head_size == kTensorCoreHeadSize;
  (fits ? attention_backward_tensor_cores : attention_backward_any<BFloat16>)(device_, arguments);
}

}  // namespace bertha::ops
