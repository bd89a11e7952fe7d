#pragma once

// How the tensor core kernels of attention cut a batch into tiles, and where they keep dropout.
// Plain C++, for kernels and for plans.

#include <algorithm>
#include <cstdint>

namespace bertha::ops {

/// The head size of BERT-Base and BERT-Large, which the tensor core kernels are written for.
inline constexpr int kTensorCoreHeadSize = 64;
/// Queries and keys of a tile.
inline constexpr int kAttentionTileRows = 64;
/// 32-bit words of a tile's dropout, a bit a score.
inline constexpr int kAttentionTileWords = kAttentionTileRows * kAttentionTileRows / 32;

constexpr int64_t attention_tiles(int64_t rows) {
  return (rows + kAttentionTileRows - 1) / kAttentionTileRows;
}
/// Slots for the tiles of `sequences` sequences of `tokens` rows in all, whatever their lengths.
constexpr int64_t attention_tile_slots(int64_t tokens, int64_t sequences) {
  return attention_tiles(tokens) + sequences;
}
/// Tiles of keys that a sequence has at most.
constexpr int64_t attention_key_tiles(int64_t tokens, int64_t max_length) {
  return attention_tiles(std::min(tokens, max_length));
}

}  // namespace bertha::ops
