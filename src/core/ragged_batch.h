#pragma once

#include <cstdint>
#include <vector>

namespace bertha {

/// A micro-batch on the host: N sequences end to end, T tokens, no padding. Dataset code fills it,
/// and the trainer copies it to a device.
struct RaggedBatch {
  std::vector<int32_t> ids;        ///< [T] vocabulary index
  std::vector<int32_t> segments;   ///< [T] 0 or 1
  std::vector<int32_t> positions;  ///< [T] from 0 in each sequence
  std::vector<int32_t> seq_start;  ///< [N+1], from 0 to T

  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  int64_t sequences() const {
    return seq_start.empty() ? 0 : static_cast<int64_t>(seq_start.size()) - 1;
  }
  /// Removes the contents and keeps the allocated memory.
  void clear() {
    ids.clear();
    segments.clear();
    positions.clear();
    seq_start.assign(1, 0);
  }
};

/// A RaggedBatch with the labels of pre-training.
struct PretrainingBatch : RaggedBatch {
  std::vector<int32_t> masked_rows;    ///< [M] token index in the batch
  std::vector<int32_t> masked_labels;  ///< [M] vocabulary index
  std::vector<int32_t> next_sentence;  ///< [N] 1 = random next

  void clear() {
    RaggedBatch::clear();
    masked_rows.clear();
    masked_labels.clear();
    next_sentence.clear();
  }
};

}  // namespace bertha
