#pragma once

// Pre-training shards, in the HDF5 layout of the reference.
// An unpacked shard of n rows, S tokens and P predictions has these datasets, in this order (layout
// of create_pretraining_data.py):
//   input_ids i4 [n,S], input_mask i1 [n,S], segment_ids i1 [n,S],
//   masked_lm_positions i4 [n,P], masked_lm_ids i4 [n,P], next_sentence_labels i1 [n].
// A packed shard holds up to K sequences per row, end to end (pack_pretraining_data_pytorch.py):
//   input_ids i4 [n,S], input_mask i4 [n,S] (1, 2, … = which sequence), segment_ids i1 [n,S],
//   positions i4 [n,S], masked_lm_positions i4 [n,P+K], masked_lm_ids i4 [n,P+K],
//   next_sentence_positions i4 [n,K] (where each begins), next_sentence_labels i1 [n,K],
//   next_sentence_weights i4 [n,K] (1 = there is such a sequence).
// Files may come from anywhere: all values are checked. The first fault throws Error that names the
// file, the dataset and the row.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/ragged_batch.h"

namespace bertha::dataset {

struct ShardShape {
  int64_t rows = 0;
  int64_t seq_length = 0;       ///< S
  int64_t max_predictions = 0;  ///< P, or P + K for a packed shard
  int64_t slots = 0;            ///< K for a packed shard, 0 for an unpacked one
  bool packed() const { return slots > 0; }
  int64_t sequences_a_row() const { return packed() ? slots : 1; }
  bool operator==(const ShardShape&) const = default;
};

/// One row of an unpacked shard; it arrives filled with zeros.
struct ShardRow {
  std::span<int32_t> input_ids;            ///< [S]
  std::span<int8_t> input_mask;            ///< [S] 1 = token
  std::span<int8_t> segment_ids;           ///< [S]
  std::span<int32_t> masked_lm_positions;  ///< [P] ascending, 0-filled
  std::span<int32_t> masked_lm_ids;        ///< [P] the original tokens, 0-filled
  int8_t& next_sentence_label;             ///< 1 = random next
};

/// Writes the values of row `row`. Several threads call it, once per row.
using FillRow = std::function<void(int64_t row, const ShardRow& out)>;

/// Writes an unpacked shard with gzip chunks of whole rows. The file gets its name when it is
/// complete and on disk; the folder is created if missing. The bytes depend on the values alone,
/// not on the processor or `threads`. Throws Error when the file cannot be written.
void write_shard(const std::string& path, const ShardShape& shape, const FillRow& fill,
                 int64_t threads);

/// One row of a packed shard; it arrives filled with zeros. M = shape.max_predictions.
struct PackedShardRow {
  std::span<int32_t> input_ids;                ///< [S]
  std::span<int32_t> input_mask;               ///< [S] number of the sequence, from 1
  std::span<int8_t> segment_ids;               ///< [S]
  std::span<int32_t> positions;                ///< [S] from 0 in each sequence
  std::span<int32_t> masked_lm_positions;      ///< [M] counted from the start of the row, 0-filled
  std::span<int32_t> masked_lm_ids;            ///< [M] the original tokens, 0-filled
  std::span<int32_t> next_sentence_positions;  ///< [K] first token of each sequence
  std::span<int8_t> next_sentence_labels;      ///< [K] 1 = random next
  std::span<int32_t> next_sentence_weights;    ///< [K] 1 = used
};
using FillPackedRow = std::function<void(int64_t row, const PackedShardRow& out)>;

/// Like write_shard, for a packed shard (shape.slots > 0).
void write_packed_shard(const std::string& path, const ShardShape& shape, const FillPackedRow& fill,
                        int64_t threads);

/// The shape of a shard, packed or not, from its metadata. Throws Error when the file is not a
/// shard.
ShardShape read_shard_shape(const std::string& path);

/// Lengths of the sequences of a shard, in order. Reads only input_mask.
std::vector<int32_t> read_sequence_lengths(const std::string& path);

/// The limits of the model.
struct ShardLimits {
  int64_t vocab_size = 0;
  int64_t max_position = 512;
  int64_t max_predictions = 20;  ///< masked entries read from a row without a position 0
  bool strict = false;           ///< also check unused places, which training does not read
};

/// The rows of a shard without padding. A micro-batch counts rows: one sequence, or all sequences
/// of a packed row.
struct RaggedShard {
  std::vector<int32_t> ids;               ///< [T]
  std::vector<uint8_t> segments;          ///< [T]
  std::vector<int64_t> sequence_start;    ///< [N+1] first token of a sequence
  std::vector<uint8_t> next_sentence;     ///< [N] 1 = random next
  std::vector<int64_t> row_start;         ///< [R+1] first sequence of a row
  std::vector<int32_t> masked_positions;  ///< [M] counted from the first token of the row
  std::vector<int32_t> masked_labels;     ///< [M]
  std::vector<int64_t> masked_start;      ///< [R+1] first masked entry of a row

  int64_t rows() const { return static_cast<int64_t>(row_start.size()) - 1; }
  /// Appends row `row` to `batch`.
  void append_row(int64_t row, PretrainingBatch& batch) const;
};

/// Reads a shard, packed or not. The masked entries of a row end at the first position 0, or at
/// limits.max_predictions.
RaggedShard read_shard(const std::string& path, const ShardLimits& limits);

}  // namespace bertha::dataset
