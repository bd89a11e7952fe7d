#include "backend/cpu/onednn_descriptors.h"

namespace bertha::cpu {

dnnl::matmul::primitive_desc describe_matmul(const ProductOperands& operands,
                                             const dnnl::engine& engine) {
  if (operands.bias.is_zero()) {
    return {engine, operands.source, operands.weights, operands.target, operands.attributes};
  }
  return {engine,        operands.source, operands.weights,
          operands.bias, operands.target, operands.attributes};
}

void append_activation(dnnl::post_ops& post_ops, dnnl::algorithm activation, float alpha) {
  post_ops.append_eltwise(activation, alpha, 0);
}

}  // namespace bertha::cpu
