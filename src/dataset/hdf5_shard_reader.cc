#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "dataset/hdf5_handle.h"
#include "dataset/hdf5_shard.h"

// A shard is read in blocks of rows, each checked before its tokens are kept, so memory grows with
// good rows only. Extents are believed up to what a file of this size can hold when deflated.

namespace bertha::dataset {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 22;  // of input_ids in memory
constexpr int64_t kCacheBytes = int64_t{1} << 28;  // most a dataset's chunk cache may take
constexpr int64_t kMaxDeflateRatio = 1032;         // of the deflate format
constexpr int64_t kSlackBytes = int64_t{1} << 20;  // a last, partly used chunk

class ShardSource {
 public:
  explicit ShardSource(std::string path) : path_(std::move(path)) {
    std::error_code error;
    file_bytes_ = static_cast<int64_t>(std::filesystem::file_size(path_, error));
    if (error) fail("{}: cannot read: {}", path_, error.message());
    const Hdf5Lock lock;
    const Hdf5Handle access = hdf5_access();
    file_ = Hdf5Handle(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
    if (!file_.valid()) fail("{}: not a whole HDF5 file ({})", path_, hdf5_error_text());
    refuse_packed();
  }

  const std::string& path() const { return path_; }
  int64_t file_bytes() const { return file_bytes_; }
  hid_t id() const { return file_.id(); }

  /// Whether `name` stands in the root group; links into other files are not followed.
  bool has(const char* name) const {
    H5L_info_t info{};
    return H5Lexists(id(), name, H5P_DEFAULT) > 0 &&
           H5Lget_info(id(), name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
  }

 private:
  void refuse_packed() const {
    for (const char* name : {"positions", "next_sentence_positions", "next_sentence_weights"}) {
      if (!has(name)) continue;
      fail(
          "{}: a packed shard (it has '{}'); expected an unpacked one, as "
          "--enable_packed_data_mode False reads",
          path_, name);
    }
  }

  std::string path_;
  int64_t file_bytes_ = 0;
  Hdf5Handle file_;
};

/// A dataset of integers, rows first.
class Column {
 public:
  Column(const ShardSource& source, const char* name, int rank) : source_(source), name_(name) {
    const Hdf5Lock lock;
    if (!source.has(name)) fail("{}: dataset '{}' is missing", source.path(), name);
    dataset_ = open(H5P_DEFAULT);
    check_type();
    read_extent(rank);
    check_storage();
  }

  int64_t rows() const { return rows_; }
  int64_t width() const { return width_; }
  const char* name() const { return name_; }

  /// Values of rows [first, first + count), count * width() of them. Integers of any size and byte
  /// order become int32; what does not fit becomes the nearest int32.
  void read(int64_t first, int64_t count, std::vector<int32_t>& values) {
    values.resize(static_cast<size_t>(count * width_));
    const Hdf5Lock lock;
    const std::array<hsize_t, 2> start = {static_cast<hsize_t>(first), 0};
    const std::array<hsize_t, 2> extent = {static_cast<hsize_t>(count),
                                           static_cast<hsize_t>(width_)};
    const Hdf5Handle space(H5Dget_space(dataset_.id()), H5Sclose);
    const Hdf5Handle memory(H5Screate_simple(rank_, extent.data(), nullptr), H5Sclose);
    const bool done = H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr,
                                          extent.data(), nullptr) >= 0 &&
                      H5Dread(dataset_.id(), H5T_NATIVE_INT32, memory.id(), space.id(), H5P_DEFAULT,
                              values.data()) >= 0;
    if (!done) {
      fail("{}: {}: cannot read rows {} to {}: {}", source_.path(), name_, first, first + count - 1,
           hdf5_error_text());
    }
  }

 private:
  Hdf5Handle open(hid_t access) const {
    Hdf5Handle dataset(H5Dopen2(source_.id(), name_, access), H5Dclose);
    if (!dataset.valid()) {
      fail("{}: '{}' is not a dataset ({})", source_.path(), name_, hdf5_error_text());
    }
    return dataset;
  }

  void check_type() const {
    const Hdf5Handle type(H5Dget_type(dataset_.id()), H5Tclose);
    if (H5Tget_class(type.id()) != H5T_INTEGER || H5Tget_size(type.id()) > sizeof(int64_t)) {
      fail("{}: {}: expected integers", source_.path(), name_);
    }
  }

  void read_extent(int rank) {
    const Hdf5Handle space(H5Dget_space(dataset_.id()), H5Sclose);
    rank_ = H5Sget_simple_extent_ndims(space.id());
    if (rank_ != rank) {
      fail("{}: {}: has {} dimensions, expected {}", source_.path(), name_, rank_, rank);
    }
    std::array<hsize_t, 2> extent = {0, 1};
    H5Sget_simple_extent_dims(space.id(), extent.data(), nullptr);
    const hsize_t most = hsize_t{1} << 31;
    if (extent[0] == 0 || extent[0] > most || extent[1] == 0 || extent[1] > most) {
      fail("{}: {}: extent {} by {}, expected 1 to 2^31", source_.path(), name_, extent[0],
           extent[1]);
    }
    rows_ = static_cast<int64_t>(extent[0]);
    width_ = static_cast<int64_t>(extent[1]);
  }

  /// No more than the file can hold, in chunks that fit in memory; values lie in this file.
  void check_storage() {
    const Hdf5Handle creation(H5Dget_create_plist(dataset_.id()), H5Pclose);
    const H5D_layout_t layout = H5Pget_layout(creation.id());
    const bool own = layout == H5D_COMPACT || layout == H5D_CHUNKED ||
                     (layout == H5D_CONTIGUOUS && H5Pget_external_count(creation.id()) == 0);
    if (!own) fail("{}: {}: values lie outside this file", source_.path(), name_);
    const auto bytes =
        static_cast<int64_t>(H5Tget_size(Hdf5Handle(H5Dget_type(dataset_.id()), H5Tclose).id()));
    const int64_t most_bytes = source_.file_bytes() * kMaxDeflateRatio + kSlackBytes;
    if (rows_ > most_bytes / width_ / bytes) {
      fail("{}: {}: {} rows of {}, more than a file of {} bytes holds", source_.path(), name_,
           rows_, width_, source_.file_bytes());
    }
    if (layout != H5D_CHUNKED) return;
    std::array<hsize_t, 2> chunk = {1, 1};
    H5Pget_chunk(creation.id(), rank_, chunk.data());
    const auto chunk_bytes = static_cast<int64_t>(chunk[0] * chunk[1]) * bytes;
    if (chunk_bytes > most_bytes) {
      fail("{}: {}: chunks of {} bytes, more than a file of {} bytes holds", source_.path(), name_,
           chunk_bytes, source_.file_bytes());
    }
    enlarge_cache(chunk_bytes * ((width_ - 1) / static_cast<int64_t>(chunk[1]) + 1));
  }

  /// Room for the chunks across a row, so that none is inflated twice while rows are read in turn.
  void enlarge_cache(int64_t bytes) {
    const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    const auto cache_bytes = static_cast<size_t>(std::clamp(bytes, int64_t{1} << 20, kCacheBytes));
    H5Pset_chunk_cache(access.id(), 12421, cache_bytes, 1.0);
    dataset_ = Hdf5Handle();
    dataset_ = open(access.id());
  }

  const ShardSource& source_;
  const char* name_;
  Hdf5Handle dataset_;
  int rank_ = 0;
  int64_t rows_ = 0;
  int64_t width_ = 1;
};

/// The six datasets of an unpacked shard, their extents agreeing.
class UnpackedShard {
 public:
  explicit UnpackedShard(const std::string& path)
      : source_(path),
        ids_(source_, "input_ids", 2),
        mask_(source_, "input_mask", 2),
        segments_(source_, "segment_ids", 2),
        positions_(source_, "masked_lm_positions", 2),
        labels_(source_, "masked_lm_ids", 2),
        next_(source_, "next_sentence_labels", 1) {
    expect_extent(mask_, ids_.width());
    expect_extent(segments_, ids_.width());
    expect_extent(positions_, positions_.width());
    expect_extent(labels_, positions_.width());
    expect_extent(next_, 1);
  }

  ShardShape shape() const { return {ids_.rows(), ids_.width(), positions_.width()}; }

  /// Appends all rows, checked, to `shard`.
  void read(const ShardLimits& limits, RaggedShard& shard);

 private:
  /// The values of a block of rows.
  struct Block {
    std::vector<int32_t> ids, mask, segments, positions, labels, next;
  };

  void expect_extent(const Column& column, int64_t width) const {
    if (column.rows() == ids_.rows() && column.width() == width) return;
    fail("{}: {}: extent {} by {}, expected {} by {}", source_.path(), column.name(), column.rows(),
         column.width(), ids_.rows(), width);
  }

  void append_tokens(const Block& block, int64_t row, int64_t in_block, const ShardLimits& limits,
                     RaggedShard& shard) const;
  void append_masked(const Block& block, int64_t row, int64_t in_block, const ShardLimits& limits,
                     RaggedShard& shard);

  template <typename... Args>
  [[noreturn]] void fail_row(const char* dataset, int64_t row, fmt::format_string<Args...> format,
                             Args&&... args) const {
    fail("{}: {}: row {}: {}", source_.path(), dataset, row,
         fmt::format(format, std::forward<Args>(args)...));
  }

  static std::span<const int32_t> row_of(const std::vector<int32_t>& values, int64_t row,
                                         int64_t width) {
    return std::span(values).subspan(static_cast<size_t>(row * width), static_cast<size_t>(width));
  }

  ShardSource source_;
  Column ids_, mask_, segments_, positions_, labels_, next_;
  std::vector<uint8_t> taken_;  ///< positions masked in the row at hand
};

/// Tokens of a row of which the mask is ones, then zeros; -1 when it is not.
int64_t masked_prefix(std::span<const int32_t> mask) {
  const auto zeros = std::ranges::find_if(mask, [](int32_t m) { return m != 1; });
  const bool clean = std::all_of(zeros, mask.end(), [](int32_t m) { return m == 0; });
  return clean ? zeros - mask.begin() : -1;
}

void UnpackedShard::append_tokens(const Block& block, int64_t row, int64_t in_block,
                                  const ShardLimits& limits, RaggedShard& shard) const {
  const int64_t length = masked_prefix(row_of(block.mask, in_block, mask_.width()));
  if (length < 1) fail_row("input_mask", row, "expected ones, then zeros");
  if (length > limits.max_position) {
    fail_row("input_mask", row, "{} tokens, the model takes {}", length, limits.max_position);
  }
  const auto count = static_cast<size_t>(length);
  for (const int32_t id : row_of(block.ids, in_block, ids_.width()).first(count)) {
    if (id < 0 || id >= limits.vocab_size) {
      fail_row("input_ids", row, "id {}, the vocabulary has {}", id, limits.vocab_size);
    }
    shard.ids.push_back(id);
  }
  for (const int32_t segment : row_of(block.segments, in_block, segments_.width()).first(count)) {
    if (segment != 0 && segment != 1) fail_row("segment_ids", row, "{}, expected 0 or 1", segment);
    shard.segments.push_back(static_cast<uint8_t>(segment));
  }
  const int32_t label = block.next[static_cast<size_t>(in_block)];
  if (label != 0 && label != 1) {
    fail_row("next_sentence_labels", row, "{}, expected 0 or 1", label);
  }
  shard.next_sentence.push_back(static_cast<uint8_t>(label));
  shard.sequence_start.push_back(static_cast<int64_t>(shard.ids.size()));
  shard.row_start.push_back(static_cast<int64_t>(shard.next_sentence.size()));
}

void UnpackedShard::append_masked(const Block& block, int64_t row, int64_t in_block,
                                  const ShardLimits& limits, RaggedShard& shard) {
  const auto positions = row_of(block.positions, in_block, positions_.width());
  const auto labels = row_of(block.labels, in_block, labels_.width());
  const int64_t length = shard.sequence_start.back() - shard.sequence_start.end()[-2];
  const auto first_zero = std::ranges::find(positions, 0);
  const int64_t count = first_zero == positions.end()
                            ? std::min(positions_.width(), limits.max_predictions)
                            : first_zero - positions.begin();
  taken_.assign(static_cast<size_t>(length), 0);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const int32_t position = positions[i];
    if (position < 0 || position >= length) {
      fail_row("masked_lm_positions", row, "position {} in {} tokens", position, length);
    }
    if (std::exchange(taken_[static_cast<size_t>(position)], uint8_t{1}) != 0) {
      fail_row("masked_lm_positions", row, "position {} twice", position);
    }
    if (labels[i] < 0 || labels[i] >= limits.vocab_size) {
      fail_row("masked_lm_ids", row, "id {}, the vocabulary has {}", labels[i], limits.vocab_size);
    }
    shard.masked_positions.push_back(position);
    shard.masked_labels.push_back(labels[i]);
  }
  shard.masked_start.push_back(static_cast<int64_t>(shard.masked_positions.size()));
}

void UnpackedShard::read(const ShardLimits& limits, RaggedShard& shard) {
  const int64_t rows = ids_.rows();
  const int64_t block_rows =
      std::clamp<int64_t>(kBlockBytes / 4 / std::max(ids_.width(), positions_.width()), 1, rows);
  Block block;
  for (int64_t first = 0; first < rows; first += block_rows) {
    const int64_t count = std::min(block_rows, rows - first);
    ids_.read(first, count, block.ids);
    mask_.read(first, count, block.mask);
    segments_.read(first, count, block.segments);
    positions_.read(first, count, block.positions);
    labels_.read(first, count, block.labels);
    next_.read(first, count, block.next);
    for (int64_t i = 0; i < count; ++i) {
      append_tokens(block, first + i, i, limits, shard);
      append_masked(block, first + i, i, limits, shard);
    }
  }
}

}  // namespace

ShardShape read_shard_shape(const std::string& path) {
  return UnpackedShard(path).shape();
}

RaggedShard read_shard(const std::string& path, const ShardLimits& limits) {
  BERTHA_CHECK(limits.vocab_size > 0 && limits.max_position > 0 && limits.max_predictions > 0);
  RaggedShard shard;
  shard.sequence_start.assign(1, 0);
  shard.row_start.assign(1, 0);
  shard.masked_start.assign(1, 0);
  UnpackedShard(path).read(limits, shard);
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
