#pragma once

// Reads the values of a dataset in an HDF5 file as int32, row by row. For hdf5_*.cc only.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/hdf5_file.h"

struct libdeflate_decompressor;

namespace bertha::io {

class Column {
 public:
  /// Throws Error that names file and dataset unless it is a dataset of integers with `rank`
  /// dimensions. An array of one column, [N,1], also counts as one of rank 1. `file` must outlive
  /// this object.
  Column(const Hdf5File& file, const char* name, int rank);

  int64_t rows() const { return dataset_.extent[0]; }
  int64_t width() const { return dataset_.extent[1]; }
  const char* name() const { return name_; }

  /// Reads rows [first, first + count): count * width() values. Integers of any size and byte order
  /// become int32; values out of range become the nearest int32. When rows are read in sequence,
  /// the filters of each chunk are reversed once. Throws Error for a damaged chunk.
  void read(int64_t first, int64_t count, std::vector<int32_t>& values);

 private:
  /// The values of a chunk and the buffer that may hold them.
  struct Plain {
    int64_t number = -1;
    std::span<const std::byte> values;
    std::vector<std::byte> buffer;
  };

  void read_band(int64_t band, int64_t begin, int64_t end, int32_t* values);
  const std::byte* plain(const Hdf5Chunk& chunk, Plain& kept);
  std::span<const std::byte> undo(Hdf5Filter filter, std::span<const std::byte> stored);

  const Hdf5File& file_;
  const char* name_;
  Hdf5Dataset dataset_;
  int64_t chunk_bytes_ = 0;  ///< size of the unfiltered values
  int32_t fill_value_ = 0;
  std::vector<Plain> kept_;         ///< chunks of the band read last
  std::vector<std::byte> scratch_;  ///< output of a filter
  std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater_;
};

}  // namespace bertha::io
