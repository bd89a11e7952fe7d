#pragma once

// HDF5 files with arrays of integers in their root group, in the formats of HDF5 1.0 and 1.8, which
// are what h5py and libhdf5 write unless told otherwise. Sections and terms are those of the "HDF5
// File Format Specification Version 3.0".
//
// libhdf5 is not asked to read: it trusts what a file says of itself, so that crafted ones make it
// follow addresses out of the file, and takes one thread at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.h"

namespace bertha::io {

struct Hdf5Integer {
  int64_t bytes = 0;  ///< 1, 2, 4 or 8
  bool has_sign = true;
  bool big_endian = false;
};

/// Filters and their registered numbers.
enum class Hdf5Filter : uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };

/// The values of one chunk as the filters left them.
struct Hdf5Chunk {
  int64_t number = 0;            ///< row-major among those of the dataset
  uint32_t skipped_filters = 0;  ///< bit i: filter i was not applied
  std::span<const std::byte> stored;
};

/// A dataset of one or two dimensions. What lies in one piece is one chunk of the whole extent.
/// Every span lies within the file; chunks do not claim more bytes than the file has.
struct Hdf5Dataset {
  int rank = 0;
  Hdf5Integer type;
  std::array<int64_t, 2> extent = {0, 1};        ///< rows, width; each at least 1
  std::array<int64_t, 2> chunk_extent = {0, 1};  ///< rows, width; each at least 1
  std::vector<Hdf5Filter> filters;               ///< as they were applied, each once
  std::span<const std::byte> fill_value;         ///< of what no chunk holds; empty: zero
  std::vector<Hdf5Chunk> chunks;                 ///< those written, by number

  /// Chunks side by side in a row.
  int64_t chunks_across() const { return (extent[1] - 1) / chunk_extent[1] + 1; }
};

/// Whether a file begins as an HDF5 file does. Throws Error when it cannot be read.
bool is_hdf5(const std::string& path);

class Hdf5File {
 public:
  /// Throws Error for a file that is not a whole HDF5 file.
  explicit Hdf5File(std::string path);

  const std::string& path() const { return file_.path(); }
  int64_t size_bytes() const { return file_.size_bytes(); }

  /// Whether the root group has a link of this name to an object in this file; soft and external
  /// links are none.
  bool has(std::string_view name) const;
  /// Throws Error, with file and name, for what is missing, damaged, no array of integers, or
  /// stored in another way.
  Hdf5Dataset dataset(std::string_view name) const;

 private:
  uint64_t find(std::string_view name) const;

  io::MappedFile file_;
  uint64_t root_header_ = 0;  ///< address of the root group's object header
};

}  // namespace bertha::io
