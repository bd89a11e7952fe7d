#include "ops/gaudi/layer_norm_gaudi.h"

#include "backend/gaudi/synapse_abi.h"
#include "ops/gaudi/column_sums_gaudi.h"
#include "ops/gaudi/dropout_gaudi.h"
#include "ops/gaudi/gaudi_kernels.h"

namespace bertha::ops {
namespace {

namespace abi = gaudi::abi;

/// Operands of LayerNorm as values; gamma and beta {H}, mean and rstd {T}.
struct Operands {
  Value x, gamma, beta, mean, rstd, d_y;
  float eps = 0;
};

int64_t columns_of(const Operands& of) {
  return of.x.sizes[0];
}
int64_t rows_of(const Operands& of) {
  return of.x.sizes[1];
}

// The vendor's kernels take rows as {H,1,1,T}.

Normalised by_kernel(const NodeBuilder& nodes, const Operands& of) {
  const Sizes wide = {columns_of(of), 1, 1, rows_of(of)};
  const Sizes thin = {1, 1, 1, rows_of(of)};
  const std::vector<Value> made = nodes.recorder().node(
      kernel_name("layer_norm_fwd", of.x.type), {nodes.reshape(of.x, wide), of.beta, of.gamma},
      {{of.x.type, wide}, {ElementType::kF32, thin}, {ElementType::kF32, thin}},
      abi::LayerNormParameters{.has_eps = true, .eps = of.eps});
  return {.y = nodes.reshape(made[0], of.x.sizes),
          .mean = nodes.reshape(made[1], {rows_of(of)}),
          .rstd = nodes.reshape(made[2], {rows_of(of)})};
}

Value mean_of_rows(const NodeBuilder& nodes, const Value& x) {
  const auto count = static_cast<float>(x.sizes[0]);
  return nodes.mult(nodes.reduce_sum(x, 0), nodes.constant(1 / count));
}

/// Statistics in two passes, in f32.
Normalised by_arithmetic(const NodeBuilder& nodes, const Operands& of) {
  const Value x = nodes.f32(of.x);
  const Value mean = mean_of_rows(nodes, x);
  const Value centred = nodes.sub(x, mean);
  const Value variance = mean_of_rows(nodes, nodes.mult(centred, centred));
  const Value root = nodes.sqrt(nodes.add(variance, nodes.constant(of.eps)));
  const Value rstd = nodes.div(nodes.constant(1), root);
  const Value unit = nodes.mult(centred, rstd);
  const Value scaled = nodes.mult(unit, nodes.reshape(of.gamma, {columns_of(of), 1}));
  const Value y = nodes.add(scaled, nodes.reshape(of.beta, {columns_of(of), 1}));
  return {.y = nodes.cast(y, of.x.type),
          .mean = nodes.reshape(mean, {rows_of(of)}),
          .rstd = nodes.reshape(rstd, {rows_of(of)})};
}

NormalisedGradients backward_by_kernel(const NodeBuilder& nodes, const Operands& of) {
  const Sizes wide = {columns_of(of), 1, 1, rows_of(of)};
  const Sizes thin = {1, 1, 1, rows_of(of)};
  const ResultType of_vector{ElementType::kF32, {columns_of(of)}};
  const std::vector<Value> made =
      nodes.recorder().node(kernel_name("layer_norm_bwd", of.x.type),
                            {nodes.reshape(of.x, wide), nodes.reshape(of.d_y, wide),
                             nodes.reshape(of.mean, thin), nodes.reshape(of.rstd, thin), of.gamma},
                            {{of.x.type, wide}, of_vector, of_vector},
                            abi::LayerNormParameters{.has_eps = false, .eps = 0});
  return {.x = nodes.reshape(made[0], of.x.sizes), .gamma = made[2], .beta = made[1]};
}

/// With g = d_y gamma and unit = (x - mean) rstd: d_x = rstd (g - mean(g) - unit mean(g unit)).
NormalisedGradients backward_by_arithmetic(const NodeBuilder& nodes, KernelCandidates& candidates,
                                           const Operands& of) {
  const Value rstd = nodes.reshape(of.rstd, {1, rows_of(of)});
  const Value centred = nodes.sub(nodes.f32(of.x), nodes.reshape(of.mean, {1, rows_of(of)}));
  const Value unit = nodes.mult(centred, rstd);
  const Value d_y = nodes.f32(of.d_y);
  const Value g = nodes.mult(d_y, nodes.reshape(of.gamma, {columns_of(of), 1}));
  const Value along = nodes.mult(unit, mean_of_rows(nodes, nodes.mult(g, unit)));
  const Value rest = nodes.sub(nodes.sub(g, mean_of_rows(nodes, g)), along);
  return {.x = nodes.cast(nodes.mult(rest, rstd), of.x.type),
          .gamma = column_sums(nodes, candidates, nodes.mult(d_y, unit)),
          .beta = column_sums(nodes, candidates, d_y)};
}

Operands probe_operands(const NodeBuilder& on, ElementType type) {
  constexpr int64_t kRows = 64;
  constexpr int64_t kColumns = 128;
  return {.x = probe_operand(on, "x", type, {kColumns, kRows}),
          .gamma = probe_operand(on, "gamma", ElementType::kF32, {kColumns}),
          .beta = probe_operand(on, "beta", ElementType::kF32, {kColumns}),
          .mean = probe_operand(on, "mean", ElementType::kF32, {kRows}),
          .rstd = probe_operand(on, "rstd", ElementType::kF32, {kRows}),
          .d_y = probe_operand(on, "d_y", type, {kColumns, kRows}),
          .eps = 1e-12F};
}

void keep(const NodeBuilder& on, std::initializer_list<Value> values) {
  for (const Value& value : values) on.recorder().keep(value);
}

}  // namespace

Normalised normalise(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& x,
                     const Tensor& gamma, const Tensor& beta, float eps) {
  const ElementType type = x.type;
  const auto probe = [type](const auto& way) {
    return [&way, type](const NodeBuilder& on) {
      const Normalised made = way(on, probe_operands(on, type));
      keep(on, {made.y, made.mean, made.rstd});
    };
  };
  const int way = candidates.choose(
      fmt::format("LayerNorm in {}", gaudi::suffix(type)),
      {{"layer_norm_fwd", probe(by_kernel)}, {"arithmetic", probe(by_arithmetic)}});
  const Operands of{.x = x,
                    .gamma = nodes.read(gamma),
                    .beta = nodes.read(beta),
                    .mean = {},
                    .rstd = {},
                    .d_y = {},
                    .eps = eps};
  return way == 0 ? by_kernel(nodes, of) : by_arithmetic(nodes, of);
}

NormalisedGradients normalise_backward(const NodeBuilder& nodes, KernelCandidates& candidates,
                                       const NormalisedOperands& of) {
  const ElementType type = of.x.type;
  const auto arithmetic = [&](const NodeBuilder& on, const Operands& operands) {
    return backward_by_arithmetic(on, candidates, operands);
  };
  const auto probe = [type](const auto& way) {
    return [&way, type](const NodeBuilder& on) {
      const NormalisedGradients made = way(on, probe_operands(on, type));
      keep(on, {made.x, made.gamma, made.beta});
    };
  };
  const int way = candidates.choose(
      fmt::format("the gradient of LayerNorm in {}", gaudi::suffix(type)),
      {{"layer_norm_bwd", probe(backward_by_kernel)}, {"arithmetic", probe(arithmetic)}});
  const Operands operands{.x = of.x,
                          .gamma = nodes.read(of.gamma),
                          .beta = {},
                          .mean = of.mean,
                          .rstd = of.rstd,
                          .d_y = of.d_y};
  return way == 0 ? backward_by_kernel(nodes, operands) : arithmetic(nodes, operands);
}

void GaudiKernels::run(const LayerNorm& op) {
  record(op, [&](const NodeBuilder& nodes) {
    Value z = nodes.read(op.z.tensor());
    const bool changes = op.dropout.active() || !op.residual.empty();
    if (changes) {
      Value sum = after_dropout(nodes, masks_, op.dropout, z);
      if (!op.residual.empty()) sum = nodes.add(nodes.f32(sum), nodes.f32(nodes.read(op.residual)));
      z = nodes.cast(sum, z.type);
      nodes.write(op.z.tensor(), z);
    }
    const Normalised made = normalise(nodes, candidates_, z, op.gamma, op.beta, op.eps);
    nodes.write(op.y.tensor(), made.y);
    nodes.write(op.mean.tensor(), made.mean);
    nodes.write(op.rstd.tensor(), made.rstd);
  });
}

void GaudiKernels::run(const LayerNormBackward& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const NormalisedGradients made = normalise_backward(nodes, candidates_,
                                                        {.x = nodes.read(op.z),
                                                         .mean = nodes.read(op.mean),
                                                         .rstd = nodes.read(op.rstd),
                                                         .d_y = nodes.read(op.d.tensor()),
                                                         .gamma = op.gamma});
    nodes.write(op.d.tensor(), made.x);
    if (!op.d_x.empty())
      nodes.write(op.d_x.tensor(), after_dropout(nodes, masks_, op.dropout, made.x));
    nodes.add_to(op.d_gamma.tensor(), made.gamma);
    nodes.add_to(op.d_beta.tensor(), made.beta);
  });
}

}  // namespace bertha::ops
