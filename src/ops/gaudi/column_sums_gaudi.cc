#include "ops/gaudi/column_sums_gaudi.h"

#include "backend/gaudi/synapse_abi.h"

namespace bertha::ops {
namespace {

constexpr int64_t kProbeRows = 64;
constexpr int64_t kProbeColumns = 128;

Value reduced(const NodeBuilder& nodes, const Value& x) {
  return nodes.reshape(nodes.reduce_sum(nodes.f32(x), 1), {x.sizes[0]});
}

/// A row of ones times the matrix.
Value multiplied(const NodeBuilder& nodes, const Value& x) {
  const int64_t rows = x.sizes[1];
  const Value wide = nodes.f32(x);
  const Value zeros = nodes.zeros(ElementType::kF32, {rows, 1});
  const Value ones = nodes.add(zeros, nodes.constant(1));
  return nodes.reshape(nodes.gemm(ones, wide, {}, ElementType::kF32), {x.sizes[0]});
}

/// The kernel for the gradient of a table.
Value by_kernel(const NodeBuilder& nodes, const Value& rows, const Value& ids, int64_t count) {
  const gaudi::abi::TableGradientParameters parameters{
      .rows = static_cast<int32_t>(count), .padding_row = -1, .scale_by_frequency = false};
  return nodes.recorder()
      .node("embedding_dense_pt_bwd_f32", {rows, ids},
            {{ElementType::kF32, {rows.sizes[0], count}}}, parameters)
      .front();
}

/// A matrix that is 1 where a row has the id, times the rows.
Value by_product(const NodeBuilder& nodes, const Value& rows, const Value& ids, int64_t count) {
  const Value hits = nodes.equal(nodes.reshape(ids, {1, ids.sizes[0]}), nodes.counting({count, 1}));
  return nodes.gemm(nodes.f32(hits), rows, {.a = true}, ElementType::kF32);
}

}  // namespace

Value column_sums(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& x) {
  const auto probe = [&](const auto& way) {
    return [&way](const NodeBuilder& on) {
      const Value operand = probe_operand(on, "x", ElementType::kF32, {kProbeColumns, kProbeRows});
      on.recorder().keep(way(on, operand));
    };
  };
  const int way = candidates.choose("sums over rows", {{"reduce_sum_fwd", probe(reduced)},
                                                       {"gemm with ones", probe(multiplied)}});
  return way == 0 ? reduced(nodes, x) : multiplied(nodes, x);
}

Value scatter_sums(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& rows,
                   const Value& ids, int64_t count) {
  const auto probe = [&](const auto& way) {
    return [&way](const NodeBuilder& on) {
      const Value operand =
          probe_operand(on, "rows", ElementType::kF32, {kProbeColumns, kProbeRows});
      const Value numbers = probe_operand(on, "ids", ElementType::kI32, {kProbeRows});
      on.recorder().keep(way(on, operand, numbers, kProbeRows));
    };
  };
  const int way =
      candidates.choose("gradients of tables", {{"embedding_dense_pt_bwd", probe(by_kernel)},
                                                {"gemm with the rows' places", probe(by_product)}});
  return way == 0 ? by_kernel(nodes, rows, ids, count) : by_product(nodes, rows, ids, count);
}

}  // namespace bertha::ops
