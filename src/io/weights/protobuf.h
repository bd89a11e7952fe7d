#pragma once

// The part of the Protocol Buffers wire format that this program writes (protobuf.dev, "Encoding").
// The functions append fields to a string.

#include <cstdint>
#include <string>
#include <string_view>

#include "io/byte_order.h"

namespace bertha::io::protobuf {

enum class Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
  out.push_back(static_cast<char>(value));
}

inline void append_key(std::string& out, uint32_t field, Wire wire) {
  append_varint(out, uint64_t{field} << 3 | static_cast<uint32_t>(wire));
}

inline void append_integer(std::string& out, uint32_t field, int64_t value) {
  append_key(out, field, Wire::kVarint);
  append_varint(out, static_cast<uint64_t>(value));
}

inline void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_key(out, field, Wire::kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

inline void append_float(std::string& out, uint32_t field, float value) {
  append_key(out, field, Wire::kFixed32);
  store(out, value);
}

inline void append_double(std::string& out, uint32_t field, double value) {
  append_key(out, field, Wire::kFixed64);
  store(out, value);
}

}  // namespace bertha::io::protobuf
