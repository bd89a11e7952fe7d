#include <algorithm>

#include "backend/cpu/cpu_view.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"
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

void check_ids(const EmbeddingIds& ids, const Tensor& word, const Tensor& position,
               const Tensor& segment) {
  check_ids(ids.word, word, "word");
  check_ids(ids.position, position, "position");
  check_ids(ids.segment, segment, "segment");
}

template <typename T>
void forward_rows(const Embedding& op) {
  const RowKernels<T>& kernels = row_kernels_of<T>();
  const Ids ids(op.ids);
  const auto* word = cpu::data<float>(op.tables.word);
  const auto* position = cpu::data<float>(op.tables.position);
  const auto* segment = cpu::data<float>(op.tables.segment);
  const int64_t columns = op.z.tensor().dim(1);
  parallel_ranges(
      op.z.tensor().dim(0), rows_per_range(columns), [&](int64_t begin, int64_t end, int64_t) {
        RowMask mask(op.dropout, columns);
        for (int64_t t = begin; t < end; ++t) {
          T* z = static_cast<T*>(cpu::address(op.z.tensor())) + t * columns;
          kernels.add_three(word + ids.word[t] * columns, position + ids.position[t] * columns,
                            segment + ids.segment[t] * columns, z, columns);
          kernels.normalise(z, cpu::data<float>(op.gamma), cpu::data<float>(op.beta), op.eps,
                            mask.row(t),
                            {.y = static_cast<T*>(cpu::address(op.y.tensor())) + t * columns,
                             .mean = cpu::data<float>(op.mean) + t,
                             .rstd = cpu::data<float>(op.rstd) + t},
                            columns);
        }
      });
}

/// A thread owns columns, not rows: tokens of the same word meet in one thread, in token order,
/// however often a word occurs, so sums are the same for every thread count.
template <typename T>
void scatter(const EmbeddingBackward& op) {
  constexpr int64_t kGroup = 16;  // columns: a cache line of f32
  const auto accumulate = row_kernels_of<T>().accumulate;
  const Ids ids(op.ids);
  auto* word = cpu::data<float>(op.d_tables.word);
  auto* position = cpu::data<float>(op.d_tables.position);
  auto* segment = cpu::data<float>(op.d_tables.segment);
  const Tensor& rows = op.d.tensor();
  const int64_t tokens = rows.dim(0);
  const int64_t columns = rows.dim(1);
  const int64_t groups = (columns + kGroup - 1) / kGroup;
  parallel_ranges(groups, 1, [&](int64_t begin, int64_t end, int64_t) {
    const int64_t first = begin * kGroup;
    const int64_t count = std::min(end * kGroup, columns) - first;
    for (int64_t t = 0; t < tokens; ++t) {
      const T* d = static_cast<const T*>(cpu::address(rows)) + t * columns + first;
      accumulate(d, word + ids.word[t] * columns + first, count);
      accumulate(d, position + ids.position[t] * columns + first, count);
      accumulate(d, segment + ids.segment[t] * columns + first, count);
    }
  });
}

}  // namespace

void CpuKernels::run(const Embedding& op) {
  check_ids(op.ids, op.tables.word, op.tables.position, op.tables.segment);
  const bool wide = op.z.tensor().dtype() == DType::kF32;
  (wide ? forward_rows<float> : forward_rows<uint16_t>)(op);
}

void CpuKernels::run(const EmbeddingBackward& op, const Scratch& scratch) {
  check_ids(op.ids, op.d_tables.word.tensor(), op.d_tables.position.tensor(),
            op.d_tables.segment.tensor());
  const LayerNormBackward norm = {.z = op.z,
                                  .mean = op.mean,
                                  .rstd = op.rstd,
                                  .gamma = op.gamma,
                                  .d = op.d,
                                  .d_gamma = op.d_gamma,
                                  .d_beta = op.d_beta};
  layer_norm_backward_cpu(norm, op.dropout, scratch.values);
  (op.z.dtype() == DType::kF32 ? scatter<float> : scatter<uint16_t>)(op);
}

}  // namespace bertha::ops
