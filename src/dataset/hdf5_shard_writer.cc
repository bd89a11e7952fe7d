#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <numeric>

#include "core/error.h"
#include "core/parallel_tasks.h"
#include "dataset/hdf5_shard.h"
#include "io/archive/deflate.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/hdf5/hdf5_writer.h"

// Rows are written in groups; a group is one chunk of every dataset. Groups are filled and deflated
// in parallel and stored in order, so memory holds only a few groups per thread.

namespace bertha::dataset {
namespace {

static_assert(std::endian::native == std::endian::little, "shards are little-endian");

constexpr int64_t kGroupBytes = int64_t{1}
                                << 19;  // of input_ids: a chunk fits libhdf5's chunk cache

using Layout = std::vector<io::Hdf5ColumnSpec>;

Layout unpacked_layout(const ShardShape& shape) {
  return {{"input_ids", 4, shape.seq_length},
          {"input_mask", 1, shape.seq_length},
          {"segment_ids", 1, shape.seq_length},
          {"masked_lm_positions", 4, shape.max_predictions},
          {"masked_lm_ids", 4, shape.max_predictions},
          {"next_sentence_labels", 1, 1, 1}};
}

Layout packed_layout(const ShardShape& shape) {
  return {{"input_ids", 4, shape.seq_length},
          {"input_mask", 4, shape.seq_length},
          {"segment_ids", 1, shape.seq_length},
          {"positions", 4, shape.seq_length},
          {"masked_lm_positions", 4, shape.max_predictions},
          {"masked_lm_ids", 4, shape.max_predictions},
          {"next_sentence_positions", 4, shape.slots},
          {"next_sentence_labels", 1, shape.slots},
          {"next_sentence_weights", 4, shape.slots}};
}

/// A group of rows: plain values, then their deflated chunks.
class Group {
 public:
  Group(const Layout& layout, int64_t group_rows)
      : layout_(layout),
        rows_(group_rows),
        plain_(layout.size()),
        buffers_(layout.size()),
        chunk_(layout.size()) {
    for (size_t i = 0; i < layout_.size(); ++i) {
      plain_[i].resize(static_cast<size_t>(rows_ * layout_[i].width * layout_[i].element_bytes));
    }
  }

  /// The values of one row of the group.
  template <typename T>
  std::span<T> values(size_t column, int64_t row) {
    const auto width = static_cast<size_t>(layout_[column].width);
    return {reinterpret_cast<T*>(plain_[column].data()) + static_cast<size_t>(row) * width, width};
  }

  /// Fills `rows` rows with fill(row, *this) and deflates them. Rows after the last one are zeros,
  /// because HDF5 stores whole chunks.
  template <typename Fill>
  void make(int64_t rows, const Fill& fill) {
    for (std::vector<std::byte>& values : plain_) std::ranges::fill(values, std::byte{0});
    for (int64_t row = 0; row < rows; ++row) fill(row, *this);
    for (size_t i = 0; i < layout_.size(); ++i) {
      chunk_[i] = deflater_.deflate(plain_[i], buffers_[i]);
    }
  }

  std::span<const std::byte> chunk(size_t column) const { return chunk_[column]; }

 private:
  const Layout& layout_;
  int64_t rows_;
  io::Deflater deflater_;
  std::vector<std::vector<std::byte>> plain_;
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<std::span<const std::byte>> chunk_;  ///< in buffers_
};

/// Writes `rows` rows of `layout`, each filled by fill(row of the shard, row of the group, group).
template <typename Fill>
void write_columns(const std::string& path, const Layout& layout, int64_t rows, const Fill& fill,
                   int64_t threads) {
  const int64_t seq_length = layout.front().width;
  const int64_t group_rows =
      std::min(rows, std::clamp<int64_t>(kGroupBytes / (4 * seq_length), 16, 4096));
  const int64_t groups = (rows + group_rows - 1) / group_rows;
  io::make_folder(std::filesystem::path(path).parent_path().string());
  io::AtomicFile target(path);  // first, so that a folder without write access is reported at once
  io::Hdf5Writer writer(target, layout, rows, group_rows);
  const int64_t in_flight = std::min(groups, threads > 1 ? 4 * threads : 1);
  std::vector<Group> window;
  for (int64_t i = 0; i < in_flight; ++i) window.emplace_back(layout, group_rows);
  for (int64_t first = 0; first < groups; first += in_flight) {
    const int64_t count = std::min(in_flight, groups - first);
    parallel_tasks(count, threads, [&](int64_t i) {
      const int64_t begin = (first + i) * group_rows;
      window[static_cast<size_t>(i)].make(
          std::min(group_rows, rows - begin),
          [&](int64_t row, Group& group) { fill(begin + row, row, group); });
    });
    for (int64_t i = 0; i < count; ++i) {
      for (size_t column = 0; column < layout.size(); ++column) {
        writer.add_chunk(column, window[static_cast<size_t>(i)].chunk(column));
      }
    }
  }
  writer.finish();
  target.commit();
}

}  // namespace

void write_shard(const std::string& path, const ShardShape& shape, const FillRow& fill,
                 int64_t threads) {
  BERTHA_CHECK(shape.rows > 0 && shape.seq_length > 0 && shape.max_predictions > 0);
  BERTHA_CHECK(!shape.packed());
  const Layout layout = unpacked_layout(shape);
  write_columns(
      path, layout, shape.rows,
      [&fill](int64_t row, int64_t at, Group& group) {
        fill(row, {group.values<int32_t>(0, at), group.values<int8_t>(1, at),
                   group.values<int8_t>(2, at), group.values<int32_t>(3, at),
                   group.values<int32_t>(4, at), group.values<int8_t>(5, at).front()});
      },
      threads);
}

void write_packed_shard(const std::string& path, const ShardShape& shape, const FillPackedRow& fill,
                        int64_t threads) {
  BERTHA_CHECK(shape.rows > 0 && shape.seq_length > 0 && shape.max_predictions > 0);
  BERTHA_CHECK(shape.packed());
  const Layout layout = packed_layout(shape);
  write_columns(
      path, layout, shape.rows,
      [&fill](int64_t row, int64_t at, Group& group) {
        fill(row, {group.values<int32_t>(0, at), group.values<int32_t>(1, at),
                   group.values<int8_t>(2, at), group.values<int32_t>(3, at),
                   group.values<int32_t>(4, at), group.values<int32_t>(5, at),
                   group.values<int32_t>(6, at), group.values<int8_t>(7, at),
                   group.values<int32_t>(8, at)});
      },
      threads);
}

}  // namespace bertha::dataset
