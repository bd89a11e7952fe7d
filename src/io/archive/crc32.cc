#include "io/archive/crc32.h"

#include <libdeflate.h>
#include <zlib.h>

#include <vector>

#include "core/parallel_for.h"

namespace bertha::io {

// libdeflate uses carry-less multiplication where the processor has it; zlib's CRC would take
// longer than writing the checkpoint. zlib can combine two CRCs into one, so several threads share
// large data.
uint32_t crc32(std::span<const std::byte> data, uint32_t previous) {
  constexpr int64_t kGrain = 1 << 20;
  if (data.empty()) return previous;
  struct Part {
    int64_t size = 0;
    uint32_t crc = 0;
  };
  std::vector<Part> parts(static_cast<size_t>(range_count(std::ssize(data), kGrain)));
  parallel_ranges(std::ssize(data), kGrain, [&](int64_t begin, int64_t end, int64_t range) {
    const std::byte* from = data.data() + begin;
    const auto size = static_cast<size_t>(end - begin);
    parts[static_cast<size_t>(range)] = {end - begin,
                                         libdeflate_crc32(begin == 0 ? previous : 0, from, size)};
  });
  uint32_t crc = parts[0].crc;
  for (size_t i = 1; i < parts.size(); ++i) {
    crc = static_cast<uint32_t>(crc32_combine(crc, parts[i].crc, parts[i].size));
  }
  return crc;
}

}  // namespace bertha::io
