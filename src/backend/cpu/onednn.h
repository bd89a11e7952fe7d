#pragma once

// bf16 products by oneDNN, for processors with AMX; kernels of our own (ops/cpu/cpu_products.h) run
// all others. No oneDNN type leaves this folder. A CpuDevice owns one MatrixProducts.
//
// A product is cut into blocks of tokens by panels of columns, which the thread pool runs. oneDNN
// computes one block in each call, on one thread. Panels are packed once per change of the
// parameters. No block has more than kBlockTokens tokens, so there are few primitives, whatever the
// batches are.

#include <cstdint>
#include <memory>
#include <string>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha::cpu {

class WeightCopies;

/// What a product applies to its sums before they are rounded and stored.
enum class Epilogue : uint8_t { kNone, kGelu, kTanh, kGeluTanh, kRelu, kSilu };

/// The version of the library that is loaded: "2.6.3".
std::string onednn_version();

class MatrixProducts {
 public:
  /// Packed weights are kept in `copies`; making them is noted in the profile of `device`.
  MatrixProducts(const Device& device, WeightCopies& copies);
  ~MatrixProducts();
  MatrixProducts(const MatrixProducts&) = delete;
  MatrixProducts& operator=(const MatrixProducts&) = delete;

  /// False where this processor and library have no bf16 products.
  static bool supported();

  /// y [T,N] = epilogue(x [T,K] wᵀ + b), w [N,K], b f32 [N] or absent, all others bf16. `version`
  /// counts the changes of w: copies of an older one are made again.
  void forward(const Tensor& x, const Tensor& w, const Tensor& b, Epilogue epilogue, Out y,
               uint64_t version);
  /// d_x [T,K] = d_y [T,N] w, or += with `add`.
  void backward_data(const Tensor& d_y, const Tensor& w, bool add, InOut d_x, uint64_t version);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::cpu
