#pragma once

#include <cstdint>
#include <vector>

#include "bert/pretraining.h"
#include "core/device.h"
#include "core/ragged_batch.h"

namespace bertha::bert {

/// Rounded-up sizes of a micro-batch: a step is a fixed program over few shapes. Steps of 1/64 of
/// the size, so filling up costs under 1.6 %, and never under 8 in host memory, 32 elsewhere.
int64_t bucket_of(int64_t count, Memory memory);

/// The same on a device that compiles a graph for each shape, which takes minutes: eight sizes for
/// each power of two, none under 32.
int64_t coarse_bucket_of(int64_t count);

/// The largest micro-batch a run can meet.
struct BatchLimits {
  int64_t tokens = 0;
  int64_t sequences = 0;
  int64_t masked = 0;
  /// False for a model with one type of tokens: all segments become 0, as transformers does for
  /// inputs without token types.
  bool token_types = true;
  /// Whether a sequence without tokens may follow the batch's own. False for labels that are
  /// numbers: each of them weighs.
  bool fills_sequences = true;
};

/// Device memory of one micro-batch, made once and written again and again. Rows up to the bucket
/// are filled with token 0 and label -1; they belong to no sequence and weigh nothing. On a device
/// that compiles a graph for each shape, sequences are filled up, too, with empty ones of label -1
/// that begin at the first row behind the batch's own, and masked rows up to their limit.
class DeviceBatch {
 public:
  DeviceBatch(Device& device, const BatchLimits& limits);

  /// What each loss term's gradient is multiplied by.
  struct Scales {
    float masked = 0;
    float next_sentence = 0;
  };
  /// Copies a batch for training.
  bert::PretrainingInputs upload(const PretrainingBatch& batch, const Scales& scales,
                                 uint64_t dropout_seed, uint32_t draw);
  /// Without dropout and without gradient.
  bert::PretrainingInputs upload_for_evaluation(const PretrainingBatch& batch);
  /// Tokens alone, for prediction.
  bert::EncoderInputs upload_tokens(const RaggedBatch& batch);

  /// Views of the limits' sizes, for the dry run that sizes the arena.
  bert::PretrainingInputs largest(bool training) const;

 private:
  Tensor view(int64_t slot_offset, DType dtype, int64_t count) const;
  /// Extents of the views of a batch.
  int64_t token_count(int64_t tokens, bool needs_spare_row) const;
  int64_t sequence_count(int64_t sequences) const;
  int64_t masked_count(int64_t masked) const;
  Tensor write_padded(int64_t slot_offset, const std::vector<int32_t>& values, int64_t bucket,
                      int32_t filler);
  bert::PretrainingInputs upload_labels(const PretrainingBatch& batch);

  Device& device_;
  bool has_few_shapes_;
  BatchLimits limits_;  ///< tokens and masked rows as buckets
  Buffer buffer_;
  std::vector<int32_t> staging_;
  /// Byte offsets of the parts in the buffer.
  struct Layout {
    int64_t words, positions, segments, seq_start, rows, labels, next_sentence, scales, seed, end;
  } layout_;
};

}  // namespace bertha::bert
