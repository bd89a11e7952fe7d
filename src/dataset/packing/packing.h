#pragma once

// Decides how sequences of many lengths share rows: which lengths go together, and how many rows
// there are of each kind. Works on the histogram of lengths alone; pack_shards.h moves the
// contents.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataset/packing/nnls.h"

namespace bertha::dataset {

inline constexpr int64_t kMostSequencesPerRow = 8;
inline constexpr int64_t kMostPackedLength = 4096;

/// Rows that hold sequences of the same lengths.
struct Pack {
  std::vector<int32_t> lengths;  ///< ascending; their sum is at most the length of a row
  int64_t rows = 0;              ///< > 0
};

struct Packing {
  int64_t row_length = 0;
  int64_t sequences_per_row = 0;
  std::vector<Pack> packs;  ///< sorted by their lengths
  int64_t sequences = 0;    ///< over all packs, equal to the total of the histogram
  int64_t tokens = 0;
  int64_t rows = 0;

  double sequences_a_row() const {
    return static_cast<double>(sequences) / static_cast<double>(rows);
  }
  /// Fraction of the places in the rows that hold tokens.
  double efficiency() const {
    return static_cast<double>(tokens) / static_cast<double>(rows * row_length);
  }
  /// Upper bound of the sequences per row: sequences divided by the rows that their tokens would
  /// fill without padding.
  double most_sequences_a_row() const {
    return static_cast<double>(row_length * sequences) / static_cast<double>(tokens);
  }
};

/// Packs `histogram[l]` sequences of length l, l in [1, S], into rows of S = histogram.size() − 1
/// tokens with at most `sequences_per_row` each. Uses the method of the reference: repeated
/// non-negative least squares with rounding. The sequences that rounding leaves over, and rows with
/// an unfilled slot, are packed by best fit instead of one sequence per row if that takes fewer
/// rows. Every sequence is packed. The result depends on the histogram alone.
Packing pack_histogram(std::span<const int64_t> histogram, int64_t sequences_per_row);

/// Position of a strategy in the reference's list of all strategies (non-decreasing splits in
/// lexicographic order). The reference's metadata identifies a strategy by it.
int64_t strategy_index(const Strategy& strategy, int64_t row_length, int64_t sequences_per_row);

/// Contents of the reference's `<dir>_metadata.json`: its keys, sorted, indented by 2.
std::string packing_metadata(const Packing& packing);

/// "/data/packed_metadata.json" for "/data/packed" or "/data/packed/".
std::string packing_metadata_path(const std::string& folder);

/// `avg_seq_per_sample` from the folder's metadata, or nothing when there is no such file. Throws
/// Error when the file is not valid.
std::optional<double> read_sequences_a_row(const std::string& folder);

}  // namespace bertha::dataset
