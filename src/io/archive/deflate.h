#pragma once

// A deflate encoder for columns of shards. It writes a zlib stream that any inflater reads (RFC
// 1950 and 1951). Rows are 4-byte integers whose two upper bytes are zero, or runs of bytes, so
// repeated data starts at multiples of 4 bytes. The encoder therefore matches whole words only:
// three or more of them, with one candidate per position. The output depends on the values alone,
// not on the processor.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bertha::io {

/// Keeps its tables between calls.
class Deflater {
 public:
  /// Bytes to copy unchanged, then a match (length 0: no match).
  struct Step {
    uint32_t literals = 0;
    uint16_t length = 0;
    uint16_t distance = 0;  ///< bytes, minus 1
  };

  /// The zlib stream of `plain`, which may be any n < 2^32 bytes. The stream has at most n + 11 + 5
  /// * ceil(n / 65535) bytes and depends on `plain` alone. It is written to `buffer`, which grows
  /// as needed; the result is a view into it.
  std::span<const std::byte> deflate(std::span<const std::byte> plain,
                                     std::vector<std::byte>& buffer);

 private:
  void find_matches(std::span<const std::byte> plain);

  std::vector<uint32_t> latest_;  ///< most recent position of the word with each hash
  std::vector<Step> steps_;
};

}  // namespace bertha::io
