#pragma once

// HDF5 files of integers as h5py makes them: datasets in the root group, in deflated chunks of
// whole rows, in the format of HDF5 1.0, which all that knows HDF5 reads. Sections and terms are
// those of the "HDF5 File Format Specification Version 3.0".
//
// Chunks go to the file as they come, what tells where they are behind them, the superblock last.
// libhdf5 would have the writers of several files wait for each other, and does not recover from a
// disk that takes no more.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/atomic_file.h"

namespace bertha::io {

/// A dataset of signed little-endian integers.
struct Hdf5ColumnSpec {
  std::string name;
  int64_t element_bytes = 4;  ///< 1 or 4
  int64_t width = 1;          ///< integers a row; 1 where rank is 1
  int rank = 2;
};

class Hdf5Writer {
 public:
  /// Up to 16 datasets of `rows` rows, `chunk_rows` of them a chunk, both at least 1. `file` is
  /// empty; it and `columns` must outlive this.
  Hdf5Writer(io::AtomicFile& file, std::span<const Hdf5ColumnSpec> columns, int64_t rows,
             int64_t chunk_rows);

  /// Appends the next chunk of a column: a zlib stream (RFC 1950) of chunk_rows rows, the last
  /// chunk too. Throws Error when the disk does not take it, as finish() does.
  void add_chunk(size_t column, std::span<const std::byte> deflated);
  /// Ends the file, all chunks of all columns being there. It is left to commit.
  void finish();

 private:
  /// A chunk or a node of the tree over them.
  struct Place {
    uint64_t row = 0;    ///< the first one
    uint32_t bytes = 0;  ///< of the (first) chunk
    uint64_t address = 0;
  };

  uint64_t append(const std::string& bytes);
  uint64_t write_chunk_tree(size_t column);
  std::vector<Place> write_level(size_t column, int level, std::span<const Place> below);
  uint64_t write_dataset_header(size_t column, uint64_t chunk_tree);
  void write_root_group(std::span<const uint64_t> headers);
  void write_superblock(uint64_t root_header, uint64_t group_tree, uint64_t heap);

  io::AtomicFile& file_;
  std::span<const Hdf5ColumnSpec> columns_;
  uint64_t rows_;
  uint64_t chunk_rows_;
  std::vector<std::vector<Place>> chunks_;  ///< of each column
};

}  // namespace bertha::io
