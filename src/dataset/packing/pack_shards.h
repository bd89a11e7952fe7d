#pragma once

// Packs shards: combines the sequences of a folder of unpacked shards, several per row, into files
// mixed_strategies_part_<k>.hdf5.

#include <cstdint>
#include <string>
#include <vector>

#include "core/progress.h"
#include "dataset/packing/packing.h"

namespace bertha::dataset {

struct PackOptions {
  int64_t row_length = 512;
  int64_t max_predictions = 80;  ///< P; a packed row can hold P plus one per sequence
  int64_t sequences_per_row = 3;
  uint64_t seed = 42;
  int64_t threads = 1;
  int64_t memory_bytes = int64_t{1} << 30;  ///< approximate memory for sequences
  /// The part of the output to write, of `parts`. Each part reads all files, and the output of all
  /// parts together equals that of a single part.
  int64_t part = 0;
  int64_t parts = 1;
};

inline constexpr int64_t kPackedRowsPerFile = 4480;

/// The sequence lengths of all `files`, in order. Throws Error for a packed shard and for a
/// sequence longer than `row_length`.
class SequenceLengths {
 public:
  SequenceLengths(const std::vector<std::string>& files, int64_t row_length, int64_t threads);

  const std::vector<uint16_t>& lengths() const { return lengths_; }
  /// Number of the first sequence of each file, then the total number of sequences.
  const std::vector<int64_t>& file_start() const { return file_start_; }
  std::vector<int64_t> histogram() const;

 private:
  int64_t row_length_;
  std::vector<uint16_t> lengths_;
  std::vector<int64_t> file_start_;
};

/// Writes this part of the packed files into `folder` (created if missing) and returns their names.
/// The order of rows and the assignment of sequences to rows are drawn from the seed; within a row,
/// sequences are in ascending order of length. The bytes depend on files, packing, options and
/// seed, not on threads or memory. Each file is published complete. Needs temporary disk space in
/// `folder` for a second copy of the sequences. `progress` counts files read and written.
std::vector<std::string> write_packed(const std::vector<std::string>& files,
                                      const SequenceLengths& lengths, const Packing& packing,
                                      const PackOptions& options, const std::string& folder,
                                      const ReportProgress& progress = {});

/// Names of the packed files in `folder`, or none when it does not exist.
std::vector<std::string> packed_files(const std::string& folder);

}  // namespace bertha::dataset
