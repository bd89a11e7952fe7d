#pragma once

// The matrix products of ops/linear through cuBLASLt. One plan a shape: descriptors and an
// algorithm, chosen at the shape's first use and kept. Where the library offers no product, it runs
// again without the bias, which a kernel adds; where it offers none then, plain_products.h does.

#include <cstdint>
#include <memory>

#include "backend/cuda/cuda_device.h"
#include "core/fp8.h"
#include "core/tensor.h"

namespace bertha::cuda {

/// A factor of a product of 8-bit floats.
struct Fp8Factor {
  Tensor bytes;  ///< u8 [rows, depth]
  Fp8Format format = Fp8Format::kE4M3;
  Tensor state;  ///< f32 [kFp8State]
};

class MatrixProducts {
 public:
  explicit MatrixProducts(CudaDevice& device);
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// y [T,N] = x [T,K] w[N,K]ᵀ + b [N] (absent: 0), all of x's dtype.
  void forward(const Tensor& x, const Tensor& w, const Tensor& b, Out y);
  /// d_x [T,K] = d_y [T,N] w [N,K], or += with `add`.
  void backward_data(const Tensor& d_y, const Tensor& w, bool add, Out d_x);
  /// d_w f32 [N,K] = d_y[T,N]ᵀ x [T,K], or += with `add`.
  void backward_weights(const Tensor& d_y, const Tensor& x, bool add, InOut d_w);

  /// Whether the GPU and the library may have products of these sizes in fp8.
  bool has_fp8(int64_t rows, int64_t columns, int64_t depth) const;
  /// c [M,N] = left [M,K] right[N,K]ᵀ with both scales taken back, + bias [N] of c's dtype (absent:
  /// 0), or += with `add`. c is bf16 or f32. False, and nothing written, when the library has no
  /// such product.
  bool multiply_fp8(const Fp8Factor& left, const Fp8Factor& right, const Tensor& bias, bool add,
                    InOut c);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::cuda
