#include "ops/cpu/layer_norm_cpu.h"

#include <algorithm>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"
#include "ops/partial_sums.h"

namespace bertha::ops {
namespace {

template <typename T>
T* elements(const Tensor& tensor) {
  return static_cast<T*>(cpu::address(tensor));
}

template <typename T>
void forward_rows(const LayerNorm& op) {
  const RowKernels<T>& kernels = row_kernels_of<T>();
  const int64_t columns = op.z.tensor().dim(1);
  T* z = elements<T>(op.z.tensor());
  const bool changes_z = !op.residual.empty() || op.dropout.active();
  parallel_ranges(
      op.z.tensor().dim(0), rows_per_range(columns), [&](int64_t begin, int64_t end, int64_t) {
        RowMask mask(op.dropout, columns);
        for (int64_t r = begin; r < end; ++r) {
          const int64_t at = r * columns;
          if (changes_z) {
            const T* other = op.residual.empty() ? nullptr : elements<T>(op.residual) + at;
            kernels.add_residual(z + at, other, mask.row(r), columns);
          }
          kernels.normalise(z + at, cpu::data<float>(op.gamma), cpu::data<float>(op.beta), op.eps,
                            {},
                            {.y = elements<T>(op.y.tensor()) + at,
                             .mean = cpu::data<float>(op.mean) + r,
                             .rstd = cpu::data<float>(op.rstd) + r},
                            columns);
        }
      });
}

/// Rows [begin, end); sums of the gradients of gamma and beta go to partial [2, H].
template <typename T>
void backward_rows(const LayerNormBackward& op, const Dropout& after, int64_t begin, int64_t end,
                   float* partial) {
  const RowKernels<T>& kernels = row_kernels_of<T>();
  const int64_t columns = op.z.dim(1);
  T* d = elements<T>(op.d.tensor());
  T* d_x = elements<T>(op.d_x.tensor());
  RowMask mask_after(after, columns);
  RowMask mask(op.dropout, columns);
  std::fill_n(partial, 2 * columns, 0.0F);
  for (int64_t r = begin; r < end; ++r) {
    const int64_t at = r * columns;
    if (after.active()) kernels.add_residual(d + at, nullptr, mask_after.row(r), columns);
    kernels.backward({.z = elements<T>(op.z) + at,
                      .mean = cpu::data<float>(op.mean)[r],
                      .rstd = cpu::data<float>(op.rstd)[r],
                      .gamma = cpu::data<float>(op.gamma),
                      .d = d + at,
                      .d_x = d_x == nullptr ? nullptr : d_x + at,
                      .dropout = mask.row(r),
                      .d_gamma = partial,
                      .d_beta = partial + columns},
                     columns);
  }
}

/// Adds the blocks' partial sums, in order, to the gradients of gamma and beta.
void add_partials(const LayerNormBackward& op, float* partials, int64_t blocks) {
  const int64_t columns = op.z.dim(1);
  const auto accumulate = row_kernels_of<float>().accumulate;
  const auto add_columns = [&](float* sums, float* to, int64_t begin, int64_t count) {
    for (int64_t b = 1; b < blocks; ++b) {
      accumulate(sums + b * 2 * columns + begin, sums + begin, count);
    }
    accumulate(sums + begin, to + begin, count);
  };
  parallel_ranges(columns, 128, [&](int64_t begin, int64_t end, int64_t) {
    add_columns(partials, cpu::data<float>(op.d_gamma), begin, end - begin);
    add_columns(partials + columns, cpu::data<float>(op.d_beta), begin, end - begin);
  });
}

}  // namespace

const LayerNormKernels& layer_norm_kernels() {
  return cpu::best_isa() >= cpu::Isa::kAvx512 ? kLayerNormAvx512 : kLayerNormAvx2;
}

void CpuKernels::run(const LayerNorm& op) {
  const bool wide = op.z.tensor().dtype() == DType::kF32;
  (wide ? forward_rows<float> : forward_rows<uint16_t>)(op);
}

void layer_norm_backward_cpu(const LayerNormBackward& op, const Dropout& after,
                             const Tensor& partials) {
  const auto some_rows =
      op.z.dtype() == DType::kF32 ? backward_rows<float> : backward_rows<uint16_t>;
  const int64_t rows = op.z.dim(0);
  const int64_t columns = op.z.dim(1);
  const int64_t blocks = partial_blocks(rows);
  auto* sums = elements<float>(partials);
  parallel_for(
      blocks, std::max<int64_t>(1, blocks * rows_per_range(columns) / std::max<int64_t>(rows, 1)),
      [&](int64_t b) {
        some_rows(op, after, rows * b / blocks, rows * (b + 1) / blocks, sums + b * 2 * columns);
      });
  add_partials(op, sums, blocks);
}

void CpuKernels::run(const LayerNormBackward& op, const Scratch& scratch) {
  layer_norm_backward_cpu(op, {}, scratch.values);
}

}  // namespace bertha::ops
