#include "ops/cpu/rows_cpu.h"

#include <cstring>

#include "backend/cpu/view.h"
#include "core/threads.h"

namespace bertha::ops {
namespace {

constexpr int64_t kColumnGrain = 64;

int64_t checked_row(const int32_t* rows, int64_t i, int64_t count) {
  BERTHA_CHECK(rows[i] >= 0 && rows[i] < count, "row {} of {}", rows[i], count);
  return rows[i];
}

/// Threads share the columns out: rows that are named twice are added in order.
template <typename E>
void scatter_add(const Tensor& d_y, const Tensor& rows, InOut d_x) {
  const int64_t columns = d_y.dim(1);
  const auto* const index = cpu::data<int32_t>(rows);
  const E* const from = cpu::data<E>(d_y);
  E* const to = cpu::data<E>(d_x);
  parallel_ranges(columns, kColumnGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = 0; i < rows.size(); ++i) {
      const int64_t row = checked_row(index, i, d_x.tensor().dim(0));
      for (int64_t c = begin; c < end; ++c) {
        E& sum = to[row * columns + c];
        sum = E(static_cast<float>(sum) + static_cast<float>(from[i * columns + c]));
      }
    }
  });
}

}  // namespace

void gather_rows_cpu(const Tensor& x, const Tensor& rows, Out y) {
  const auto* const index = cpu::data<int32_t>(rows);
  const auto* const from = static_cast<const std::byte*>(cpu::address(x));
  auto* const to = static_cast<std::byte*>(cpu::address(y.tensor()));
  const int64_t row_bytes = x.dim(1) * size_of(x.dtype());
  parallel_for(rows.size(), 16, [&](int64_t i) {
    const int64_t row = checked_row(index, i, x.dim(0));
    std::memcpy(to + i * row_bytes, from + row * row_bytes, static_cast<size_t>(row_bytes));
  });
}

void gather_rows_backward_cpu(const Tensor& d_y, const Tensor& rows, InOut d_x) {
  if (d_y.dtype() == DType::kF32) {
    scatter_add<float>(d_y, rows, d_x);
  } else {
    scatter_add<BFloat16>(d_y, rows, d_x);
  }
}

}  // namespace bertha::ops
