#include "bert/device_batch.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/error.h"

namespace bertha::bert {
namespace {

/// Rows behind the largest bucket, of which empty sequences need one.
constexpr int64_t kSpareRows = 32;

}  // namespace

int64_t bucket_of(int64_t count, Memory memory) {
  // The CPU's products take 8 rows at a time. An accelerator keeps a graph for each bucket.
  const int64_t least = memory == Memory::kHost ? 8 : 32;
  const auto power =
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(count, 1))));
  const int64_t step = std::max<int64_t>(least, power / 64);
  return std::max<int64_t>((count + step - 1) / step, 1) * step;
}

int64_t coarse_bucket_of(int64_t count) {
  const auto power =
      static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max<int64_t>(count, 1))));
  const int64_t step = std::max<int64_t>(kSpareRows, power / 8);
  return std::max<int64_t>((count + step - 1) / step, 1) * step;
}

DeviceBatch::DeviceBatch(Device& device, const BatchLimits& limits)
    : device_(device), has_few_shapes_(device.compiles_each_shape()), limits_(limits) {
  BERTHA_CHECK(limits.tokens > 0 && limits.sequences > 0);
  limits_.tokens = bucket_of(limits.tokens, device.memory());
  limits_.masked = bucket_of(limits.masked, device.memory());
  const int64_t most_tokens = limits_.tokens + (has_few_shapes_ ? kSpareRows : 0);
  int64_t end = 0;
  const auto place = [&end](int64_t count, DType dtype) {
    const int64_t begin = end;
    end += align_up(count * size_of(dtype));
    return begin;
  };
  layout_.words = place(most_tokens, DType::kI32);
  layout_.positions = place(most_tokens, DType::kI32);
  layout_.segments = place(most_tokens, DType::kI32);
  layout_.seq_start = place(limits_.sequences + 1, DType::kI32);
  layout_.rows = place(limits_.masked, DType::kI32);
  layout_.labels = place(limits_.masked, DType::kI32);
  layout_.next_sentence = place(limits_.sequences, DType::kI32);
  // Two views of one element, each on an aligned address.
  layout_.scales = place(2 * kAlignmentBytes / size_of(DType::kF32), DType::kF32);
  layout_.seed = place(2, DType::kI64);
  layout_.end = end;
  buffer_ = device.allocate(end);
  staging_.reserve(static_cast<size_t>(std::max(most_tokens, limits_.masked)));
}

Tensor DeviceBatch::view(int64_t slot_offset, DType dtype, int64_t count) const {
  return Tensor(&buffer_, slot_offset, dtype, {count});
}

int64_t DeviceBatch::token_count(int64_t tokens, bool needs_spare_row) const {
  if (!has_few_shapes_) return bucket_of(tokens, device_.memory());
  const int64_t needed = tokens + (needs_spare_row ? 1 : 0);
  return std::min(coarse_bucket_of(needed),
                  needed <= limits_.tokens ? limits_.tokens : limits_.tokens + kSpareRows);
}

int64_t DeviceBatch::sequence_count(int64_t sequences) const {
  if (!has_few_shapes_ || !limits_.fills_sequences) return sequences;
  const auto rounded =
      static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(sequences, 1))));
  return std::min(rounded, limits_.sequences);
}

int64_t DeviceBatch::masked_count(int64_t masked) const {
  return has_few_shapes_ ? limits_.masked : bucket_of(masked, device_.memory());
}

Tensor DeviceBatch::write_padded(int64_t slot_offset, const std::vector<int32_t>& values,
                                 int64_t bucket, int32_t filler) {
  staging_.assign(values.begin(), values.end());
  staging_.resize(static_cast<size_t>(bucket), filler);
  const Tensor tensor = view(slot_offset, DType::kI32, bucket);
  device_.write(out(tensor), staging_.data());
  return tensor;
}

bert::EncoderInputs DeviceBatch::upload_tokens(const RaggedBatch& batch) {
  const int64_t tokens = batch.tokens();
  BERTHA_CHECK(tokens > 0 && bucket_of(tokens, device_.memory()) <= limits_.tokens &&
                   batch.sequences() <= limits_.sequences,
               "batch of {} tokens in {} sequences", tokens, batch.sequences());
  const int64_t sequences = sequence_count(batch.sequences());
  const int64_t bucket = token_count(tokens, sequences > batch.sequences());
  bert::EncoderInputs inputs;
  inputs.ids.word = write_padded(layout_.words, batch.ids, bucket, 0);
  inputs.ids.position = write_padded(layout_.positions, batch.positions, bucket, 0);
  const std::vector<int32_t> none;
  inputs.ids.segment =
      write_padded(layout_.segments, limits_.token_types ? batch.segments : none, bucket, 0);
  inputs.seq_start =
      write_padded(layout_.seq_start, batch.seq_start, sequences + 1, batch.seq_start.back());
  return inputs;
}

bert::PretrainingInputs DeviceBatch::upload_labels(const PretrainingBatch& batch) {
  const auto masked = static_cast<int64_t>(batch.masked_rows.size());
  const int64_t bucket = masked_count(masked);
  BERTHA_CHECK(masked <= bucket && bucket <= limits_.masked &&
               masked == std::ssize(batch.masked_labels) &&
               batch.sequences() == std::ssize(batch.next_sentence));
  bert::PretrainingInputs inputs;
  inputs.encoder = upload_tokens(batch);
  inputs.masked_rows = write_padded(layout_.rows, batch.masked_rows, bucket, 0);
  inputs.masked_labels = write_padded(layout_.labels, batch.masked_labels, bucket, -1);
  inputs.next_sentence =
      write_padded(layout_.next_sentence, batch.next_sentence, inputs.encoder.sequences(), -1);
  return inputs;
}

bert::PretrainingInputs DeviceBatch::upload_for_evaluation(const PretrainingBatch& batch) {
  return upload_labels(batch);
}

bert::PretrainingInputs DeviceBatch::upload(const PretrainingBatch& batch, const Scales& scales,
                                            uint64_t dropout_seed, uint32_t draw) {
  bert::PretrainingInputs inputs = upload_labels(batch);
  inputs.masked_scale = view(layout_.scales, DType::kF32, 1);
  inputs.next_sentence_scale = view(layout_.scales + kAlignmentBytes, DType::kF32, 1);
  inputs.encoder.dropout_seed = view(layout_.seed, DType::kI64, 2);
  device_.write(out(inputs.masked_scale), &scales.masked);
  device_.write(out(inputs.next_sentence_scale), &scales.next_sentence);
  const std::array<int64_t, 2> seed = {static_cast<int64_t>(dropout_seed), int64_t{draw}};
  device_.write(out(inputs.encoder.dropout_seed), seed.data());
  return inputs;
}

bert::PretrainingInputs DeviceBatch::largest(bool training) const {
  bert::PretrainingInputs inputs;
  const int64_t tokens = limits_.tokens + (has_few_shapes_ ? kSpareRows : 0);
  inputs.encoder.ids.word = view(layout_.words, DType::kI32, tokens);
  inputs.encoder.ids.position = view(layout_.positions, DType::kI32, tokens);
  inputs.encoder.ids.segment = view(layout_.segments, DType::kI32, tokens);
  inputs.encoder.seq_start = view(layout_.seq_start, DType::kI32, limits_.sequences + 1);
  inputs.masked_rows = view(layout_.rows, DType::kI32, limits_.masked);
  inputs.masked_labels = view(layout_.labels, DType::kI32, limits_.masked);
  inputs.next_sentence = view(layout_.next_sentence, DType::kI32, limits_.sequences);
  if (training) {
    inputs.masked_scale = view(layout_.scales, DType::kF32, 1);
    inputs.next_sentence_scale = view(layout_.scales + kAlignmentBytes, DType::kF32, 1);
    inputs.encoder.dropout_seed = view(layout_.seed, DType::kI64, 2);
  }
  return inputs;
}

}  // namespace bertha::bert
