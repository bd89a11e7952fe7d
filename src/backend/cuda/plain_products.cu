#include "backend/cuda/plain_products.h"

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"

namespace bertha::cuda {
namespace {

constexpr int kSide = 16;  ///< of the tiles that a block keeps in shared memory
constexpr int kThreads = 256;

template <typename In>
struct FactorView {
  const In* values;
  int64_t row_stride;
  int64_t column_stride;

  __device__ float at(int64_t row, int64_t column) const {
    return widen(values[row * row_stride + column * column_stride]);
  }
};

template <typename In, typename Result>
struct ProductArguments {
  FactorView<In> a;
  FactorView<In> b;
  Result* c;
  int64_t rows;
  int64_t columns;
  int64_t depth;
  bool add;
};

template <typename In, typename Result>
__global__ void __launch_bounds__(kSide* kSide)
    product_kernel(ProductArguments<In, Result> arguments) {
  __shared__ float a[kSide][kSide];
  __shared__ float b[kSide][kSide + 1];
  const auto x = static_cast<int>(threadIdx.x);
  const auto y = static_cast<int>(threadIdx.y);
  const int64_t row = int64_t{blockIdx.x} * kSide + y;
  const int64_t column = int64_t{blockIdx.y} * kSide + x;
  float sum = 0;
  for (int64_t begin = 0; begin < arguments.depth; begin += kSide) {
    const bool has_a = row < arguments.rows && begin + x < arguments.depth;
    const bool has_b = column < arguments.columns && begin + y < arguments.depth;
    __syncthreads();  // the tiles of the last turn may still be read
    a[y][x] = has_a ? arguments.a.at(row, begin + x) : 0.0F;
    b[y][x] = has_b ? arguments.b.at(begin + y, column) : 0.0F;
    __syncthreads();
    for (int k = 0; k < kSide; ++k) sum += a[y][k] * b[k][x];
  }
  if (row >= arguments.rows || column >= arguments.columns) return;
  Result& result = arguments.c[row * arguments.columns + column];
  result = narrow<Result>(arguments.add ? widen(result) + sum : sum);
}

template <typename E>
__global__ void __launch_bounds__(kThreads)
    add_to_rows_kernel(const E* bias, E* y, int64_t size, int64_t columns) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < size) y[i] = narrow<E>(widen(y[i]) + widen(bias[i % columns]));
}

template <typename In, typename Result>
void product_of(const CudaDevice& device, const Factor& a, const Factor& b, int64_t depth, bool add,
                InOut c) {
  const auto view = [](const Factor& f) {
    return FactorView<In>{data<In>(f.values), f.row_stride, f.column_stride};
  };
  const int64_t rows = c.tensor().dim(0);
  const int64_t columns = c.tensor().dim(1);
  launch(device,
         {.name = "plain_product",
          .blocks = {blocks_for(rows, kSide), blocks_for(columns, kSide)},
          .threads = {kSide, kSide}},
         product_kernel<In, Result>,
         ProductArguments<In, Result>{.a = view(a),
                                      .b = view(b),
                                      .c = data<Result>(c),
                                      .rows = rows,
                                      .columns = columns,
                                      .depth = depth,
                                      .add = add});
}

template <typename E>
void add_to_rows_of(const CudaDevice& device, const Tensor& bias, InOut y) {
  const int64_t size = y.tensor().size();
  launch(device,
         {.name = "add_to_rows", .blocks = {blocks_for(size, kThreads)}, .threads = {kThreads}},
         add_to_rows_kernel<E>, data<E>(bias), data<E>(y), size, y.tensor().dim(1));
}

}  // namespace

Factor factor(const Tensor& matrix) {
  return {.values = matrix, .row_stride = matrix.dim(1), .column_stride = 1};
}

Factor transposed(const Tensor& matrix) {
  return {.values = matrix, .row_stride = 1, .column_stride = matrix.dim(1)};
}

void plain_product(const CudaDevice& device, const Factor& a, const Factor& b, int64_t depth,
                   bool add, InOut c) {
  if (a.values.dtype() == DType::kF32) {
    return product_of<float, float>(device, a, b, depth, add, c);
  }
  const bool wide = c.tensor().dtype() == DType::kF32;
  (wide ? product_of<BFloat16, float> : product_of<BFloat16, BFloat16>)(device, a, b, depth, add,
                                                                        c);
}

void add_to_rows(const CudaDevice& device, const Tensor& bias, InOut y) {
  (y.tensor().dtype() == DType::kF32 ? add_to_rows_of<float> : add_to_rows_of<BFloat16>)(device,
                                                                                         bias, y);
}

}  // namespace bertha::cuda
