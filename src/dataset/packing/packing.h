#pragma once

// How sequences of many lengths share rows: which lengths go together, how many rows of each kind.
// Contents come later (pack_shards.h); here is the arithmetic over the histogram of lengths.

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
  std::vector<int32_t> lengths;  ///< rising; their sum is at most the row's length
  int64_t rows = 0;              ///< > 0
};

struct Packing {
  int64_t row_length = 0;
  int64_t sequences_per_row = 0;
  std::vector<Pack> packs;  ///< by lengths
  int64_t sequences = 0;    ///< in all packs, every one of the histogram
  int64_t tokens = 0;
  int64_t rows = 0;

  double sequences_a_row() const {
    return static_cast<double>(sequences) / static_cast<double>(rows);
  }
  /// Share of the rows' places that hold tokens.
  double efficiency() const {
    return static_cast<double>(tokens) / static_cast<double>(rows * row_length);
  }
  /// Upper bound of rows saved: sequences over the rows that tokens alone would fill.
  double most_sequences_a_row() const {
    return static_cast<double>(row_length * sequences) / static_cast<double>(tokens);
  }
};

/// Packs `histogram[l]` sequences of length l, l in [1, S], into rows of S = histogram.size() − 1
/// tokens, at most `sequences_per_row` each. The recipe's method: repeated non-negative least
/// squares, rounded. What rounding leaves over, and rows with a slot that no sequence is left for,
/// are packed best fit first instead of one sequence a row, when that takes fewer rows. No
/// sequence is lost. Depends on the histogram alone.
Packing pack_histogram(std::span<const int64_t> histogram, int64_t sequences_per_row);

/// Place of a strategy in the recipe's list of all strategies (non-decreasing splits in
/// lexicographic order): what its metadata calls a strategy by.
int64_t strategy_index(const Strategy& strategy, int64_t row_length, int64_t sequences_per_row);

/// The recipe's `<dir>_metadata.json`: its keys, sorted, indent 2.
std::string packing_metadata(const Packing& packing);

/// "/data/packed_metadata.json" for "/data/packed" or "/data/packed/".
std::string packing_metadata_path(const std::string& folder);

/// `avg_seq_per_sample` of the folder's metadata; empty when there is no such file. Throws Error
/// when it cannot be understood.
std::optional<double> read_sequences_a_row(const std::string& folder);

}  // namespace bertha::dataset
