#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <numeric>

#include "core/error.h"
#include "dataset/deflate.h"
#include "dataset/hdf5_handle.h"
#include "dataset/hdf5_shard.h"
#include "dataset/workers.h"
#include "io/atomic_file.h"

// Rows are cut into groups; a group is one chunk of every dataset. Groups are filled and deflated
// in parallel and stored in order, so at most a few groups a thread are in memory, besides the
// deflated file.

namespace bertha::dataset {
namespace {

static_assert(std::endian::native == std::endian::little, "shards are little-endian");

// What the files say of their compression is the recipe's gzip 4; any inflater reads any level, and
// ours makes less of them than the recipe's.
constexpr unsigned kRecordedLevel = 4;
constexpr size_t kGrowthBytes = size_t{1} << 20;   // of the file in memory, which zeroes them
constexpr int64_t kGroupBytes = int64_t{1} << 19;  // of input_ids: a chunk fits HDF5's chunk cache

struct Column {
  const char* name;
  int64_t element_bytes;
  int64_t width;
  int rank = 2;
};
using Layout = std::vector<Column>;

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

/// A group of rows on its way: plain values, then their deflated chunks.
class Group {
 public:
  Group(const Layout& layout, int64_t group_rows)
      : layout_(layout),
        rows_(group_rows),
        plain_(layout.size()),
        room_(layout.size()),
        chunk_(layout.size()) {
    for (size_t i = 0; i < layout_.size(); ++i) {
      plain_[i].resize(static_cast<size_t>(rows_ * layout_[i].width * layout_[i].element_bytes));
    }
  }

  /// The values of a row of the group.
  template <typename T>
  std::span<T> values(size_t column, int64_t row) {
    const auto width = static_cast<size_t>(layout_[column].width);
    return {reinterpret_cast<T*>(plain_[column].data()) + static_cast<size_t>(row) * width, width};
  }

  /// Fills `rows` rows with fill(row, *this) and deflates them. Rows past the last are zeros: HDF5
  /// stores whole chunks.
  template <typename Fill>
  void make(int64_t rows, const Fill& fill) {
    for (std::vector<std::byte>& values : plain_) std::ranges::fill(values, std::byte{0});
    for (int64_t row = 0; row < rows; ++row) fill(row, *this);
    for (size_t i = 0; i < layout_.size(); ++i) {
      chunk_[i] = deflater_.deflate(plain_[i], room_[i]);
    }
  }

  std::span<const std::byte> chunk(size_t column) const { return chunk_[column]; }

 private:
  const Layout& layout_;
  int64_t rows_;
  Deflater deflater_;
  std::vector<std::vector<std::byte>> plain_;
  std::vector<std::vector<std::byte>> room_;
  std::vector<std::span<const std::byte>> chunk_;  ///< in room_
};

/// The file while it is made, in memory: libhdf5 cannot recover from a disk that takes no more
/// (1.10 crashes at the program's end), so it never gets to write to one.
class ShardImage {
 public:
  ShardImage(const std::string& path, const Layout& layout, int64_t rows, int64_t group_rows)
      : path_(path), rows_(rows), group_rows_(group_rows) {
    const Hdf5Lock lock;
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    // As h5py does, the format of HDF5 1.0 whatever the library would choose.
    check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST) >= 0);
    check(H5Pset_fapl_core(access.id(), kGrowthBytes, false) >= 0);
    // The library would read what it finds under the name, and takes each name once.
    const std::string nowhere = "/dev/null/" + path;
    file_ =
        Hdf5Handle(H5Fcreate(nowhere.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose);
    check(file_.valid());
    for (const Column& column : layout) datasets_.push_back(create(column));
  }

  void write(int64_t first_row, const Group& group) {
    const Hdf5Lock lock;
    for (size_t i = 0; i < datasets_.size(); ++i) {
      const std::array<hsize_t, 2> offset = {static_cast<hsize_t>(first_row), 0};
      const std::span<const std::byte> chunk = group.chunk(i);
      check(H5Dwrite_chunk(datasets_[i].id(), H5P_DEFAULT, 0, offset.data(), chunk.size(),
                           chunk.data()) >= 0);
    }
  }

  /// Ends the file. Its bytes are there as long as this object is.
  std::span<const std::byte> finish() {
    const Hdf5Lock lock;
    for (Hdf5Handle& dataset : datasets_) check(dataset.close());
    check(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL) >= 0);
    const ssize_t size_bytes = H5Fget_file_image(file_.id(), nullptr, 0);
    void* memory = nullptr;  // of the core driver: where its pointer to the bytes is
    check(H5Fget_vfd_handle(file_.id(), H5P_DEFAULT, &memory) >= 0);
    check(size_bytes > 0 && memory != nullptr);
    return {*static_cast<const std::byte* const*>(memory), static_cast<size_t>(size_bytes)};
  }

 private:
  Hdf5Handle create(const Column& column) const {
    const auto width = static_cast<hsize_t>(column.width);
    const std::array<hsize_t, 2> extent = {static_cast<hsize_t>(rows_), width};
    const std::array<hsize_t, 2> chunk = {static_cast<hsize_t>(group_rows_), width};
    const Hdf5Handle space(H5Screate_simple(column.rank, extent.data(), nullptr), H5Sclose);
    const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    check(H5Pset_chunk(creation.id(), column.rank, chunk.data()) >= 0);
    check(H5Pset_deflate(creation.id(), kRecordedLevel) >= 0);
    // The clock must not enter the bytes.
    check(H5Pset_obj_track_times(creation.id(), false) >= 0);
    Hdf5Handle dataset(H5Dcreate2(file_.id(), column.name,
                                  column.element_bytes == 4 ? H5T_STD_I32LE : H5T_STD_I8LE,
                                  space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT),
                       H5Dclose);
    check(dataset.valid());
    return dataset;
  }

  void check(bool done) const {
    if (!done) fail("{}: cannot be made: {}", path_, hdf5_error_text());
  }

  std::string path_;
  int64_t rows_;
  int64_t group_rows_;
  Hdf5Handle file_;
  std::vector<Hdf5Handle> datasets_;
};

void make_folder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("{}: cannot make the folder: {}", folder.string(), error.message());
}

/// Writes `rows` rows of `layout`, filled by fill(row of the shard, row of the group, group).
template <typename Fill>
void write_columns(const std::string& path, const Layout& layout, int64_t rows, const Fill& fill,
                   int64_t threads) {
  const int64_t seq_length = layout.front().width;
  const int64_t group_rows =
      std::min(rows, std::clamp<int64_t>(kGroupBytes / (4 * seq_length), 16, 4096));
  const int64_t groups = (rows + group_rows - 1) / group_rows;
  make_folder(path);
  io::AtomicFile target(path);  // first, so that a folder that takes no file is known at once
  ShardImage image(path, layout, rows, group_rows);
  const int64_t in_flight = std::min(groups, threads > 1 ? 4 * threads : 1);
  std::vector<Group> window;
  for (int64_t i = 0; i < in_flight; ++i) window.emplace_back(layout, group_rows);
  for (int64_t first = 0; first < groups; first += in_flight) {
    const int64_t count = std::min(in_flight, groups - first);
    run_tasks(count, threads, [&](int64_t i) {
      const int64_t begin = (first + i) * group_rows;
      window[static_cast<size_t>(i)].make(
          std::min(group_rows, rows - begin),
          [&](int64_t row, Group& group) { fill(begin + row, row, group); });
    });
    for (int64_t i = 0; i < count; ++i) {
      image.write((first + i) * group_rows, window[static_cast<size_t>(i)]);
    }
  }
  target.write(image.finish());
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
