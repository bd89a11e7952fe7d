#include "ops/embedding.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {
namespace {

void check_table(const Tensor& table, int64_t columns, const char* what) {
  BERTHA_CHECK(table.dtype() == DType::kF32 && table.shape().rank() == 2 && table.dim(1) == columns,
               "{} table is {} {}", what, name_of(table.dtype()), table.shape().to_string());
}

void check_tables(const EmbeddingTables& tables, int64_t columns) {
  check_table(tables.word, columns, "word");
  check_table(tables.position, columns, "position");
  check_table(tables.segment, columns, "segment");
}

void check_ids(const EmbeddingIds& ids, int64_t tokens) {
  check_vector(ids.word, DType::kI32, tokens, "word ids");
  check_vector(ids.position, DType::kI32, tokens, "positions");
  check_vector(ids.segment, DType::kI32, tokens, "segments");
}

/// y of the forward pass, d of the backward pass.
void check_rows(const Tensor& rows, const Tensor& z, const char* what) {
  BERTHA_CHECK(rows.dtype() == z.dtype() && rows.shape() == z.shape(), "{} is {} {}", what,
               name_of(rows.dtype()), rows.shape().to_string());
}

}  // namespace

void Embedding::check() const {
  check_normalised(z.tensor(), gamma, mean.tensor(), rstd.tensor());
  check_rows(y.tensor(), z.tensor(), "y");
  check_ids(ids, z.tensor().dim(0));
  check_tables(tables, z.tensor().dim(1));
  check_vector(beta, DType::kF32, z.tensor().dim(1), "beta");
}

Cost Embedding::cost() const {
  return {.bytes = bytes_of(z.tensor(), y.tensor()) + 3 * z.tensor().size() * 4};
}

void embedding(Context& context, const Embedding& op) {
  dispatch(context, op);
}

void EmbeddingBackward::check() const {
  check_normalised(z, gamma, mean, rstd);
  check_rows(d.tensor(), z, "d");
  check_ids(ids, z.dim(0));
  check_tables({.word = d_tables.word.tensor(),
                .position = d_tables.position.tensor(),
                .segment = d_tables.segment.tensor()},
               z.dim(1));
  check_vector(d_gamma.tensor(), DType::kF32, z.dim(1), "d_gamma");
  check_vector(d_beta.tensor(), DType::kF32, z.dim(1), "d_beta");
}

Cost EmbeddingBackward::cost() const {
  return {.bytes = bytes_of(z, d.tensor(), d.tensor()) + 6 * z.size() * 4};
}

void embedding_backward(Context& context, const EmbeddingBackward& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
