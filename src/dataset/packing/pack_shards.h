#pragma once

// Packs shards: the sequences of a folder of unpacked shards, several a row, in
// mixed_strategies_part_<k>.hdf5 files.

#include <cstdint>
#include <string>
#include <vector>

#include "core/progress.h"
#include "dataset/packing/packing.h"

namespace bertha::dataset {

struct PackOptions {
  int64_t row_length = 512;
  int64_t max_predictions = 80;  ///< P; a packed row has room for P and one a sequence
  int64_t sequences_per_row = 3;
  uint64_t seed = 42;
  int64_t threads = 1;
  int64_t memory_bytes = int64_t{1} << 30;  ///< of sequences held at a time, about
  /// Which of so many parts of the output to write; each reads all files. All parts give the bytes
  /// of one.
  int64_t part = 0;
  int64_t parts = 1;
};

inline constexpr int64_t kPackedRowsPerFile = 4480;

/// Sequence lengths of all `files`, in their order, counted. Throws Error for a packed shard and
/// for a sequence longer than `row_length`.
class SequenceLengths {
 public:
  SequenceLengths(const std::vector<std::string>& files, int64_t row_length, int64_t threads);

  const std::vector<uint16_t>& lengths() const { return lengths_; }
  /// Number of the first sequence of each file, and the number of all.
  const std::vector<int64_t>& file_start() const { return file_start_; }
  std::vector<int64_t> histogram() const;

 private:
  int64_t row_length_;
  std::vector<uint16_t> lengths_;
  std::vector<int64_t> file_start_;
};

/// Writes its part of the packed files into `folder` (made when missing) and returns their names.
/// Rows are in an order drawn from the seed, and so is which sequence goes where; within a row
/// sequences stand by rising length. The bytes depend on files, packing, options and seed, not on
/// threads or memory. Each file appears whole. Needs room in `folder` for the sequences once more,
/// given back at the end. `progress` is told in files, read and written.
std::vector<std::string> write_packed(const std::vector<std::string>& files,
                                      const SequenceLengths& lengths, const Packing& packing,
                                      const PackOptions& options, const std::string& folder,
                                      const ReportProgress& progress = {});

/// Names of packed files in `folder`; none when it does not exist.
std::vector<std::string> packed_files(const std::string& folder);

}  // namespace bertha::dataset
