#pragma once

// Little-endian numbers in files. All supported formats and machines are little-endian.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace bertha::io {

static_assert(std::endian::native == std::endian::little);

/// Reads the number at `bytes`, which need not be aligned. The caller has checked the size.
template <typename T>
T load(const std::byte* bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

/// Appends a number to a byte string.
template <typename T>
void store(std::string& bytes, T value) {
  static_assert(std::is_arithmetic_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

}  // namespace bertha::io
