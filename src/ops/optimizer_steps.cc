#include "ops/optimizer_steps.h"

#include <cmath>

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {
namespace {

void check_spans(Spans spans, int64_t size) {
  int64_t end = 0;
  for (const ParameterSpan& span : spans) {
    BERTHA_CHECK(span.offset >= end && span.size > 0, "span of {} at {} after {}", span.size,
                 span.offset, end);
    end = span.offset + span.size;
  }
  BERTHA_CHECK(end <= size, "spans end at {} of {}", end, size);
}

void check_step(const OptimizerBuffers& buffers, Spans spans, const Tensor& scalars) {
  const int64_t size = buffers.weights.tensor().size();
  check_vector(buffers.weights.tensor(), DType::kF32, size, "weights");
  check_vector(buffers.gradients.tensor(), DType::kF32, size, "gradients");
  check_vector(buffers.exp_avg.tensor(), DType::kF32, size, "exp_avg");
  check_vector(buffers.exp_avg_sq.tensor(), DType::kF32, size, "exp_avg_sq");
  if (!buffers.bf16_weights.empty()) {
    check_vector(buffers.bf16_weights.tensor(), DType::kBF16, size, "bf16_weights");
  }
  check_vector(scalars, DType::kF32, kStepScalars, "scalars");
  check_spans(spans, size);
}

/// Of a pass that reads or writes an f32 buffer `times` times, and writes the bf16 weights.
Cost step_cost(const OptimizerBuffers& buffers, int64_t times) {
  return {.bytes =
              times * bytes_of(buffers.weights.tensor()) + bytes_of(buffers.bf16_weights.tensor())};
}

}  // namespace

int64_t norm_blocks(Spans spans) {
  int64_t blocks = 0;
  for (const ParameterSpan& span : spans) blocks += (span.size + kNormBlock - 1) / kNormBlock;
  return blocks;
}

float trust_ratio(bool decays, const AdamSettings& settings, std::span<const double> squares) {
  if (!decays || settings.weight_decay == 0) return 1;
  double weights = 0;
  double update = 0;
  for (size_t i = 0; i + 1 < squares.size(); i += 2) {
    weights += squares[i];
    update += squares[i + 1];
  }
  return weights > 0 && update > 0 ? static_cast<float>(std::sqrt(weights) / std::sqrt(update)) : 1;
}

void GlobalNorm::check() const {
  check_vector(values, DType::kF32, values.size(), "values");
  check_vector(norm.tensor(), DType::kF32, 1, "norm");
}

Cost GlobalNorm::cost() const {
  return {.bytes = bytes_of(values)};
}

void global_norm(Context& context, const GlobalNorm& op) {
  dispatch(context, op);
}

void SquareBlocks::check() const {
  check_vector(values, DType::kF32, values.size(), "values");
  check_vector(squares.tensor(), DType::kF64, norm_blocks(spans), "squares");
  check_spans(spans, values.size());
}

Cost SquareBlocks::cost() const {
  return {.bytes = bytes_of(values)};
}

void square_blocks(Context& context, const SquareBlocks& op) {
  dispatch(context, op);
}

void ClipNorm::check() const {
  check_vector(gradients.tensor(), DType::kF32, gradients.tensor().size(), "gradients");
  check_vector(norm, DType::kF32, 1, "norm");
}

Cost ClipNorm::cost() const {
  return {.bytes = 2 * bytes_of(gradients.tensor())};
}

void clip_norm(Context& context, const ClipNorm& op) {
  dispatch(context, op);
}

void ClipNormEach::check() const {
  check_vector(gradients.tensor(), DType::kF32, gradients.tensor().size(), "gradients");
  check_spans(spans, gradients.tensor().size());
}

Cost ClipNormEach::cost() const {
  return {.bytes = 3 * bytes_of(gradients.tensor())};
}

void clip_norm_each(Context& context, const ClipNormEach& op) {
  dispatch(context, op);
}

void Lamb::check() const {
  check_step(buffers, spans, scalars);
}

Cost Lamb::cost() const {
  return step_cost(buffers, 10);
}

void lamb(Context& context, const Lamb& op) {
  dispatch(context, op);
}

void LambUpdate::check() const {
  check_step(buffers, spans, scalars);
  check_vector(squares.tensor(), DType::kF64, 2 * norm_blocks(spans), "squares");
}

Cost LambUpdate::cost() const {
  return {.bytes = 7 * bytes_of(buffers.weights.tensor())};
}

void lamb_update(Context& context, const LambUpdate& op) {
  dispatch(context, op);
}

void LambApply::check() const {
  check_step(buffers, spans, scalars);
  check_vector(ratios, DType::kF32, std::ssize(spans), "ratios");
}

Cost LambApply::cost() const {
  return step_cost(buffers, 3);
}

void lamb_apply(Context& context, const LambApply& op) {
  dispatch(context, op);
}

void AdamW::check() const {
  check_step(buffers, spans, scalars);
}

Cost AdamW::cost() const {
  return step_cost(buffers, 7);
}

void adamw(Context& context, const AdamW& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
