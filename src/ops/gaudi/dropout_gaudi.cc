#include "ops/gaudi/dropout_gaudi.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "backend/gaudi/allocation.h"
#include "core/parallel_for.h"

namespace bertha::ops {
namespace {

constexpr int64_t kBlock = 8;  ///< elements of one draw of Philox

/// Elements of one block that lie in [from, to).
void draw_block(const Dropout& dropout, std::span<const int64_t> seed_and_draw, int64_t from,
                int64_t to, std::byte* mask) {
  const auto block = static_cast<uint64_t>(from / kBlock);
  const PhiloxBlock words =
      philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), dropout.site,
              static_cast<uint32_t>(seed_and_draw[1])},
             static_cast<uint64_t>(seed_and_draw[0]));
  for (int64_t element = from; element < to; ++element) {
    const uint32_t word = words[static_cast<size_t>(element % kBlock / 2)];
    const uint32_t half = element % 2 == 0 ? word & 0xffffU : word >> 16;
    *mask++ = std::byte{half >= dropout.dropped_of_65536};
  }
}

}  // namespace

void draw_mask(const Dropout& dropout, std::span<const int64_t> seed_and_draw, int64_t first,
               std::span<std::byte> mask) {
  const int64_t end = first + std::ssize(mask);
  for (int64_t from = first; from < end;) {
    const int64_t to = std::min(end, (from / kBlock + 1) * kBlock);
    draw_block(dropout, seed_and_draw, from, to, mask.data() + (from - first));
    from = to;
  }
}

std::string mask_name(const Dropout& dropout, const Sizes& sizes) {
  return fmt::format("mask {} {} {} {} {}", dropout.site, dropout.dropped_of_65536,
                     static_cast<const void*>(&gaudi::allocation_of(dropout.seed)),
                     dropout.seed.offset_bytes(), gaudi::to_string(sizes));
}

Value mask_factors(const NodeBuilder& nodes, const Dropout& dropout, const Value& mask) {
  return nodes.mult(nodes.f32(mask), nodes.constant(dropout.scale()));
}

Value after_dropout(const NodeBuilder& nodes, const Dropout& dropout, const Value& x) {
  if (!dropout.active()) return x;
  const auto fill = [dropout](gaudi::HostBytes sources, std::span<std::byte> mask) {
    std::array<int64_t, 2> seed_and_draw{};
    std::memcpy(seed_and_draw.data(), sources.data(), sizeof(seed_and_draw));
    parallel_ranges(std::ssize(mask), 1 << 14, [&](int64_t begin, int64_t end, int64_t) {
      draw_mask(dropout, seed_and_draw, begin,
                mask.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
    });
  };
  const Value mask = nodes.recorder().host_input(
      mask_name(dropout, x.sizes), {ElementType::kI8, x.sizes}, std::span(&dropout.seed, 1), fill);
  return nodes.mult(nodes.f32(x), mask_factors(nodes, dropout, mask));
}

}  // namespace bertha::ops
