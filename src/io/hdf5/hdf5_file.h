#pragma once

// Reads HDF5 files with arrays of integers in their root group, in the formats of HDF5 1.0 and 1.8,
// which h5py and libhdf5 write by default, and in those of HDF5 1.10 and 2.0 (libver="latest").
// Sections and terms are those of the "HDF5 File Format Specification
// Version 3.0".
//
// This reader does not use libhdf5, which trusts the contents of a file: crafted files make it read
// outside the file. It also serves one thread at a time.

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
enum class Hdf5Filter : uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3, kLzf = 32000 };

/// The values of one chunk after its filters.
struct Hdf5Chunk {
  int64_t number = 0;            ///< row-major number within the dataset
  uint32_t skipped_filters = 0;  ///< bit i: filter i was not applied
  std::span<const std::byte> stored;
};

/// A dataset of one or two dimensions. Contiguous data counts as one chunk of the whole extent.
/// Every span lies within the file, and the chunks together are no larger than the file.
struct Hdf5Dataset {
  int rank = 0;
  Hdf5Integer type;
  std::array<int64_t, 2> extent = {0, 1};        ///< rows, width; each at least 1
  std::array<int64_t, 2> chunk_extent = {0, 1};  ///< rows, width; each at least 1
  std::vector<Hdf5Filter> filters;  ///< in the order in which they were applied, each at most once
  std::span<const std::byte> fill_value;  ///< for values in no chunk; empty: zero
  std::vector<Hdf5Chunk> chunks;          ///< the chunks present in the file, by number

  /// Number of chunks side by side in a row.
  int64_t chunks_across() const { return (extent[1] - 1) / chunk_extent[1] + 1; }
};

/// True when the file begins as an HDF5 file does, or has a user block before such a beginning.
/// Throws Error when it cannot be read.
bool is_hdf5(const std::string& path);

class Hdf5File {
 public:
  /// Throws Error when the file is not a complete HDF5 file.
  explicit Hdf5File(std::string path);

  const std::string& path() const { return file_.path(); }
  int64_t size_bytes() const { return file_.size_bytes(); }

  /// True when the root group has a hard link of this name to an object in this file. Soft and
  /// external links do not count.
  bool has(std::string_view name) const;
  /// Throws Error that names file and dataset when the dataset is missing, damaged, not an array of
  /// integers, or stored in an unsupported way.
  Hdf5Dataset dataset(std::string_view name) const;

 private:
  uint64_t find(std::string_view name) const;

  io::MappedFile file_;
  std::span<const std::byte> bytes_;  ///< the file without its user block
  uint64_t root_header_ = 0;          ///< address of the root group's object header
};

}  // namespace bertha::io
