#pragma once

// How the optimizer's passes are cut into blocks: at most kNormBlock elements of one span
// each, in the order of the spans, so that a norm is a sum over consecutive blocks. Made on the
// host, read by kernels.

#include <cstdint>
#include <span>
#include <vector>

#include "ops/optimizer_steps.h"

namespace bertha::ops {

/// At most kNormBlock elements of the flat buffers.
struct NormBlock {
  int64_t offset;
  int32_t size;
  int32_t span;
};

/// The blocks [first, first + count) of a span.
struct SpanBlocks {
  int32_t first;
  int32_t count;
  int32_t decays;  ///< 1 or 0
  int32_t unused = 0;
};

inline std::vector<NormBlock> list_norm_blocks(Spans spans) {
  std::vector<NormBlock> blocks;
  for (size_t s = 0; s < spans.size(); ++s) {
    for (int64_t at = 0; at < spans[s].size; at += kNormBlock) {
      blocks.push_back({.offset = spans[s].offset + at,
                        .size = static_cast<int32_t>(std::min(kNormBlock, spans[s].size - at)),
                        .span = static_cast<int32_t>(s)});
    }
  }
  return blocks;
}

inline std::vector<SpanBlocks> list_span_blocks(Spans spans) {
  std::vector<SpanBlocks> result;
  int32_t first = 0;
  for (const ParameterSpan& span : spans) {
    const auto count = static_cast<int32_t>((span.size + kNormBlock - 1) / kNormBlock);
    result.push_back({.first = first, .count = count, .decays = span.decay ? 1 : 0});
    first += count;
  }
  return result;
}

}  // namespace bertha::ops
