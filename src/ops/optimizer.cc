#include "ops/optimizer.h"

#include <array>

#include "core/error.h"
#include "core/profile.h"
#include "ops/cpu/optimizer_cpu.h"
#include "ops/cuda/optimizer_cuda.h"
#include "ops/device_of.h"
#include "ops/operand_checks.h"

namespace bertha::ops {
namespace {

void check_spans(std::span<const ParameterSpan> spans, int64_t size) {
  int64_t end = 0;
  for (const ParameterSpan& span : spans) {
    BERTHA_CHECK(span.offset >= end && span.size > 0, "span of {} at {} after {}", span.size,
                 span.offset, end);
    end = span.offset + span.size;
  }
  BERTHA_CHECK(end <= size, "spans end at {} of {}", end, size);
}

void check(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
           const Tensor& scalars) {
  const int64_t size = buffers.weights.size();
  check_vector(buffers.weights, DType::kF32, size, "weights");
  check_vector(buffers.gradients, DType::kF32, size, "gradients");
  check_vector(buffers.first, DType::kF32, size, "first moments");
  check_vector(buffers.second, DType::kF32, size, "second moments");
  if (!buffers.shadow.empty()) check_vector(buffers.shadow, DType::kBF16, size, "shadow");
  check_vector(scalars, DType::kF32, kStepScalars, "scalars");
  check_spans(spans, size);
}

NormScratch make_scratch(Context& context, std::span<const ParameterSpan> spans) {
  const auto count = static_cast<int64_t>(spans.size());
  return {.blocks = context.make({norm_blocks(spans), 2}, DType::kF64),
          .factors = context.make({count}, DType::kF32)};
}

}  // namespace

void global_norm(Context& context, const Tensor& gradients, Out norm) {
  check_vector(gradients, DType::kF32, gradients.size(), "gradients");
  check_vector(norm.tensor(), DType::kF32, 1, "norm");
  const Context::Scope scope = context.scope();
  const std::array<ParameterSpan, 1> whole = {ParameterSpan{.size = gradients.size()}};
  const NormScratch scratch = make_scratch(context, whole);
  if (context.dry()) return;
  if (on_cuda(context)) return global_norm_cuda(cuda_of(context), gradients, norm, scratch);
  const Timed timed(context.device(), "gradient norm",
                    [&] { return Cost{.bytes = bytes_of(gradients)}; });
  global_norm_cpu(gradients, norm, scratch);
}

void square_blocks(Context& context, const Tensor& values, std::span<const ParameterSpan> spans,
                   Out squares) {
  check_vector(values, DType::kF32, values.size(), "values");
  check_vector(squares.tensor(), DType::kF64, norm_blocks(spans), "squares");
  check_spans(spans, values.size());
  if (context.dry()) return;
  if (on_cuda(context)) return square_blocks_cuda(cuda_of(context), values, spans, squares);
  square_blocks_cpu(values, spans, squares);
}

void clip_norm(Context& context, InOut gradients, const Tensor& norm, float max_norm) {
  check_vector(gradients.tensor(), DType::kF32, gradients.tensor().size(), "gradients");
  check_vector(norm, DType::kF32, 1, "norm");
  if (context.dry()) return;
  if (on_cuda(context)) return clip_norm_cuda(cuda_of(context), gradients, norm, max_norm);
  const Timed timed(context.device(), "clip",
                    [&] { return Cost{.bytes = 2 * bytes_of(gradients.tensor())}; });
  clip_norm_cpu(gradients, norm, max_norm);
}

void clip_norm_each(Context& context, InOut gradients, std::span<const ParameterSpan> spans,
                    float max_norm) {
  check_vector(gradients.tensor(), DType::kF32, gradients.tensor().size(), "gradients");
  check_spans(spans, gradients.tensor().size());
  const Context::Scope scope = context.scope();
  const NormScratch scratch = make_scratch(context, spans);
  if (context.dry()) return;
  if (on_cuda(context))
    return clip_norm_each_cuda(cuda_of(context), gradients, spans, max_norm, scratch);
  const Timed timed(context.device(), "clip",
                    [&] { return Cost{.bytes = 3 * bytes_of(gradients.tensor())}; });
  clip_norm_each_cpu(gradients, spans, max_norm, scratch);
}

void lamb(Context& context, const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
          const AdamSettings& settings, const Tensor& scalars) {
  check(buffers, spans, scalars);
  const Context::Scope scope = context.scope();
  const NormScratch scratch = make_scratch(context, spans);
  if (context.dry()) return;
  if (on_cuda(context))
    return lamb_cuda(cuda_of(context), buffers, spans, settings, scalars, scratch);
  const Timed timed(context.device(), "LAMB", [&] {
    return Cost{.bytes = 10 * bytes_of(buffers.weights) + bytes_of(buffers.shadow)};
  });
  lamb_cpu(buffers, spans, settings, scalars, scratch);
}

void lamb_update(Context& context, const OptimizerBuffers& buffers,
                 std::span<const ParameterSpan> spans, const AdamSettings& settings,
                 const Tensor& scalars, Out squares) {
  check(buffers, spans, scalars);
  check_vector(squares.tensor(), DType::kF64, 2 * norm_blocks(spans), "squares");
  if (context.dry()) return;
  if (on_cuda(context)) {
    return lamb_update_cuda(cuda_of(context), buffers, spans, settings, scalars, squares);
  }
  lamb_update_cpu(buffers, spans, settings, scalars, squares);
}

void lamb_apply(Context& context, const OptimizerBuffers& buffers,
                std::span<const ParameterSpan> spans, const Tensor& scalars, const Tensor& ratios) {
  check(buffers, spans, scalars);
  check_vector(ratios, DType::kF32, std::ssize(spans), "ratios");
  if (context.dry()) return;
  if (on_cuda(context)) return lamb_apply_cuda(cuda_of(context), buffers, spans, scalars, ratios);
  lamb_apply_cpu(buffers, spans, scalars, ratios);
}

void adamw(Context& context, const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
           const AdamSettings& settings, const Tensor& scalars) {
  check(buffers, spans, scalars);
  if (context.dry()) return;
  if (on_cuda(context)) return adamw_cuda(cuda_of(context), buffers, spans, settings, scalars);
  const Timed timed(context.device(), "AdamW", [&] {
    return Cost{.bytes = 7 * bytes_of(buffers.weights) + bytes_of(buffers.shadow)};
  });
  adamw_cpu(buffers, spans, settings, scalars);
}

void convert(Context& context, const Tensor& from, Out to) {
  const bool narrows = from.dtype() == DType::kF32;
  check_vector(from, narrows ? DType::kF32 : DType::kBF16, from.size(), "from");
  check_vector(to.tensor(), narrows ? DType::kBF16 : DType::kF32, from.size(), "to");
  if (context.dry()) return;
  if (on_cuda(context)) return convert_cuda(cuda_of(context), from, to);
  const Timed timed(context.device(), "convert",
                    [&] { return Cost{.bytes = bytes_of(from, to.tensor())}; });
  convert_cpu(from, to);
}

}  // namespace bertha::ops
