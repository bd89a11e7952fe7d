#include "ops/rows.h"

#include "core/error.h"
#include "core/profile.h"
#include "ops/cpu/rows_cpu.h"
#include "ops/cuda/rows_cuda.h"
#include "ops/device_of.h"

namespace bertha::ops {
namespace {

/// `all` [T,H], `rows` [M], `picked` [M,H].
void check(const Tensor& all, const Tensor& rows, const Tensor& picked) {
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

void gather_rows(Context& context, const Tensor& x, const Tensor& rows, Out y) {
  check(x, rows, y.tensor());
  if (context.dry()) return;
  if (on_cuda(context)) return gather_rows_cuda(cuda_of(context), x, rows, y);
  const Timed timed(context.device(), "gather rows",
                    [&] { return Cost{.bytes = 2 * bytes_of(y.tensor())}; });
  gather_rows_cpu(x, rows, y);
}

void gather_rows_backward(Context& context, const Tensor& d_y, const Tensor& rows, InOut d_x) {
  check(d_x.tensor(), rows, d_y);
  if (context.dry()) return;
  if (on_cuda(context)) return gather_rows_backward_cuda(cuda_of(context), d_y, rows, d_x);
  const Timed timed(context.device(), "gather rows, backward",
                    [&] { return Cost{.bytes = 3 * bytes_of(d_y)}; });
  gather_rows_backward_cpu(d_y, rows, d_x);
}

}  // namespace bertha::ops
