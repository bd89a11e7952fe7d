#include "backend/cpu/onednn_descriptors.h"

namespace bertha::cpu {

dnnl::matmul::primitive_desc describe_matmul(const ProductOperands& operands,
                                             const dnnl::engine& engine) {
  using Desc = dnnl::matmul::desc;
  const Desc desc = operands.bias.is_zero()
                        ? Desc(operands.source, operands.weights, operands.target)
                        : Desc(operands.source, operands.weights, operands.bias, operands.target);
  return {desc, operands.attributes, engine};
}

void append_activation(dnnl::post_ops& post_ops, dnnl::algorithm activation, float alpha) {
  post_ops.append_eltwise(1.0F, activation, alpha, 0);
}

}  // namespace bertha::cpu
