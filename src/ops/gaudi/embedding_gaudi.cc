#include "ops/gaudi/column_sums_gaudi.h"
#include "ops/gaudi/dropout_gaudi.h"
#include "ops/gaudi/gaudi_kernels.h"
#include "ops/gaudi/layer_norm_gaudi.h"

namespace bertha::ops {

void GaudiKernels::run(const Embedding& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const auto rows = [&](const Tensor& table, const Tensor& ids) {
      return nodes.gather(nodes.read(table), nodes.read(ids));
    };
    const Value sum = nodes.add(
        nodes.add(rows(op.tables.word, op.ids.word), rows(op.tables.position, op.ids.position)),
        rows(op.tables.segment, op.ids.segment));
    const Value z = nodes.cast(sum, gaudi::layout_of(op.z.tensor().dtype()).type);
    nodes.write(op.z.tensor(), z);
    const Normalised made = normalise(nodes, candidates_, z, op.gamma, op.beta, op.eps);
    nodes.write(op.y.tensor(), after_dropout(nodes, masks_, op.dropout, made.y));
    nodes.write(op.mean.tensor(), made.mean);
    nodes.write(op.rstd.tensor(), made.rstd);
  });
}

void GaudiKernels::run(const EmbeddingBackward& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const Value z = nodes.read(op.z);
    const Value d_y =
        nodes.cast(after_dropout(nodes, masks_, op.dropout, nodes.read(op.d.tensor())), z.type);
    const NormalisedGradients made = normalise_backward(nodes, candidates_,
                                                        {.x = z,
                                                         .mean = nodes.read(op.mean),
                                                         .rstd = nodes.read(op.rstd),
                                                         .d_y = d_y,
                                                         .gamma = op.gamma});
    const Value d_z = nodes.f32(made.x);
    const auto scatter = [&](const InOut& table, const Tensor& ids) {
      nodes.add_to(table.tensor(),
                   scatter_sums(nodes, candidates_, d_z, nodes.read(ids), table.tensor().dim(0)));
    };
    scatter(op.d_tables.word, op.ids.word);
    scatter(op.d_tables.position, op.ids.position);
    scatter(op.d_tables.segment, op.ids.segment);
    nodes.add_to(op.d_gamma.tensor(), made.gamma);
    nodes.add_to(op.d_beta.tensor(), made.beta);
  });
}

}  // namespace bertha::ops
