#pragma once

// bzip2, its blocks decompressed in parallel whether they come in one stream or in many: blocks are
// found by the 48-bit pattern that each begins with, at any bit. The format has no official
// description; this follows J. Tsai, "BZIP2: Format Specification" (2016), and the sums it names.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "io/archive/byte_source.h"

namespace bertha::io {

/// `bytes` begins with "BZh" and outlives the source.
std::unique_ptr<ByteSource> open_bzip2(std::string_view bytes, int64_t threads);

/// A place where a block or the end of a stream may begin. In compressed data the pattern turns up
/// by chance once in 2^48 bits, so that a mark is a guess until its block has been decompressed.
struct Bzip2Mark {
  int64_t bit = 0;
  bool ends_stream = false;
};

/// The first mark that begins at bit `from` or later, in one pass over the bytes.
std::optional<Bzip2Mark> find_bzip2_mark(std::string_view bytes, int64_t from);

}  // namespace bertha::io
