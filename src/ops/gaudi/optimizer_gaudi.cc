// The optimizer's passes, composed of arithmetic nodes for each parameter. Sums of squares are
// summed by blocks of fixed size and then over the blocks, in f32.

#include <vector>

#include "ops/gaudi/gaudi_kernels.h"

namespace bertha::ops {
namespace {

Tensor part_of(const InOut& flat, const ParameterSpan& span) {
  return flat.tensor().rows(span.offset, span.size);
}

/// Σ x² of each block of kNormBlock elements of x {P}: {1,blocks}.
Value block_squares(const NodeBuilder& nodes, const Value& x) {
  const int64_t size = x.sizes[0];
  const int64_t whole = size / kNormBlock;
  const auto squares = [&](const Value& of, const Sizes& sizes) {
    const Value shaped = nodes.reshape(of, sizes);
    return nodes.reduce_sum(nodes.mult(shaped, shaped), 0);
  };
  std::vector<Value> parts;
  if (whole > 0) {
    parts.push_back(squares(nodes.slice(x, 0, 0, whole * kNormBlock), {kNormBlock, whole}));
  }
  const int64_t rest = size - whole * kNormBlock;
  if (rest > 0) parts.push_back(squares(nodes.slice(x, 0, size - rest, size), {rest, 1}));
  return parts.size() == 1 ? parts.front() : nodes.recorder().concat(parts, 1);
}

/// ‖x‖, {1}.
Value norm_of(const NodeBuilder& nodes, const Value& x) {
  return nodes.sqrt(nodes.sum(block_squares(nodes, x)));
}

/// Multiplies by min(1, max_norm / (norm + 1e-6)); a norm of NaN changes nothing.
Value clipped(const NodeBuilder& nodes, const Value& x, const Value& norm, float max_norm) {
  const Value most = nodes.constant(max_norm);
  const Value over = nodes.add(norm, nodes.constant(1e-6F));
  const Value factor =
      nodes.where(nodes.greater(over, most), nodes.div(most, over), nodes.constant(1));
  return nodes.mult(x, factor);
}

/// The scalars of a step, {1} each.
struct StepValues {
  Value rate, gradient_scale, first_correction, second_correction;
};

StepValues step_values(const NodeBuilder& nodes, const Tensor& scalars) {
  const Value all = nodes.read(scalars);
  const auto at = [&](StepScalar which) { return nodes.slice(all, 0, which, which + 1); };
  return {.rate = at(kRate),
          .gradient_scale = at(kGradientScale),
          .first_correction = at(kFirstCorrection),
          .second_correction = at(kSecondCorrection)};
}

/// Writes the moments of one parameter and returns u {P}.
Value adam_update(const NodeBuilder& nodes, const OptimizerBuffers& buffers,
                  const ParameterSpan& span, const AdamSettings& settings, const StepValues& step) {
  const auto number = [&](double value) { return nodes.constant(static_cast<float>(value)); };
  const Tensor exp_avg = part_of(buffers.exp_avg, span);
  const Tensor exp_avg_sq = part_of(buffers.exp_avg_sq, span);
  const Value g = nodes.mult(nodes.read(part_of(buffers.gradients, span)), step.gradient_scale);
  const Value m = nodes.add(nodes.mult(nodes.read(exp_avg), number(settings.beta1)),
                            nodes.mult(g, number(1 - settings.beta1)));
  const Value v = nodes.add(nodes.mult(nodes.read(exp_avg_sq), number(settings.beta2)),
                            nodes.mult(nodes.mult(g, g), number(1 - settings.beta2)));
  nodes.write(exp_avg, m);
  nodes.write(exp_avg_sq, v);
  const Value root = nodes.sqrt(nodes.mult(v, step.second_correction));
  Value u = nodes.div(nodes.mult(m, step.first_correction), nodes.add(root, number(settings.eps)));
  if (!span.decay) return u;
  const Value w = nodes.read(part_of(buffers.weights, span));
  return nodes.add(u, nodes.mult(w, number(settings.weight_decay)));
}

/// w -= factor * u, and the bf16 weights with them.
void apply(const NodeBuilder& nodes, const OptimizerBuffers& buffers, const ParameterSpan& span,
           const Value& u, const Value& factor) {
  const Tensor weights = part_of(buffers.weights, span);
  const Value w = nodes.sub(nodes.read(weights), nodes.mult(u, factor));
  nodes.write(weights, w);
  if (buffers.bf16_weights.empty()) return;
  nodes.write(buffers.bf16_weights.tensor().rows(span.offset, span.size), w);
}

/// ‖w‖ / ‖u‖ where both are above 0, else 1.
Value ratio_of(const NodeBuilder& nodes, const Value& w, const Value& u) {
  const Value zero = nodes.constant(0);
  const Value one = nodes.constant(1);
  const Value of_w = norm_of(nodes, w);
  const Value of_u = norm_of(nodes, u);
  const Value ratio = nodes.where(nodes.greater(of_u, zero), nodes.div(of_w, of_u), one);
  return nodes.where(nodes.greater(of_w, zero), ratio, one);
}

/// Numbers {1,n} as f64, of two f32 each (node_graph.h): {2,n}.
std::vector<Value> as_f64(const NodeBuilder& nodes, const Value& numbers) {
  return {numbers, nodes.zeros(ElementType::kF32, numbers.sizes)};
}

}  // namespace

void GaudiKernels::run(const GlobalNorm& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    nodes.write(op.norm.tensor(), norm_of(nodes, nodes.read(op.values, {op.values.size()})));
  });
}

void GaudiKernels::run(const SquareBlocks& op) {
  if (op.spans.empty()) return;
  record(op, [&](const NodeBuilder& nodes) {
    std::vector<Value> parts;
    for (const ParameterSpan& span : op.spans) {
      parts.push_back(block_squares(nodes, nodes.read(op.values.rows(span.offset, span.size))));
    }
    const Value all = nodes.recorder().concat(parts, 1);
    nodes.write(op.squares.tensor(), nodes.recorder().concat(as_f64(nodes, all), 0));
  });
}

void GaudiKernels::run(const ClipNorm& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const Tensor& gradients = op.gradients.tensor();
    nodes.write(gradients, clipped(nodes, nodes.read(gradients), nodes.read(op.norm), op.max_norm));
  });
}

void GaudiKernels::run(const ClipNormEach& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    for (const ParameterSpan& span : op.spans) {
      const Tensor gradients = part_of(op.gradients, span);
      const Value g = nodes.read(gradients);
      nodes.write(gradients, clipped(nodes, g, norm_of(nodes, g), op.max_norm));
    }
  });
}

void GaudiKernels::run(const Lamb& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const StepValues step = step_values(nodes, op.scalars);
    for (const ParameterSpan& span : op.spans) {
      const Value u = adam_update(nodes, op.buffers, span, op.settings, step);
      Value factor = step.rate;
      if (span.decay && op.settings.weight_decay != 0) {
        const Value w = nodes.read(part_of(op.buffers.weights, span));
        factor = nodes.mult(factor, ratio_of(nodes, w, u));
      }
      apply(nodes, op.buffers, span, u, factor);
      nodes.write(part_of(op.buffers.gradients, span), u);
    }
  });
}

void GaudiKernels::run(const LambUpdate& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const StepValues step = step_values(nodes, op.scalars);
    std::vector<Value> of_weights;
    std::vector<Value> of_updates;
    for (const ParameterSpan& span : op.spans) {
      const Value u = adam_update(nodes, op.buffers, span, op.settings, step);
      of_weights.push_back(block_squares(nodes, nodes.read(part_of(op.buffers.weights, span))));
      of_updates.push_back(block_squares(nodes, u));
      nodes.write(part_of(op.buffers.gradients, span), u);
    }
    std::vector<Value> columns = as_f64(nodes, nodes.recorder().concat(of_weights, 1));
    const std::vector<Value> updates = as_f64(nodes, nodes.recorder().concat(of_updates, 1));
    columns.insert(columns.end(), updates.begin(), updates.end());
    nodes.write(op.squares.tensor(), nodes.recorder().concat(columns, 0));
  });
}

void GaudiKernels::run(const LambApply& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const StepValues step = step_values(nodes, op.scalars);
    const Value ratios = nodes.read(op.ratios);
    int64_t number = 0;
    for (const ParameterSpan& span : op.spans) {
      const Value ratio = nodes.slice(ratios, 0, number, number + 1);
      const Value u = nodes.read(part_of(op.buffers.gradients, span));
      apply(nodes, op.buffers, span, u, nodes.mult(step.rate, ratio));
      ++number;
    }
  });
}

void GaudiKernels::run(const AdamW& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const StepValues step = step_values(nodes, op.scalars);
    for (const ParameterSpan& span : op.spans) {
      const Value u = adam_update(nodes, op.buffers, span, op.settings, step);
      apply(nodes, op.buffers, span, u, step.rate);
    }
  });
}

}  // namespace bertha::ops
