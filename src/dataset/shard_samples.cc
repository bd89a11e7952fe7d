#include "dataset/shard_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "dataset/hdf5_shard.h"

namespace bertha::dataset {
namespace {

/// Joins the pieces of a sequence. Masked tokens are written in braces with their label: "the {cat}
/// sat".
std::string decode(const PretrainingBatch& batch, size_t sequence,
                   const text::Vocabulary& vocabulary) {
  std::string text;
  for (auto t = batch.seq_start[sequence]; t < batch.seq_start[sequence + 1]; ++t) {
    const auto masked = std::ranges::find(batch.masked_rows, t);
    const bool is_masked = masked != batch.masked_rows.end();
    const int32_t id =
        is_masked ? batch.masked_labels[static_cast<size_t>(masked - batch.masked_rows.begin())]
                  : batch.ids[static_cast<size_t>(t)];
    std::string_view piece = vocabulary.piece(id);
    const bool goes_on = piece.starts_with("##") && piece.size() > 2;
    if (goes_on) piece.remove_prefix(2);
    if (!goes_on && !text.empty()) text += ' ';
    text += is_masked ? fmt::format("{{{}}}", piece) : std::string(piece);
  }
  return text;
}

}  // namespace

std::vector<ShardSample> sample_shard(const std::string& file, const text::Vocabulary& vocabulary,
                                      int64_t rows) {
  const ShardShape shape = read_shard_shape(file);
  const RaggedShard shard = read_shard(file, {.vocab_size = vocabulary.size(),
                                              .max_position = shape.seq_length,
                                              .max_predictions = shape.max_predictions});
  std::vector<ShardSample> samples;
  for (int64_t i = 0; i < std::min(rows, shard.rows()); ++i) {
    PretrainingBatch batch;
    batch.clear();
    const int64_t row = shard.rows() * i / rows;
    shard.append_row(row, batch);
    for (size_t n = 0; n < static_cast<size_t>(batch.sequences()); ++n) {
      samples.push_back({row, batch.next_sentence[n] == 1, decode(batch, n, vocabulary)});
    }
  }
  return samples;
}

}  // namespace bertha::dataset
