#include "ops/cuda/rows_cuda.h"

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/cuda_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / cuda::kWarp;
/// Rows that a thread loads before it adds them: a word such as [MASK] names hundreds of rows, and
/// each load alone would wait for the one before.
constexpr int kLoads = 4;

template <typename E, int kPack>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(const E* x, const int32_t* rows, int columns, E* y) {
  const E* const from = x + int64_t{rows[blockIdx.x]} * columns;
  E* const to = y + int64_t{blockIdx.x} * columns;
  for (int c = static_cast<int>(threadIdx.x) * kPack; c < columns; c += kThreads * kPack) {
    float values[kPack];
    cuda::load(from + c, values);
    cuda::store(to + c, values);
  }
}

/// Adds row i of d to `values`, for the rows i of 32 that `bits` names, lowest first.
template <typename From, int kPack>
__device__ void add_rows(unsigned bits, const From* d, int64_t first, int columns,
                         float (&values)[kPack]) {
  while (bits != 0) {
    const int count = min(__popc(bits), kLoads);
    float of_row[kLoads][kPack] = {};
#pragma unroll
    for (int j = 0; j < kLoads; ++j) {
      if (j >= count) continue;
      cuda::load(d + (first + __ffs(bits) - 1) * columns, of_row[j]);
      bits &= bits - 1;
    }
#pragma unroll
    for (int j = 0; j < kLoads; ++j) {
      if (j >= count) continue;
      for (int i = 0; i < kPack; ++i) values[i] += of_row[j][i];
    }
  }
}

/// Block (i, j): if rows[i] is named for the first time at i, columns j of all i that name it are
/// summed in order and added to `to`. Each row of `to` has one writer: no atomics, one result.
template <typename From, typename To, int kPack>
__global__ void __launch_bounds__(kThreads)
    scatter_kernel(const From* d, const int32_t* rows, int count, int columns, To* to) {
  __shared__ unsigned named[kWarps];
  const int thread = static_cast<int>(threadIdx.x);
  const int first = static_cast<int>(blockIdx.x);
  const int32_t own = rows[first];
  bool earlier = false;
  for (int i = thread; i < first; i += kThreads) earlier = earlier || rows[i] == own;
  if (__syncthreads_or(static_cast<int>(earlier)) != 0) return;

  const int column = (static_cast<int>(blockIdx.y) * kThreads + thread) * kPack;
  float values[kPack] = {};
  for (int begin = first; begin < count; begin += kThreads) {
    const int i = begin + thread;
    const unsigned bits =
        __ballot_sync(cuda::kAllLanes, static_cast<int>(i < count && rows[i] == own));
    __syncthreads();  // the words of the last turn may still be read
    if (thread % cuda::kWarp == 0) named[thread / cuda::kWarp] = bits;
    __syncthreads();
    if (column >= columns) continue;
    for (int warp = 0; warp < kWarps; ++warp) {
      add_rows(named[warp], d + column, begin + warp * cuda::kWarp, columns, values);
    }
  }
  if (column >= columns) return;
  float sum[kPack];
  To* const target = to + int64_t{own} * columns + column;
  cuda::load(target, sum);
  for (int i = 0; i < kPack; ++i) sum[i] += values[i];
  cuda::store(target, sum);
}

template <typename E, int kPack>
void gather(const cuda::CudaDevice& device, const GatherRows& op) {
  cuda::launch(device,
               {.name = "gather_rows",
                .blocks = {static_cast<unsigned>(op.rows.size())},
                .threads = {kThreads}},
               gather_kernel<E, kPack>, cuda::data<E>(op.x), cuda::data<int32_t>(op.rows),
               op.x.dim(1), cuda::data<E>(op.y));
}

template <typename E>
void gather_of(const cuda::CudaDevice& device, const GatherRows& op) {
  const bool packs = op.x.dim(1) % cuda::kElementPack == 0;
  (packs ? gather<E, cuda::kElementPack> : gather<E, 1>)(device, op);
}

template <typename From, typename To, int kPack>
void scatter(const cuda::CudaDevice& device, const Tensor& d, const Tensor& rows, InOut to) {
  const int64_t columns = d.dim(1);
  cuda::launch(device,
               {.name = "scatter_rows",
                .blocks = {static_cast<unsigned>(rows.size()),
                           cuda::blocks_for(columns, int64_t{kThreads} * kPack)},
                .threads = {kThreads}},
               scatter_kernel<From, To, kPack>, cuda::data<From>(d), cuda::data<int32_t>(rows),
               rows.size(), columns, cuda::data<To>(to));
}

template <typename From, typename To>
void scatter_of(const cuda::CudaDevice& device, const Tensor& d, const Tensor& rows, InOut to) {
  const bool packs = d.dim(1) % cuda::kElementPack == 0;
  (packs ? scatter<From, To, cuda::kElementPack> : scatter<From, To, 1>)(device, d, rows, to);
}

}  // namespace

void scatter_rows_cuda(const cuda::CudaDevice& device, const Tensor& d, const Tensor& rows,
                       InOut to) {
  const bool wide = to.tensor().dtype() == DType::kF32;
  if (d.dtype() == DType::kF32) {
    BERTHA_CHECK(wide);
    scatter_of<float, float>(device, d, rows, to);
  } else {
    (wide ? scatter_of<BFloat16, float> : scatter_of<BFloat16, BFloat16>)(device, d, rows, to);
  }
}

void CudaKernels::run(const GatherRows& op) {
  (op.x.dtype() == DType::kF32 ? gather_of<float> : gather_of<BFloat16>)(device_, op);
}

void CudaKernels::run(const GatherRowsBackward& op) {
  scatter_rows_cuda(device_, op.d_y, op.rows, op.d_x);
}

}  // namespace bertha::ops
