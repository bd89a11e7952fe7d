#pragma once

// The contents of weight files: named tensors, as bytes in row-major order.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace bertha::io {

/// A tensor of a file. The bytes are a view into the mapped file if the file has them in row-major
/// order, else a copy that `owned` keeps.
struct TensorData {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const std::vector<std::byte>> owned;

  int64_t size() const { return static_cast<int64_t>(bytes.size()) / size_of(dtype); }
};

/// Supplies the bytes of a tensor when a file is written. It is called once and passes the bytes to
/// the sink in order, in pieces of any size.
using ByteSink = std::function<void(std::span<const std::byte>)>;
using ByteSource = std::function<void(const ByteSink&)>;

/// Product of the extents, or −1 when an extent is negative or the size of the non-zero extents in
/// bytes would overflow.
int64_t element_count(std::span<const int64_t> shape);
/// "[3, 5]".
std::string shape_string(std::span<const int64_t> shape);
/// Converts `from` (f32, f16, bf16, f64 or integers) to float. The sizes must be equal.
void convert_to_f32(const TensorData& from, std::span<float> to);
/// Converts to f32, f16 or bf16, rounded to nearest even. Values out of range of f16 become
/// infinite. `to` must have exactly the bytes of the result.
void convert_from_f32(std::span<const float> from, DType dtype, std::span<std::byte> to);
/// float to IEEE half, rounded to nearest even. NaN stays NaN.
uint16_t float_to_half(float value);
/// IEEE half to float, exact, including subnormals, infinities and NaN.
float half_to_float(uint16_t half);

}  // namespace bertha::io
