#pragma once

// A deflate encoder for columns of shards, in a zlib stream that any inflater reads (RFC 1950 and
// 1951). Rows are 4-byte integers with two upper bytes of zero or runs of bytes, so what repeats
// does so at a multiple of 4 bytes: matches are looked for at words alone, of three words or more,
// with one candidate each. The bytes depend on the values alone, on any processor.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bertha::io {

/// Keeps its tables from one call to the next.
class Deflater {
 public:
  /// Bytes to copy as they are, then a match (length 0: none).
  struct Step {
    uint32_t literals = 0;
    uint16_t length = 0;
    uint16_t distance = 0;  ///< bytes, less 1
  };

  /// The zlib stream of `plain`, any bytes of less than 4 GiB: at most 11 bytes longer, and 5 in
  /// 65,535. It depends on `plain` alone. It lies in `room`, which grows as needed.
  std::span<const std::byte> deflate(std::span<const std::byte> plain,
                                     std::vector<std::byte>& room);

 private:
  void find_matches(std::span<const std::byte> plain);

  std::vector<uint32_t> latest_;  ///< word of a hash's latest occurrence
  std::vector<Step> steps_;
};

}  // namespace bertha::io
