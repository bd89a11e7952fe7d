#include "ops/cpu/layer_norm_cpu.h"

#include <algorithm>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/view.h"
#include "core/threads.h"

namespace bertha::ops {
namespace {

template <typename T>
T* elements(const Tensor& tensor) {
  return static_cast<T*>(cpu::address(tensor));
}

template <typename T>
void forward_rows(InOut z_operand, const Tensor& residual, const Tensor& gamma, const Tensor& beta,
                  float eps, const Dropout& dropout, Out y, Out mean, Out rstd) {
  const RowKernels<T>& kernels = row_kernels_of<T>();
  const int64_t columns = z_operand.tensor().dim(1);
  T* z = elements<T>(z_operand.tensor());
  const bool changes_z = !residual.empty() || dropout.active();
  parallel_ranges(
      z_operand.tensor().dim(0), rows_per_range(columns), [&](int64_t begin, int64_t end, int) {
        RowMask mask(dropout, columns);
        for (int64_t r = begin; r < end; ++r) {
          const int64_t at = r * columns;
          if (changes_z) {
            const T* other = residual.empty() ? nullptr : elements<T>(residual) + at;
            kernels.add_residual(z + at, other, mask.row(r), columns);
          }
          kernels.normalise(z + at, cpu::data<float>(gamma), cpu::data<float>(beta), eps, {},
                            {.y = elements<T>(y.tensor()) + at,
                             .mean = cpu::data<float>(mean) + r,
                             .rstd = cpu::data<float>(rstd) + r},
                            columns);
        }
      });
}

/// Rows [begin, end); sums of the gradients of gamma and beta go to partial [2, H].
template <typename T>
void backward_rows(const LayerNormGradient& operands, int64_t begin, int64_t end, float* partial) {
  const RowKernels<T>& kernels = row_kernels_of<T>();
  const int64_t columns = operands.z.dim(1);
  T* d = elements<T>(operands.d.tensor());
  T* d_x = elements<T>(operands.d_x.tensor());
  RowMask after(operands.after, columns);
  RowMask before(operands.before, columns);
  std::fill_n(partial, 2 * columns, 0.0F);
  for (int64_t r = begin; r < end; ++r) {
    const int64_t at = r * columns;
    if (operands.after.active()) kernels.add_residual(d + at, nullptr, after.row(r), columns);
    kernels.backward({.z = elements<T>(operands.z) + at,
                      .mean = cpu::data<float>(operands.mean)[r],
                      .rstd = cpu::data<float>(operands.rstd)[r],
                      .gamma = cpu::data<float>(operands.gamma),
                      .d = d + at,
                      .d_x = d_x == nullptr ? nullptr : d_x + at,
                      .dropout = before.row(r),
                      .d_gamma = partial,
                      .d_beta = partial + columns},
                     columns);
  }
}

/// Adds the blocks' partial sums, in order, to the gradients of gamma and beta.
void add_partials(const LayerNormGradient& operands, float* partials, int64_t blocks) {
  const int64_t columns = operands.z.dim(1);
  const auto accumulate = row_kernels_of<float>().accumulate;
  const auto add_columns = [&](float* sums, float* to, int64_t begin, int64_t count) {
    for (int64_t b = 1; b < blocks; ++b) {
      accumulate(sums + b * 2 * columns + begin, sums + begin, count);
    }
    accumulate(sums + begin, to + begin, count);
  };
  parallel_ranges(columns, 128, [&](int64_t begin, int64_t end, int) {
    add_columns(partials, cpu::data<float>(operands.d_gamma), begin, end - begin);
    add_columns(partials + columns, cpu::data<float>(operands.d_beta), begin, end - begin);
  });
}

}  // namespace

const LayerNormKernels& layer_norm_kernels() {
  return cpu::best_isa() >= cpu::Isa::kAvx512 ? kLayerNormAvx512 : kLayerNormAvx2;
}

int64_t gradient_blocks(int64_t rows) {
  constexpr int64_t kRowsAtLeast = 32;
  constexpr int64_t kMost = 256;
  return std::clamp<int64_t>(rows / kRowsAtLeast, 1, kMost);
}

Shape gradient_partials(int64_t rows, int64_t columns) {
  return {gradient_blocks(rows), 2, columns};
}

void layer_norm_cpu(InOut z, const Tensor& residual, const Tensor& gamma, const Tensor& beta,
                    float eps, const Dropout& dropout, Out y, Out mean, Out rstd) {
  const auto rows =
      z.tensor().dtype() == DType::kF32 ? forward_rows<float> : forward_rows<uint16_t>;
  rows(z, residual, gamma, beta, eps, dropout, y, mean, rstd);
}

void layer_norm_backward_cpu(const LayerNormGradient& operands) {
  const auto some_rows =
      operands.z.dtype() == DType::kF32 ? backward_rows<float> : backward_rows<uint16_t>;
  const int64_t rows = operands.z.dim(0);
  const int64_t columns = operands.z.dim(1);
  const int64_t blocks = gradient_blocks(rows);
  auto* partials = elements<float>(operands.partials);
  parallel_for(
      blocks, std::max<int64_t>(1, blocks * rows_per_range(columns) / std::max<int64_t>(rows, 1)),
      [&](int64_t b) {
        some_rows(operands, rows * b / blocks, rows * (b + 1) / blocks, partials + b * 2 * columns);
      });
  add_partials(operands, partials, blocks);
}

}  // namespace bertha::ops
