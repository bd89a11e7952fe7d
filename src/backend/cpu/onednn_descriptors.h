#pragma once

// The calls of oneDNN whose form differs between its releases 2 and 3. Release 2 builds an
// operation descriptor first, and scales activations. CMake picks onednn2/ or onednn3/.

#include <oneapi/dnnl/dnnl.hpp>

namespace bertha::cpu {

/// Operands of a product and what it applies to its sums. The zero descriptor means no bias.
struct ProductOperands {
  dnnl::memory::desc source;
  dnnl::memory::desc weights;
  dnnl::memory::desc target;
  dnnl::memory::desc bias = {};
  dnnl::primitive_attr attributes = {};
};

/// Throws dnnl::error where the library has no such product for this processor.
dnnl::matmul::primitive_desc describe_matmul(const ProductOperands& operands,
                                             const dnnl::engine& engine);
/// `alpha` is the parameter of the activation.
void append_activation(dnnl::post_ops& post_ops, dnnl::algorithm activation, float alpha);

}  // namespace bertha::cpu
