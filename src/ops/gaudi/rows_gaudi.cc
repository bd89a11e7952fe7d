#include "ops/gaudi/column_sums_gaudi.h"
#include "ops/gaudi/gaudi_kernels.h"

namespace bertha::ops {
namespace {

/// The elements of a tensor as one vector.
Value flat(const NodeBuilder& nodes, const Tensor& tensor) {
  return nodes.read(tensor, {tensor.size() * gaudi::layout_of(tensor.dtype()).elements_each});
}

}  // namespace

void GaudiKernels::run(const GatherRows& op) {
  record(op, [&](const NodeBuilder& nodes) {
    nodes.write(op.y.tensor(), nodes.gather(nodes.read(op.x), nodes.read(op.rows)));
  });
}

void GaudiKernels::run(const GatherRowsBackward& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const Tensor& d_x = op.d_x.tensor();
    nodes.add_to(d_x, scatter_sums(nodes, candidates_, nodes.f32(nodes.read(op.d_y)),
                                   nodes.read(op.rows), d_x.dim(0)));
  });
}

void GaudiKernels::run(const Convert& op) {
  record(op, [&](const NodeBuilder& nodes) { nodes.write(op.to.tensor(), flat(nodes, op.from)); });
}

void GaudiKernels::run(const Copy& op) {
  record(op, [&](const NodeBuilder& nodes) { nodes.write(op.to.tensor(), flat(nodes, op.from)); });
}

void GaudiKernels::run(const Zero& op) {
  const Tensor& to = op.to.tensor();
  if (to.size() == 0) return;  // NOLINT(readability-container-size-empty): of no elements
  record(op, [&](const NodeBuilder& nodes) {
    const gaudi::ElementLayout layout = gaudi::layout_of(to.dtype());
    nodes.write(to, nodes.zeros(layout.type, {to.size() * layout.elements_each}));
  });
}

}  // namespace bertha::ops
