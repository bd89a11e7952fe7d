#include "ops/rows.h"

#include "core/error.h"
#include "ops/dispatch.h"

namespace bertha::ops {
namespace {

/// `all` [T,H], `rows` [M], `picked` [M,H].
void check_operands(const Tensor& all, const Tensor& rows, const Tensor& picked) {
  BERTHA_CHECK(all.dtype() == DType::kF32 || all.dtype() == DType::kBF16, "rows of {}",
               name_of(all.dtype()));
  BERTHA_CHECK(rows.dtype() == DType::kI32 && rows.shape().rank() == 1, "rows is {} {}",
               name_of(rows.dtype()), rows.shape().to_string());
  BERTHA_CHECK(all.shape().rank() == 2 && picked.dtype() == all.dtype() &&
                   picked.shape() == (Shape{rows.dim(0), all.dim(1)}),
               "{} rows of {} into {} {}", rows.dim(0), all.shape().to_string(),
               name_of(picked.dtype()), picked.shape().to_string());
}

}  // namespace

void GatherRows::check() const {
  check_operands(x, rows, y.tensor());
}

Cost GatherRows::cost() const {
  return {.bytes = 2 * bytes_of(y.tensor())};
}

void gather_rows(Context& context, const GatherRows& op) {
  dispatch(context, op);
}

void GatherRowsBackward::check() const {
  check_operands(d_x.tensor(), rows, d_y);
}

Cost GatherRowsBackward::cost() const {
  return {.bytes = 3 * bytes_of(d_y)};
}

void gather_rows_backward(Context& context, const GatherRowsBackward& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
