#pragma once

// A look at everything a folder of shards holds: every row of every file read, every field
// checked, and the figures that tell whether the data are what they should be.

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
  int64_t max_predictions = 80;  ///< masked entries read of a row without a position 0
  int64_t threads = 1;
  const text::Vocabulary* vocabulary = nullptr;  ///< checks ids and specials when given
};

/// Sums over files.
struct Survey {
  int64_t files = 0;
  int64_t packed_files = 0;
  int64_t rows = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  int64_t places = 0;       ///< rows · S: tokens and padding
  int64_t longest_row = 0;  ///< S of the widest file
  int64_t most_slots = 1;   ///< sequences a row may hold
  int64_t random_next = 0;  ///< sequences with a random second segment
  int64_t first_segment_tokens = 0;
  int64_t masked = 0;
  int64_t masked_as_mask = 0;  ///< input is [MASK]; counted with a vocabulary alone
  int64_t masked_kept = 0;     ///< input is the label
  int64_t unknown = 0;         ///< [UNK] tokens; counted with a vocabulary alone
  int32_t largest_id = 0;
  std::vector<int64_t> by_length;     ///< [S+1] sequences
  std::vector<int64_t> by_sequences;  ///< rows by the sequences they hold
  std::vector<std::string> faults;    ///< a line a faulty file, in their order

  Survey& operator+=(const Survey& other);
};

/// Files of a path: itself, or every .hdf5 file of a folder, sorted. Throws Error when there is
/// none.
std::vector<std::string> shard_files(const std::string& path);

/// Whether the path is a shard or a folder that has some.
bool holds_shards(const std::string& path);
/// The first folder in `path` that holds shards, where `path` itself is a folder that does not: the
/// layout of `bertha prepare`. Empty where there is none.
std::string folder_with_shards(const std::string& path);

/// Reads all rows of all files. A file's first fault goes to `faults`, and its figures do not
/// count. `progress` is told in files.
Survey survey_shards(const std::vector<std::string>& files, const SurveyOptions& options,
                     const ReportProgress& progress = {});

}  // namespace bertha::dataset
