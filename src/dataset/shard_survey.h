#pragma once

// Reads every row of every file of a folder of shards, checks every field, and collects figures
// that show whether the data is correct.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/progress.h"
#include "dataset/hdf5_shard.h"
#include "text/vocabulary.h"

namespace bertha::dataset {

struct SurveyOptions {
  int64_t max_predictions = 80;  ///< masked entries read from a row without a position 0
  int64_t threads = 1;
  const text::Vocabulary* vocabulary = nullptr;  ///< if set, ids and special tokens are checked
};

/// Totals over all files.
struct Survey {
  int64_t files = 0;
  int64_t packed_files = 0;
  int64_t rows = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  int64_t places = 0;       ///< rows · S: tokens and padding
  int64_t longest_row = 0;  ///< S of the widest file
  int64_t most_slots = 1;   ///< most sequences that a row may hold
  int64_t random_next = 0;  ///< sequences with a random second segment
  int64_t first_segment_tokens = 0;
  int64_t masked = 0;
  int64_t masked_as_mask = 0;  ///< input is [MASK]; counted only with a vocabulary
  int64_t masked_kept = 0;     ///< input is the label
  int64_t unknown = 0;         ///< [UNK] tokens; counted only with a vocabulary
  int32_t largest_id = 0;
  std::vector<int64_t> by_length;     ///< [S+1] number of sequences
  std::vector<int64_t> by_sequences;  ///< number of rows, by the sequences in a row
  std::vector<std::string> faults;    ///< one line per faulty file, in the order of the files

  Survey& operator+=(const Survey& other);
};

/// Files of a path: the path itself, or all .hdf5 files of a folder, sorted. Throws Error when
/// there are none.
std::vector<std::string> shard_files(const std::string& path);

/// True when the path is a shard or a folder with shards.
bool holds_shards(const std::string& path);
/// The first folder in `path` that holds shards, when `path` is a folder without shards, as in the
/// layout of `bertha prepare`. Empty when there is none.
std::string folder_with_shards(const std::string& path);

/// Reads all rows of all files. The first fault of a file is added to `faults`, and the figures of
/// that file are not counted. `progress` counts files.
Survey survey_shards(const std::vector<std::string>& files, const SurveyOptions& options,
                     const ReportProgress& progress = {});

}  // namespace bertha::dataset
