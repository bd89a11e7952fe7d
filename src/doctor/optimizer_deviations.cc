// Checks of the optimizer's passes over flat buffers.

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "doctor/op_deviations.h"
#include "ops/optimizer_steps.h"
#include "ops/optimizer_steps_ref.h"

namespace bertha::doctor {
namespace {

namespace reference = ops::reference;

constexpr int64_t kElements = 3000;
constexpr float kMaxNorm = 0.5F;

/// Two parameters with a gap between them, of which the first one decays.
constexpr std::array kSpans = {
    ops::ParameterSpan{.offset = 0, .size = 1700, .decay = true},
    ops::ParameterSpan{.offset = 1728, .size = 1200, .decay = false},
};

constexpr reference::StepScalars<double> kStep = {
    .rate = 0.0625, .gradient_scale = 0.5, .first_correction = 2, .second_correction = 16};

Values part_of(const Values& flat, const ops::ParameterSpan& span) {
  return {flat.begin() + span.offset, flat.begin() + span.offset + span.size};
}

void replace(Values& flat, const ops::ParameterSpan& span, const Values& values) {
  std::ranges::copy(values, flat.begin() + span.offset);
}

/// The flat buffers as values and as tensors.
struct FlatBuffers {
  explicit FlatBuffers(OpWorkbench& bench)
      : weights(OpWorkbench::random(kElements, DType::kF32, 1)),
        gradients(OpWorkbench::random(kElements, DType::kF32, 2)),
        exp_avg(OpWorkbench::random(kElements, DType::kF32, 3)),
        exp_avg_sq(OpWorkbench::random(kElements, DType::kF32, 4)) {
    for (double& value : exp_avg_sq) value = std::abs(value);
    tensors = {.weights = InOut(bench.put(weights, {kElements})),
               .gradients = InOut(bench.put(gradients, {kElements})),
               .exp_avg = InOut(bench.put(exp_avg, {kElements})),
               .exp_avg_sq = InOut(bench.put(exp_avg_sq, {kElements}))};
    scalars = bench.put(
        Values{kStep.rate, kStep.gradient_scale, kStep.first_correction, kStep.second_correction},
        {ops::kStepScalars});
  }

  reference::AdamState<double> state_of(const ops::ParameterSpan& span) const {
    return {.weights = part_of(weights, span),
            .gradients = part_of(gradients, span),
            .exp_avg = part_of(exp_avg, span),
            .exp_avg_sq = part_of(exp_avg_sq, span)};
  }
  void take(const ops::ParameterSpan& span, const reference::AdamState<double>& state) {
    replace(weights, span, state.weights);
    replace(exp_avg, span, state.exp_avg);
    replace(exp_avg_sq, span, state.exp_avg_sq);
  }
  /// The tensors against the values, except the gradients.
  double deviation(OpWorkbench& bench) const {
    Deviation result;
    result.compare(bench.get(tensors.weights.tensor()), weights, DType::kF32);
    result.compare(bench.get(tensors.exp_avg.tensor()), exp_avg, DType::kF32);
    result.compare(bench.get(tensors.exp_avg_sq.tensor()), exp_avg_sq, DType::kF32);
    return result.largest();
  }

  Values weights, gradients, exp_avg, exp_avg_sq;
  ops::OptimizerBuffers tensors;
  Tensor scalars;
};

double squares_of(const Values& values) {
  const double norm = reference::norm(values);
  return norm * norm;
}

/// The factor of torch.nn.utils.clip_grad_norm_.
double clip_factor(double norm) {
  return std::min(1.0, static_cast<double>(kMaxNorm) / (norm + 1e-6));
}

Values scaled(Values values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

}  // namespace

template <>
std::optional<double> deviation_of<ops::GlobalNorm>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Values values = OpWorkbench::random(kElements, dtype, 1);
  const Tensor norm = bench.blank({1});
  ops::global_norm(bench.context(), {.values = bench.put(values, {kElements}), .norm = Out(norm)});
  Deviation deviation;
  deviation.compare(bench.get(norm), {reference::norm(values)}, dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::SquareBlocks>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Values values = OpWorkbench::random(kElements, dtype, 1);
  const Tensor squares = bench.blank({ops::norm_blocks(kSpans)}, DType::kF64);
  ops::square_blocks(
      bench.context(),
      {.values = bench.put(values, {kElements}), .spans = kSpans, .squares = Out(squares)});
  Values expected;
  for (const ops::ParameterSpan& span : kSpans) {
    expected.push_back(squares_of(part_of(values, span)));
  }
  Deviation deviation;
  deviation.compare(bench.get(squares), expected, dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::ClipNorm>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Values values = OpWorkbench::random(kElements, dtype, 1);
  const double norm = static_cast<float>(reference::norm(values));
  const Tensor gradients = bench.put(values, {kElements});
  ops::clip_norm(
      bench.context(),
      {.gradients = InOut(gradients), .norm = bench.put(Values{norm}, {1}), .max_norm = kMaxNorm});
  Deviation deviation;
  deviation.compare(bench.get(gradients), scaled(values, clip_factor(norm)), dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::ClipNormEach>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Values values = OpWorkbench::random(kElements, dtype, 1);
  const Tensor gradients = bench.put(values, {kElements});
  ops::clip_norm_each(bench.context(),
                      {.gradients = InOut(gradients), .spans = kSpans, .max_norm = kMaxNorm});
  Values expected = values;
  for (const ops::ParameterSpan& span : kSpans) {
    const Values part = part_of(values, span);
    replace(expected, span, scaled(part, clip_factor(reference::norm(part))));
  }
  Deviation deviation;
  deviation.compare(bench.get(gradients), expected, dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::Lamb>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  FlatBuffers flat(bench);
  ops::lamb(bench.context(),
            {.buffers = flat.tensors, .spans = kSpans, .settings = {}, .scalars = flat.scalars});
  for (const ops::ParameterSpan& span : kSpans) {
    reference::AdamState<double> state = flat.state_of(span);
    reference::lamb(state, ops::AdamSettings{}, span.decay, kStep);
    flat.take(span, state);
  }
  return flat.deviation(bench);
}

template <>
std::optional<double> deviation_of<ops::LambUpdate>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  FlatBuffers flat(bench);
  const int64_t blocks = ops::norm_blocks(kSpans);
  const Tensor squares = bench.blank({blocks, 2}, DType::kF64);
  ops::lamb_update(bench.context(), {.buffers = flat.tensors,
                                     .spans = kSpans,
                                     .settings = {},
                                     .scalars = flat.scalars,
                                     .squares = Out(squares)});
  Values updates = flat.gradients;
  Values expected_squares;
  for (const ops::ParameterSpan& span : kSpans) {
    reference::AdamState<double> state = flat.state_of(span);
    const Values update = reference::adam_update(state, ops::AdamSettings{}, span.decay, kStep);
    expected_squares.push_back(squares_of(state.weights));
    expected_squares.push_back(squares_of(update));
    replace(updates, span, update);
    flat.take(span, state);
  }
  Deviation deviation;
  deviation.compare(bench.get(flat.tensors.gradients.tensor()), updates, dtype);
  deviation.compare(bench.get(squares), expected_squares, dtype);
  return std::max(deviation.largest(), flat.deviation(bench));
}

template <>
std::optional<double> deviation_of<ops::LambApply>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  FlatBuffers flat(bench);
  const Values ratios = {1.5, 1};
  ops::lamb_apply(bench.context(), {.buffers = flat.tensors,
                                    .spans = kSpans,
                                    .scalars = flat.scalars,
                                    .ratios = bench.put(ratios, {2})});
  for (size_t s = 0; s < kSpans.size(); ++s) {
    reference::AdamState<double> state = flat.state_of(kSpans[s]);
    for (size_t i = 0; i < state.weights.size(); ++i) {
      state.weights[i] -= kStep.rate * ratios[s] * state.gradients[i];
    }
    flat.take(kSpans[s], state);
  }
  return flat.deviation(bench);
}

template <>
std::optional<double> deviation_of<ops::AdamW>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  FlatBuffers flat(bench);
  ops::adamw(bench.context(),
             {.buffers = flat.tensors, .spans = kSpans, .settings = {}, .scalars = flat.scalars});
  for (const ops::ParameterSpan& span : kSpans) {
    reference::AdamState<double> state = flat.state_of(span);
    reference::adamw(state, ops::AdamSettings{}, span.decay, kStep);
    flat.take(span, state);
  }
  return flat.deviation(bench);
}

}  // namespace bertha::doctor
