#include "ops/cpu/embedding_cpu.h"

#include <algorithm>

#include "backend/cpu/view.h"
#include "core/error.h"
#include "core/threads.h"
#include "ops/cpu/layer_norm_cpu.h"

namespace bertha::ops {
namespace {

/// Host addresses of EmbeddingIds.
struct Ids {
  explicit Ids(const EmbeddingIds& ids)
      : word(cpu::data<int32_t>(ids.word)),
        position(cpu::data<int32_t>(ids.position)),
        segment(cpu::data<int32_t>(ids.segment)) {}
  const int32_t* word;
  const int32_t* position;
  const int32_t* segment;
};

/// An id outside its table would read or write foreign memory.
void check_ids(const Tensor& ids, const Tensor& table, const char* what) {
  const auto* values = cpu::data<int32_t>(ids);
  int32_t least = 0;
  int32_t most = 0;
  for (int64_t t = 0; t < ids.size(); ++t) {
    least = std::min(least, values[t]);
    most = std::max(most, values[t]);
  }
  BERTHA_CHECK(least >= 0 && most < table.dim(0), "{} ids {} to {} for a table of {} rows", what,
               least, most, table.dim(0));
}

void check_ids(const EmbeddingIds& ids, const EmbeddingTables& tables) {
  check_ids(ids.word, tables.word, "word");
  check_ids(ids.position, tables.position, "position");
  check_ids(ids.segment, tables.segment, "segment");
}

template <typename T>
void forward_rows(const EmbeddingIds& operands, const EmbeddingTables& tables, const Tensor& gamma,
                  const Tensor& beta, float eps, const Dropout& dropout, Out z_operand, Out y,
                  Out mean, Out rstd) {
  const RowKernels<T>& kernels = row_kernels_of<T>();
  const Ids ids(operands);
  const auto* word = cpu::data<float>(tables.word);
  const auto* position = cpu::data<float>(tables.position);
  const auto* segment = cpu::data<float>(tables.segment);
  const int64_t columns = z_operand.tensor().dim(1);
  parallel_ranges(
      z_operand.tensor().dim(0), rows_per_range(columns), [&](int64_t begin, int64_t end, int) {
        RowMask mask(dropout, columns);
        for (int64_t t = begin; t < end; ++t) {
          T* z = static_cast<T*>(cpu::address(z_operand.tensor())) + t * columns;
          kernels.add_three(word + ids.word[t] * columns, position + ids.position[t] * columns,
                            segment + ids.segment[t] * columns, z, columns);
          kernels.normalise(z, cpu::data<float>(gamma), cpu::data<float>(beta), eps, mask.row(t),
                            {.y = static_cast<T*>(cpu::address(y.tensor())) + t * columns,
                             .mean = cpu::data<float>(mean) + t,
                             .rstd = cpu::data<float>(rstd) + t},
                            columns);
        }
      });
}

/// A thread owns columns, not rows: tokens of the same word meet in one thread, in token order,
/// however often a word occurs, so sums are the same for every thread count.
template <typename T>
void scatter(const EmbeddingIds& operands, const Tensor& d_operand,
             const EmbeddingTables& d_tables) {
  constexpr int64_t kGroup = 16;  // columns: a cache line of f32
  const auto accumulate = row_kernels_of<T>().accumulate;
  const Ids ids(operands);
  auto* word = cpu::data<float>(InOut(d_tables.word));
  auto* position = cpu::data<float>(InOut(d_tables.position));
  auto* segment = cpu::data<float>(InOut(d_tables.segment));
  const int64_t tokens = d_operand.dim(0);
  const int64_t columns = d_operand.dim(1);
  const int64_t groups = (columns + kGroup - 1) / kGroup;
  parallel_ranges(groups, 1, [&](int64_t begin, int64_t end, int) {
    const int64_t first = begin * kGroup;
    const int64_t count = std::min(end * kGroup, columns) - first;
    for (int64_t t = 0; t < tokens; ++t) {
      const T* d = static_cast<const T*>(cpu::address(d_operand)) + t * columns + first;
      accumulate(d, word + ids.word[t] * columns + first, count);
      accumulate(d, position + ids.position[t] * columns + first, count);
      accumulate(d, segment + ids.segment[t] * columns + first, count);
    }
  });
}

}  // namespace

void embedding_cpu(const EmbeddingIds& ids, const EmbeddingTables& tables, const Tensor& gamma,
                   const Tensor& beta, float eps, const Dropout& dropout, Out z, Out y, Out mean,
                   Out rstd) {
  check_ids(ids, tables);
  const auto rows =
      z.tensor().dtype() == DType::kF32 ? forward_rows<float> : forward_rows<uint16_t>;
  rows(ids, tables, gamma, beta, eps, dropout, z, y, mean, rstd);
}

void embedding_scatter_cpu(const EmbeddingIds& ids, const Tensor& d,
                           const EmbeddingTables& d_tables) {
  check_ids(ids, d_tables);
  const auto rows = d.dtype() == DType::kF32 ? scatter<float> : scatter<uint16_t>;
  rows(ids, d, d_tables);
}

}  // namespace bertha::ops
