#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/strings.h"
#include "dataset/hdf5_shard.h"
#include "io/hdf5/hdf5_column.h"

// A shard is read in blocks of rows, and each row is checked before its tokens are kept, so memory
// grows with valid rows only. One reader serves both layouts: an unpacked row is a row with one
// sequence, whose start needs no column.

namespace bertha::dataset {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 22;  // size of input_ids in memory

using Row = std::span<const int32_t>;

/// A column and the block of its rows in memory.
class BlockColumn {
 public:
  BlockColumn(const io::Hdf5File& source, const char* name, int rank)
      : column_(source, name, rank) {}

  const io::Column& column() const { return column_; }
  const char* name() const { return column_.name(); }
  int64_t width() const { return column_.width(); }
  void load(int64_t first, int64_t count) { column_.read(first, count, values_); }
  /// Row `row` of the block.
  Row operator[](int64_t row) const {
    return Row(values_).subspan(static_cast<size_t>(row * width()), static_cast<size_t>(width()));
  }

 private:
  io::Column column_;
  std::vector<int32_t> values_;
};

/// The datasets of a packed shard that an unpacked shard lacks.
struct PackedColumns {
  explicit PackedColumns(const io::Hdf5File& source)
      : positions(source, "positions", 2),
        next_positions(source, "next_sentence_positions", 2),
        next_weights(source, "next_sentence_weights", 2) {}

  BlockColumn positions, next_positions, next_weights;
};

/// Opens a file with the six datasets that every shard has.
io::Hdf5File open_shard(const std::string& path) {
  static const std::vector<std::string> kNames = {"input_ids",     "input_mask",
                                                  "segment_ids",   "masked_lm_positions",
                                                  "masked_lm_ids", "next_sentence_labels"};
  io::Hdf5File source(path);
  std::vector<std::string> missing;
  for (const std::string& name : kNames) {
    if (!source.has(name)) missing.push_back(name);
  }
  if (missing.empty()) return source;
  fail("{}: not a pre-training shard: missing {} of the datasets {}", path,
       missing.size() == kNames.size() ? "all" : join(missing, ", "), join(kNames, ", "));
}

bool is_packed(const io::Hdf5File& source) {
  return source.has("positions") || source.has("next_sentence_positions") ||
         source.has("next_sentence_weights");
}

class ShardReader {
 public:
  explicit ShardReader(const std::string& path)
      : source_(open_shard(path)),
        ids_(source_, "input_ids", 2),
        mask_(source_, "input_mask", 2),
        segments_(source_, "segment_ids", 2),
        masked_(source_, "masked_lm_positions", 2),
        labels_(source_, "masked_lm_ids", 2),
        next_(source_, "next_sentence_labels", is_packed(source_) ? 2 : 1) {
    if (is_packed(source_)) packed_.emplace(source_);
    expect_extent(mask_, ids_.width());
    expect_extent(segments_, ids_.width());
    expect_extent(masked_, masked_.width());
    expect_extent(labels_, masked_.width());
    expect_extent(next_, next_.width());
    if (!packed_) return;
    expect_extent(packed_->positions, ids_.width());
    expect_extent(packed_->next_positions, next_.width());
    expect_extent(packed_->next_weights, next_.width());
  }

  ShardShape shape() const {
    return {rows(), ids_.width(), masked_.width(), packed_ ? next_.width() : 0};
  }

  /// Checks all rows and appends them to `shard`.
  void read(const ShardLimits& limits, RaggedShard& shard);
  /// Lengths of all sequences. Reads only input_mask.
  std::vector<int32_t> read_lengths();

 private:
  int64_t rows() const { return ids_.column().rows(); }
  int64_t block_rows() const {
    const int64_t width = std::max(ids_.width(), masked_.width());
    return std::clamp<int64_t>(kBlockBytes / 4 / width, 1, rows());
  }
  void load(int64_t first, int64_t count);

  void expect_extent(const BlockColumn& column, int64_t width) const {
    if (column.column().rows() == rows() && column.width() == width) return;
    fail("{}: {}: extent {} by {}, expected {} by {}", source_.path(), column.name(),
         column.column().rows(), column.width(), rows(), width);
  }

  // The checks of the current row: row `row_` of the file, `in_block_` of the block.
  void find_lengths();
  void append_tokens(const ShardLimits& limits, RaggedShard& shard) const;
  void append_sequences(const ShardLimits& limits, RaggedShard& shard) const;
  void append_masked(const ShardLimits& limits, RaggedShard& shard);
  void check_places() const;
  void check_unused() const;

  template <typename... Args>
  [[noreturn]] void fail_row(const BlockColumn& column, fmt::format_string<Args...> format,
                             Args&&... args) const {
    fail("{}: {}: row {}: {}", source_.path(), column.name(), row_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  io::Hdf5File source_;
  BlockColumn ids_, mask_, segments_, masked_, labels_, next_;
  std::optional<PackedColumns> packed_;
  int64_t row_ = 0;
  int64_t in_block_ = 0;
  std::vector<int32_t> lengths_;  ///< of the sequences of the row
  int64_t tokens_ = 0;            ///< in the row
  int64_t predictions_ = 0;       ///< in the row
  std::vector<uint8_t> taken_;    ///< places of the row that are masked
};

void ShardReader::load(int64_t first, int64_t count) {
  for (BlockColumn* column : {&ids_, &mask_, &segments_, &masked_, &labels_, &next_}) {
    column->load(first, count);
  }
  if (!packed_) return;
  for (BlockColumn* column :
       {&packed_->positions, &packed_->next_positions, &packed_->next_weights}) {
    column->load(first, count);
  }
}

/// The mask numbers the sequences of a row from 1, end to end, followed by zeros.
void ShardReader::find_lengths() {
  const Row mask = mask_[in_block_];
  lengths_.clear();
  size_t at = 0;
  for (int32_t sequence = 1; at < mask.size() && mask[at] == sequence; ++sequence) {
    const size_t begin = at;
    while (at < mask.size() && mask[at] == sequence) ++at;
    lengths_.push_back(static_cast<int32_t>(at - begin));
  }
  tokens_ = static_cast<int64_t>(at);
  const bool clean = std::ranges::all_of(mask.subspan(at), [](int32_t m) { return m == 0; });
  const bool fits = packed_ ? std::ssize(lengths_) <= next_.width() : lengths_.size() == 1;
  if (clean && fits && !lengths_.empty()) return;
  if (!packed_) fail_row(mask_, "expected ones, then zeros");
  fail_row(mask_, "expected up to {} sequences numbered from 1, then zeros", next_.width());
}

void ShardReader::append_tokens(const ShardLimits& limits, RaggedShard& shard) const {
  const auto count = static_cast<size_t>(tokens_);
  const Row ids = ids_[in_block_].first(count);
  const Row segments = segments_[in_block_].first(count);
  // As unsigned numbers, negative ids are the largest. Loops without an early exit can be
  // vectorized.
  uint32_t largest_id = 0;
  for (const int32_t id : ids) largest_id = std::max(largest_id, static_cast<uint32_t>(id));
  uint32_t segment_bits = 0;
  for (const int32_t segment : segments) segment_bits |= static_cast<uint32_t>(segment);
  if (largest_id >= limits.vocab_size) {
    fail_row(ids_, "id {}, the vocabulary has {}", static_cast<int32_t>(largest_id),
             limits.vocab_size);
  }
  if (segment_bits > 1) {
    const auto is_wrong = [](int32_t segment) { return segment != 0 && segment != 1; };
    fail_row(segments_, "{}, expected 0 or 1", *std::ranges::find_if(segments, is_wrong));
  }
  shard.ids.insert(shard.ids.end(), ids.begin(), ids.end());
  shard.segments.insert(shard.segments.end(), segments.begin(), segments.end());
}

void ShardReader::append_sequences(const ShardLimits& limits, RaggedShard& shard) const {
  for (size_t i = 0; i < lengths_.size(); ++i) {
    if (lengths_[i] > limits.max_position) {
      fail_row(mask_, "{} tokens, the model takes {}", lengths_[i], limits.max_position);
    }
    const int32_t label = next_[in_block_][i];
    if (label != 0 && label != 1) fail_row(next_, "{}, expected 0 or 1", label);
    shard.next_sentence.push_back(static_cast<uint8_t>(label));
    shard.sequence_start.push_back(shard.sequence_start.back() + lengths_[i]);
  }
  shard.row_start.push_back(static_cast<int64_t>(shard.next_sentence.size()));
}

void ShardReader::append_masked(const ShardLimits& limits, RaggedShard& shard) {
  const Row places = masked_[in_block_];
  const Row labels = labels_[in_block_];
  const auto first_zero = std::ranges::find(places, 0);
  predictions_ = first_zero == places.end() ? std::min(masked_.width(), limits.max_predictions)
                                            : first_zero - places.begin();
  taken_.assign(static_cast<size_t>(tokens_), 0);
  for (size_t i = 0; i < static_cast<size_t>(predictions_); ++i) {
    const int32_t place = places[i];
    if (place < 0 || place >= tokens_) {
      fail_row(masked_, "position {} in {} tokens", place, tokens_);
    }
    if (std::exchange(taken_[static_cast<size_t>(place)], uint8_t{1}) != 0) {
      fail_row(masked_, "position {} occurs twice", place);
    }
    if (labels[i] < 0 || labels[i] >= limits.vocab_size) {
      fail_row(labels_, "id {}, the vocabulary has {}", labels[i], limits.vocab_size);
    }
    shard.masked_positions.push_back(place);
    shard.masked_labels.push_back(labels[i]);
  }
  shard.masked_start.push_back(static_cast<int64_t>(shard.masked_positions.size()));
}

/// Checks that the sequence starts of a packed row agree with its mask.
void ShardReader::check_places() const {
  const Row positions = packed_->positions[in_block_];
  const Row starts = packed_->next_positions[in_block_];
  const Row weights = packed_->next_weights[in_block_];
  int32_t begin = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const bool used = i < lengths_.size();
    if (weights[i] != (used ? 1 : 0)) {
      fail_row(packed_->next_weights, "weight {} of slot {}, expected {}", weights[i], i,
               used ? 1 : 0);
    }
    if (!used) continue;
    if (starts[i] != begin) {
      fail_row(packed_->next_positions, "{} for sequence {}, which begins at {}", starts[i], i + 1,
               begin);
    }
    for (int32_t offset = 0; offset < lengths_[i]; ++offset) {
      const int32_t position = positions[static_cast<size_t>(begin) + static_cast<size_t>(offset)];
      if (position != offset) {
        fail_row(packed_->positions, "{} at token {} of sequence {}", position, offset, i + 1);
      }
    }
    begin += lengths_[i];
  }
}

/// Checks that unused places hold zeros and that masked positions ascend.
void ShardReader::check_unused() const {
  const auto expect_zeros = [this](const BlockColumn& column, int64_t from) {
    for (const int32_t value : column[in_block_].subspan(static_cast<size_t>(from))) {
      if (value != 0) fail_row(column, "{} after the last entry, expected 0", value);
    }
  };
  expect_zeros(ids_, tokens_);
  expect_zeros(segments_, tokens_);
  expect_zeros(masked_, predictions_);
  expect_zeros(labels_, predictions_);
  if (!std::ranges::is_sorted(masked_[in_block_].first(static_cast<size_t>(predictions_)))) {
    fail_row(masked_, "positions are not ascending");
  }
  if (!packed_) return;
  expect_zeros(packed_->positions, tokens_);
  expect_zeros(next_, std::ssize(lengths_));
  expect_zeros(packed_->next_positions, std::ssize(lengths_));
}

void ShardReader::read(const ShardLimits& limits, RaggedShard& shard) {
  const int64_t step = block_rows();
  for (int64_t first = 0; first < rows(); first += step) {
    const int64_t count = std::min(step, rows() - first);
    load(first, count);
    for (in_block_ = 0; in_block_ < count; ++in_block_) {
      row_ = first + in_block_;
      find_lengths();
      append_tokens(limits, shard);
      append_sequences(limits, shard);
      append_masked(limits, shard);
      if (packed_) check_places();
      if (limits.strict) check_unused();
    }
  }
}

std::vector<int32_t> ShardReader::read_lengths() {
  std::vector<int32_t> all;
  const int64_t step = block_rows();
  for (int64_t first = 0; first < rows(); first += step) {
    const int64_t count = std::min(step, rows() - first);
    mask_.load(first, count);
    for (in_block_ = 0; in_block_ < count; ++in_block_) {
      row_ = first + in_block_;
      find_lengths();
      all.insert(all.end(), lengths_.begin(), lengths_.end());
    }
  }
  return all;
}

}  // namespace

ShardShape read_shard_shape(const std::string& path) {
  return ShardReader(path).shape();
}

std::vector<int32_t> read_sequence_lengths(const std::string& path) {
  return ShardReader(path).read_lengths();
}

RaggedShard read_shard(const std::string& path, const ShardLimits& limits) {
  BERTHA_CHECK(limits.vocab_size > 0 && limits.max_position > 0 && limits.max_predictions > 0);
  RaggedShard shard;
  shard.sequence_start.assign(1, 0);
  shard.row_start.assign(1, 0);
  shard.masked_start.assign(1, 0);
  ShardReader(path).read(limits, shard);
  return shard;
}

void RaggedShard::append_row(int64_t row, PretrainingBatch& batch) const {
  const auto at = static_cast<size_t>(row);
  const auto first_token = static_cast<int32_t>(batch.tokens());
  for (auto n = static_cast<size_t>(row_start[at]); n < static_cast<size_t>(row_start[at + 1]);
       ++n) {
    const int64_t begin = sequence_start[n];
    const int64_t end = sequence_start[n + 1];
    batch.ids.insert(batch.ids.end(), ids.begin() + begin, ids.begin() + end);
    batch.segments.insert(batch.segments.end(), segments.begin() + begin, segments.begin() + end);
    for (int64_t i = begin; i < end; ++i) {
      batch.positions.push_back(static_cast<int32_t>(i - begin));
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
    batch.next_sentence.push_back(next_sentence[n]);
  }
  for (auto m = static_cast<size_t>(masked_start[at]);
       m < static_cast<size_t>(masked_start[at + 1]); ++m) {
    batch.masked_rows.push_back(first_token + masked_positions[m]);
    batch.masked_labels.push_back(masked_labels[m]);
  }
}

}  // namespace bertha::dataset
