#pragma once

// Dropout on a Gaudi device. The host draws the mask by the rule of ops/dropout.h before each
// launch, and the graph multiplies by it: the same elements are kept as on every other device.

#include <cstdint>
#include <span>

#include "ops/dropout.h"
#include "ops/gaudi/node_builder.h"

namespace bertha::ops {

/// Writes 1 for each of the elements [first, first + count) that dropout keeps, else 0.
void draw_mask(const Dropout& dropout, std::span<const int64_t> seed_and_draw, int64_t first,
               std::span<std::byte> mask);

/// x, row-major with element numbers from 0, after dropout, in f32; x itself without dropout.
Value after_dropout(const NodeBuilder& nodes, const Dropout& dropout, const Value& x);

/// An i8 mask times the dropout's scale, as factors in f32.
Value mask_factors(const NodeBuilder& nodes, const Dropout& dropout, const Value& mask);

/// A name that differs for dropouts whose masks may differ.
std::string mask_name(const Dropout& dropout, const Sizes& sizes);

}  // namespace bertha::ops
