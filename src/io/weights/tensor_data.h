#pragma once

// What weight files hold: named tensors, as bytes in row-major order.

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

/// A tensor of a file. The bytes are a view into the mapped file where they stand there in order,
/// else a copy that `owned` keeps.
struct TensorData {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const std::vector<std::byte>> owned;

  int64_t size() const { return static_cast<int64_t>(bytes.size()) / size_of(dtype); }
};

/// Gives a tensor's bytes when a file is written: called once, it passes them to the sink in order,
/// in pieces of any size.
using ByteSink = std::function<void(std::span<const std::byte>)>;
using ByteSource = std::function<void(const ByteSink&)>;

/// Product of the extents, or −1 when one is negative or the product of those that are not 0 could
/// not be counted in bytes.
int64_t element_count(std::span<const int64_t> shape);
/// "[3, 5]".
std::string shape_string(std::span<const int64_t> shape);
/// Converts `from` to float: f32, f16, bf16 and f64; integers as numbers. The sizes must be equal.
void convert_to_f32(const TensorData& from, std::span<float> to);
/// Converts to f32, f16 or bf16, rounded to nearest even; what f16 cannot hold becomes infinite.
/// `to` has the sizes' bytes.
void convert_from_f32(std::span<const float> from, DType dtype, std::span<std::byte> to);
/// float to IEEE half, rounded to nearest even; NaN stays NaN.
uint16_t float_to_half(float value);
/// IEEE half to float, exactly; subnormals, infinities and NaN included.
float half_to_float(uint16_t half);

}  // namespace bertha::io
