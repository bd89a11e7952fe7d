#include "io/archive/snappy.h"

#include "io/weights/varint.h"

namespace bertha::io {
namespace {

/// Removes a little-endian number of `size` bytes from the front of `text`.
std::optional<size_t> take_number(std::string_view& text, size_t size) {
  if (text.size() < size) return std::nullopt;
  size_t value = 0;
  for (size_t i = 0; i < size; ++i) value |= size_t{static_cast<uint8_t>(text[i])} << (8 * i);
  text.remove_prefix(size);
  return value;
}

/// Expands a literal. Lengths of 60 and more mean that the length follows in 1 to 4 bytes.
bool expand_literal(uint8_t tag, std::string_view& block, std::vector<char>& out, size_t limit) {
  size_t length = tag >> 2U;
  if (length >= 60) {
    const auto wide = take_number(block, length - 59);
    if (!wide) return false;
    length = *wide;
  }
  ++length;
  if (length > block.size() || length > limit - out.size()) return false;
  out.insert(out.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(length));
  block.remove_prefix(length);
  return true;
}

/// Copies earlier output, which may overlap the destination.
bool expand_copy(uint8_t tag, std::string_view& block, std::vector<char>& out, size_t limit) {
  size_t length = (tag >> 2U) + size_t{1};
  std::optional<size_t> offset;
  if ((tag & 3U) == 1) {
    length = ((tag >> 2U) & 7U) + size_t{4};
    offset = take_number(block, 1);
    if (offset) *offset |= static_cast<size_t>(tag >> 5U) << 8U;
  } else {
    offset = take_number(block, (tag & 3U) == 2 ? 2 : 4);
  }
  if (!offset || *offset == 0 || *offset > out.size() || length > limit - out.size()) return false;
  for (size_t i = 0; i < length; ++i) out.push_back(out[out.size() - *offset]);
  return true;
}

}  // namespace

std::optional<std::vector<char>> snappy_expand(std::string_view block, size_t limit_bytes) {
  const auto length = take_varint(block);
  if (!length || *length > limit_bytes) return std::nullopt;
  std::vector<char> out;
  out.reserve(*length);
  while (!block.empty()) {
    const auto tag = static_cast<uint8_t>(block.front());
    block.remove_prefix(1);
    const bool good = (tag & 3U) == 0 ? expand_literal(tag, block, out, *length)
                                      : expand_copy(tag, block, out, *length);
    if (!good) return std::nullopt;
  }
  if (out.size() != *length) return std::nullopt;
  return out;
}

}  // namespace bertha::io
