#pragma once

// Dropout on a Gaudi device: a mask of i8, and a product with it. The host draws the mask by the
// rule of ops/dropout.h before each launch, so that the same elements are kept as on every other
// device, or the device's own generator does. The generator's seed as an operand, and its bits, are
// documented for no kernel that draws Philox as that rule does, so this is no third way.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ops/dropout.h"
#include "ops/gaudi/kernel_candidates.h"
#include "ops/gaudi/node_builder.h"

namespace bertha::ops {

/// Writes 1 for each of the elements [first, first + count) that dropout keeps, else 0.
void draw_mask(const Dropout& dropout, std::span<const int64_t> seed_and_draw, int64_t first,
               std::span<std::byte> mask);

/// Who draws masks.
enum class MaskSource : uint8_t { kHost, kDevice };

/// The first of host and device of which the compiler takes a graph. The environment's
/// BERTHA_GAUDI_DROPOUT, "host" or "device", leaves the other out.
MaskSource choose_mask_source(KernelCandidates& candidates);

/// How the host draws a mask.
struct HostMask {
  std::string name;  ///< says all that the mask depends on
  std::vector<Tensor> sources;
  gaudi::HostFill fill;  ///< writes a byte for each element, 1 where it is kept
};

/// x after dropout, in f32. The device draws once for each name in a recording: the backward pass
/// and a forward pass that runs again keep the same elements.
Value drop(const NodeBuilder& nodes, MaskSource source, const Dropout& dropout, const Value& x,
           const HostMask& mask);

/// x, row-major with element numbers from 0, after dropout, in f32; x itself without dropout.
Value after_dropout(const NodeBuilder& nodes, MaskSource source, const Dropout& dropout,
                    const Value& x);

/// A name that differs for dropouts whose masks may differ.
std::string mask_name(const Dropout& dropout, const Sizes& sizes);

}  // namespace bertha::ops
