#include "ops/gaudi/dropout_gaudi.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "backend/gaudi/allocation.h"
#include "backend/gaudi/synapse_abi.h"
#include "core/error.h"
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

std::array<int64_t, 2> seed_and_draw_of(gaudi::HostBytes sources) {
  std::array<int64_t, 2> seed_and_draw{};
  std::memcpy(seed_and_draw.data(), sources.data(), sizeof(seed_and_draw));
  return seed_and_draw;
}

Value factors(const NodeBuilder& nodes, const Dropout& dropout, const Value& mask) {
  return nodes.mult(nodes.f32(mask), nodes.constant(dropout.scale()));
}

/// The seed of one dropout in one draw, for the device's generator.
Value device_seed(const NodeBuilder& nodes, const Dropout& dropout, const std::string& name) {
  const auto fill = [site = dropout.site](gaudi::HostBytes sources, std::span<std::byte> operand) {
    const std::array<int64_t, 2> of = seed_and_draw_of(sources);
    const PhiloxBlock words =
        philox({site, static_cast<uint32_t>(of[1]), 0, 0}, static_cast<uint64_t>(of[0]));
    const uint32_t seed = words[0] >> 1;  // not negative as i32
    std::memcpy(operand.data(), &seed, sizeof(seed));
  };
  return nodes.recorder().host_input("seed of " + name, {ElementType::kI32, {1}},
                                     std::span(&dropout.seed, 1), fill);
}

struct Dropped {
  Value y;
  Value mask;
};

Dropped by_generator(const NodeBuilder& nodes, float ratio, const Value& x, const Value& seed) {
  const std::vector<Value> made = nodes.recorder().node(
      "dropout_fwd_f32", {x, seed}, {{ElementType::kF32, x.sizes}, {ElementType::kI8, x.sizes}},
      gaudi::abi::DropoutParameters{.ratio = ratio, .seed = 0});
  return {.y = made[0], .mask = made[1]};
}

}  // namespace

MaskSource choose_mask_source(KernelCandidates& candidates) {
  constexpr const char* kWhat = "masks of dropout";
  const Sizes sizes = {128, 64};
  const Candidate host = {"the host, and a product", [&](const NodeBuilder& on) {
                            const Value mask = probe_operand(on, "mask", ElementType::kI8, sizes);
                            const Value x = probe_operand(on, "x", ElementType::kF32, sizes);
                            on.recorder().keep(on.mult(x, on.f32(mask)));
                          }};
  const Candidate device = {"dropout_fwd", [&](const NodeBuilder& on) {
                              const Value x = probe_operand(on, "x", ElementType::kF32, sizes);
                              const Value seed = probe_operand(on, "seed", ElementType::kI32, {1});
                              const Dropped made = by_generator(on, 0.5F, x, seed);
                              on.recorder().keep(made.y);
                              on.recorder().keep(made.mask);
                            }};
  const char* variable = std::getenv("BERTHA_GAUDI_DROPOUT");
  const std::string_view asked = variable == nullptr ? "" : variable;
  if (asked == "device") {
    candidates.choose(kWhat, {device});
    return MaskSource::kDevice;
  }
  if (asked == "host") {
    candidates.choose(kWhat, {host});
    return MaskSource::kHost;
  }
  if (!asked.empty()) fail("BERTHA_GAUDI_DROPOUT={}: expected host or device", asked);
  return candidates.choose(kWhat, {host, device}) == 0 ? MaskSource::kHost : MaskSource::kDevice;
}

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

Value drop(const NodeBuilder& nodes, MaskSource source, const Dropout& dropout, const Value& x,
           const HostMask& mask) {
  const Value wide = nodes.f32(x);
  if (source == MaskSource::kHost) {
    const Value drawn = nodes.recorder().host_input(mask.name, {ElementType::kI8, x.sizes},
                                                    mask.sources, mask.fill);
    return nodes.mult(wide, factors(nodes, dropout, drawn));
  }
  if (const Value drawn = nodes.recorder().recall(mask.name); !drawn.empty()) {
    return nodes.mult(wide, factors(nodes, dropout, drawn));
  }
  const float ratio = static_cast<float>(dropout.dropped_of_65536) / 65536;
  const Dropped made = by_generator(nodes, ratio, wide, device_seed(nodes, dropout, mask.name));
  nodes.recorder().remember(mask.name, made.mask);
  return made.y;
}

Value after_dropout(const NodeBuilder& nodes, MaskSource source, const Dropout& dropout,
                    const Value& x) {
  if (!dropout.active()) return x;
  const auto fill = [dropout](gaudi::HostBytes sources, std::span<std::byte> mask) {
    const std::array<int64_t, 2> seed_and_draw = seed_and_draw_of(sources);
    parallel_ranges(std::ssize(mask), 1 << 14, [&](int64_t begin, int64_t end, int64_t) {
      draw_mask(dropout, seed_and_draw, begin,
                mask.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
    });
  };
  return drop(nodes, source, dropout, x,
              {.name = mask_name(dropout, x.sizes), .sources = {dropout.seed}, .fill = fill});
}

}  // namespace bertha::ops
