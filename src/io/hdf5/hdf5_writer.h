#pragma once

// Writes HDF5 files of integers as h5py does: datasets in the root group, stored as deflated chunks
// of whole rows, in the format of HDF5 1.0, which every HDF5 program reads. Sections and terms are
// those of the "HDF5 File Format Specification Version 3.0".
//
// Chunks are written as they arrive, their index follows them, and the superblock is written last.
// This writer does not use libhdf5, which has one global lock for the writers of all files and does
// not recover from a full disk.

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
  int64_t width = 1;          ///< integers per row; 1 where rank is 1
  int rank = 2;
};

class Hdf5Writer {
 public:
  /// Up to 16 datasets of `rows` rows with `chunk_rows` rows per chunk, both at least 1. `file`
  /// must be empty; `file` and `columns` must outlive this object.
  Hdf5Writer(io::AtomicFile& file, std::span<const Hdf5ColumnSpec> columns, int64_t rows,
             int64_t chunk_rows);

  /// Appends the next chunk of a column: a zlib stream (RFC 1950) of chunk_rows rows. The last
  /// chunk also has chunk_rows rows. This function and finish() throw Error when the disk rejects a
  /// write.
  void add_chunk(size_t column, std::span<const std::byte> deflated);
  /// Ends the file after all chunks of all columns. The caller commits it.
  void finish();

 private:
  /// A chunk, or a node of the tree above the chunks.
  struct Place {
    uint64_t row = 0;    ///< first row
    uint32_t bytes = 0;  ///< size of the (first) chunk
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
  std::vector<std::vector<Place>> chunks_;  ///< per column
};

}  // namespace bertha::io
