#pragma once

// The weights of an encoder's products as 8-bit integers (ops/int8_weights.h), packed as kernels
// read them.

#include <vector>

#include "bert/encoder_products.h"
#include "ops/int8_linear.h"
#include "ops/int8_weights.h"

namespace bertha::bert {

class Int8Parameters final : public EncoderProducts {
 public:
  /// Throws Error when the device has no kernel for such products of activations of type `compute`,
  /// and when a size of the encoder does not fit the kernels.
  Int8Parameters(Device& device, const ParameterTable& table, DType compute);

  ProductWeight weight(int index) const override { return {.int8 = &products_[product_of(index)]}; }
  /// Quantises the elements of a parameter, which are finite.
  void write(int index, const float* values) override;
  /// Takes integers and scales as they are.
  void write(int index, const ops::Int8Channels& from);
  /// The elements that integers and scales give.
  void read(int index, float* values) const override;

 private:
  /// A parameter's part of its product.
  struct Part {
    Tensor packed, scales, sums;
  };

  Part part(int index) const;

  std::vector<ops::Int8Weight> products_;
};

}  // namespace bertha::bert
