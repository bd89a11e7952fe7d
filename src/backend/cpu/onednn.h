#pragma once

// Matrix products by oneDNN. No oneDNN type leaves this folder. A CpuDevice owns one
// MatrixProducts; after the first step over a set of shapes its calls allocate nothing of their
// own: primitives are kept by shape, scratch memory only grows.
//
// f32 runs on oneDNN's packed GEMM with plain layouts, which measured faster than its blocked
// matmul (also on AVX2) and needs no copy of the weights. bf16 runs on the blocked matmul, with
// weights reordered once per change of the parameters. Products over tokens (weight gradients) copy
// both operands, because the kernel wants tokens innermost: on AMX with a kernel of our own
// (weight_gradient.h), elsewhere chunk by chunk.

#include <cstdint>
#include <memory>
#include <string>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha::cpu {

/// What a product applies to its sums before they are rounded and stored.
enum class Epilogue : uint8_t { kNone, kGelu, kTanh, kGeluTanh, kRelu, kSilu };

/// The version of the library that is loaded: "2.6.3".
std::string onednn_version();

class MatrixProducts {
 public:
  /// Copies of weights are noted in the profile of `device`.
  explicit MatrixProducts(const Device& device);
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// False where this processor and library have no product for the dtype.
  static bool supports(DType dtype);

  /// y [T,N] = epilogue(x [T,K] wᵀ + b), w [N,K], b f32 [N] or absent. `version` counts the changes
  /// of w: copies of an older one are made again.
  void forward(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue, Out y,
               uint64_t version);
  /// d_x [T,K] = d_y [T,N] w, or += with `add`.
  void backward_data(const Tensor& d_y, const Tensor& w, bool add, InOut d_x, uint64_t version);
  /// d_w f32 [N,K] += d_yᵀ x.
  void backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w);

  /// Drops the copies of weights that lie in [base, base + size_bytes).
  void forget(const void* base, int64_t size_bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::cpu
