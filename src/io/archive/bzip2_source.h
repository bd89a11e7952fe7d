#pragma once

// Parallel decompression of bzip2 files with one stream or many. Each block begins with a 48-bit
// pattern at any bit position, so the reader searches for the pattern. The format has no official
// description; this follows J. Tsai, "BZIP2: Format Specification" (2016), including its checksums.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "io/archive/byte_source.h"

namespace bertha::io {

/// `bytes` must begin with "BZh" and outlive the source.
std::unique_ptr<ByteSource> open_bzip2(std::string_view bytes, int64_t threads);

/// A place where a block or the end of a stream may begin. The pattern occurs in compressed data by
/// chance once in 2^48 bits, so only the decompression of the block confirms a mark.
struct Bzip2Mark {
  int64_t bit = 0;
  bool ends_stream = false;
};

/// Finds the first mark that begins at bit `from` or later, in one pass over the bytes.
std::optional<Bzip2Mark> find_bzip2_mark(std::string_view bytes, int64_t from);

}  // namespace bertha::io
