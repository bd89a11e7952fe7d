#pragma once

// The weights of an encoder's products for inference in the compute dtype: held once, as the
// device's kernels read them (ops/weight_panels.h), and in no other form.

#include <cstdint>
#include <vector>

#include "bert/encoder_products.h"

namespace bertha::bert {

class PackedParameters final : public EncoderProducts {
 public:
  /// In panels where the device reads such and the inputs are whole words of them, else as rows
  /// [channels, inputs].
  PackedParameters(Device& device, const ParameterTable& table, DType compute);

  ProductWeight weight(int index) const override { return {.wide = products_[product_of(index)]}; }
  void write(int index, const float* values) override;
  void read(int index, float* values) const override;

 private:
  Tensor part(int index) const;

  int64_t panel_channels_;  ///< of a panel; 1: there are none
  std::vector<Tensor> products_;
};

}  // namespace bertha::bert
