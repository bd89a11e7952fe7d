#include <cstring>

#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"

namespace bertha::ops {
namespace {

constexpr int64_t kColumnGrain = 64;

int64_t checked_row(const int32_t* rows, int64_t i, int64_t count) {
  BERTHA_CHECK(rows[i] >= 0 && rows[i] < count, "row {} of {}", rows[i], count);
  return rows[i];
}

/// Each thread has columns of its own: rows that are named twice are added in order.
template <typename E>
void scatter_add(const GatherRowsBackward& op) {
  const int64_t columns = op.d_y.dim(1);
  const auto* const index = cpu::data<int32_t>(op.rows);
  const E* const from = cpu::data<E>(op.d_y);
  E* const to = cpu::data<E>(op.d_x);
  parallel_ranges(columns, kColumnGrain, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = 0; i < op.rows.size(); ++i) {
      const int64_t row = checked_row(index, i, op.d_x.tensor().dim(0));
      for (int64_t c = begin; c < end; ++c) {
        E& sum = to[row * columns + c];
        sum = E(static_cast<float>(sum) + static_cast<float>(from[i * columns + c]));
      }
    }
  });
}

}  // namespace

void CpuKernels::run(const GatherRows& op) {
  const auto* const index = cpu::data<int32_t>(op.rows);
  const auto* const from = static_cast<const std::byte*>(cpu::address(op.x));
  auto* const to = static_cast<std::byte*>(cpu::address(op.y.tensor()));
  const int64_t row_bytes = op.x.dim(1) * size_of(op.x.dtype());
  parallel_for(op.rows.size(), 16, [&](int64_t i) {
    const int64_t row = checked_row(index, i, op.x.dim(0));
    std::memcpy(to + i * row_bytes, from + row * row_bytes, static_cast<size_t>(row_bytes));
  });
}

void CpuKernels::run(const GatherRowsBackward& op) {
  (op.d_y.dtype() == DType::kF32 ? scatter_add<float> : scatter_add<BFloat16>)(op);
}

}  // namespace bertha::ops
