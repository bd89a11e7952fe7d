#pragma once

// The matrix products of ops/linear through cuBLASLt. One plan a shape: descriptors and an
// algorithm, chosen at the shape's first use and kept.

#include <cstdint>
#include <memory>

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"

namespace bertha::cuda {

class MatrixProducts {
 public:
  explicit MatrixProducts(CudaDevice& device);
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// The dtype in which forward() takes a bias for products of this shape: f32 where the library
  /// has that epilogue, else x's.
  DType bias_dtype(const Tensor& x, const Tensor& w);
  /// y [T,N] = x [T,K] w[N,K]ᵀ + b [N] (absent: 0).
  void forward(const Tensor& x, const Tensor& w, const Tensor& b, Out y);
  /// d_x [T,K] = d_y [T,N] w [N,K], or += with `add`.
  void backward_data(const Tensor& d_y, const Tensor& w, bool add, Out d_x);
  /// d_w f32 [N,K] += d_y[T,N]ᵀ x [T,K].
  void backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::cuda
