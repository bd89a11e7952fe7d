#pragma once

// A shard file opened for reading and its datasets, checked as what anyone may have made. For
// hdf5_*.cc only.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataset/hdf5_handle.h"

struct libdeflate_decompressor;

namespace bertha::dataset {

class ShardSource {
 public:
  /// Throws Error for a file that is not a whole HDF5 file.
  explicit ShardSource(std::string path);

  const std::string& path() const { return path_; }
  int64_t file_bytes() const { return file_bytes_; }
  hid_t id() const { return file_.id(); }
  /// Whether `name` stands in the root group; links into other files are not followed.
  bool has(const char* name) const;

 private:
  std::string path_;
  int64_t file_bytes_ = 0;
  Hdf5Handle file_;
};

/// A dataset of integers, rows first. Extents are believed up to what a file of this size can hold
/// when deflated. Deflated chunks of whole rows are inflated here, which takes a third of the
/// library's time and none of its lock; the library reads all else, and what is faulty. `source`
/// must outlive it.
class Column {
 public:
  Column(const ShardSource& source, const char* name, int rank);

  int64_t rows() const { return rows_; }
  int64_t width() const { return width_; }
  const char* name() const { return name_; }

  /// Values of rows [first, first + count), count * width() of them. Integers of any size and byte
  /// order become int32; what does not fit becomes the nearest int32.
  void read(int64_t first, int64_t count, std::vector<int32_t>& values);

 private:
  Hdf5Handle open(hid_t access) const;
  void check_type() const;
  void read_extent(int rank);
  void check_storage();
  void enlarge_cache(int64_t bytes);
  void prepare_inflating(hid_t creation, int64_t chunk_rows, int64_t element_bytes);
  bool load_chunk(int64_t number);
  bool inflate_rows(int64_t first, int64_t count, int32_t* values);
  void read_rows(int64_t first, int64_t count, int32_t* values);

  const ShardSource& source_;
  const char* name_;
  Hdf5Handle dataset_;
  int rank_ = 0;
  int64_t rows_ = 0;
  int64_t width_ = 1;

  using Inflater = std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)>;
  Inflater inflater_;          ///< none: the library reads
  int64_t chunk_rows_ = 0;     ///< with an inflater
  int64_t element_bytes_ = 0;  ///< with an inflater: 1 or 4
  int64_t chunk_number_ = -1;  ///< the chunk in chunk_
  std::vector<std::byte> chunk_;
  std::vector<std::byte> stored_;
};

}  // namespace bertha::dataset
