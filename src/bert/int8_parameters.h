#pragma once

// The weights of an encoder's products as 8-bit integers (ops/int8_weights.h), packed as kernels
// read them. Query, key and value of a layer are one product.

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "bert/parameters.h"
#include "core/device.h"
#include "ops/int8_linear.h"
#include "ops/int8_weights.h"

namespace bertha::bert {

/// The weights of an encoder's products, as indices in the table.
std::vector<int> encoder_matrices(const ParameterTable& table);

class Int8Parameters {
 public:
  /// Throws Error when the device has no kernel for such products of activations of type `compute`,
  /// and when a size of the encoder does not fit the kernels.
  Int8Parameters(Device& device, const ParameterTable& table, DType compute);
  Int8Parameters(const Int8Parameters&) = delete;
  Int8Parameters& operator=(const Int8Parameters&) = delete;

  /// Whether a parameter is the weight of a product, or a part of it.
  bool holds(int index) const { return places_[static_cast<size_t>(index)].product >= 0; }
  /// The weight of a product; `index` is its only parameter, or the query's.
  const ops::Int8Weight& weight(int index) const;

  /// Quantises the elements of a parameter, which are finite.
  void write(int index, const float* values);
  /// Takes integers and scales as they are.
  void write(int index, const ops::Int8Channels& from);
  /// The elements that integers and scales give.
  void read(int index, float* values) const;
  /// All memory, as if it were f32: what one rank sends to the others.
  Tensor flat() const;

 private:
  /// Where a parameter lies: in a product, from this channel on.
  struct Place {
    int product = -1;
    int64_t first_channel = 0;
  };
  /// A parameter's part of its product.
  struct Part {
    Tensor packed, scales, sums;
  };

  int64_t place(std::initializer_list<int> parameters, int64_t offset_bytes);
  Part part(int index) const;

  Device& device_;
  const ParameterTable& table_;
  std::vector<Place> places_;  ///< by index of the parameter
  std::vector<ops::Int8Weight> products_;
  Buffer buffer_;
};

}  // namespace bertha::bert
