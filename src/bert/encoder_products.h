#pragma once

// The weights of an encoder's products in a form of their own, for inference, apart from the flat
// buffers of the other parameters. Query, key and value of a layer are one product.

#include <cstdint>
#include <vector>

#include "bert/parameters.h"
#include "core/device.h"

namespace bertha::bert {

/// The weights of an encoder's products, as indices in the table.
std::vector<int> encoder_matrices(const ParameterTable& table);

class EncoderProducts {
 public:
  EncoderProducts(const EncoderProducts&) = delete;
  EncoderProducts& operator=(const EncoderProducts&) = delete;
  virtual ~EncoderProducts() = default;

  /// Whether a parameter is the weight of a product, or a part of it.
  bool holds(int index) const { return places_[static_cast<size_t>(index)].product >= 0; }
  /// The weight of a product; `index` is its only parameter, or the query's.
  virtual ProductWeight weight(int index) const = 0;
  /// Takes the elements of a parameter, rounded to what the form can hold.
  virtual void write(int index, const float* values) = 0;
  /// The elements that it holds.
  virtual void read(int index, float* values) const = 0;
  /// All memory, as if it were f32: what one rank sends to the others.
  Tensor flat() const;

 protected:
  /// A product's weight [channels, inputs].
  struct Size {
    int64_t channels;
    int64_t inputs;
  };
  /// Where a parameter lies: in a product, from this channel on.
  struct Place {
    int product = -1;
    int64_t first_channel = 0;
  };

  EncoderProducts(Device& device, const ParameterTable& table);

  /// Of each product; its place in the list is Place::product.
  const std::vector<Size>& sizes() const { return sizes_; }
  /// Of a parameter that is held.
  const Place& place(int index) const;
  /// The product of which `index` is the first parameter.
  size_t product_of(int index) const;
  Device& device() const { return device_; }
  const ParameterTable& table() const { return table_; }
  /// Makes the memory of all products, and lets the views in it see it.
  void allocate(int64_t size_bytes, const std::vector<Tensor*>& views);

 private:
  Device& device_;
  const ParameterTable& table_;
  std::vector<Place> places_;  ///< by index of the parameter
  std::vector<Size> sizes_;
  Buffer buffer_;
};

}  // namespace bertha::bert
