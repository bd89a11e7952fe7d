#pragma once

// From a person's own text to all that pre-training needs: documents, a vocabulary, text shards
// with a held-out part, and HDF5 shards for both phases.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/progress.h"

namespace bertha::prepare {

struct TextOptions {
  std::vector<std::string> paths;  ///< files and folders, see corpus::find_texts()
  std::string output_dir;
  std::string vocab_file;        ///< empty: one is trained
  int64_t vocab_size = 0;        ///< of a new vocabulary; 0: by the size of the text
  bool cased = false;            ///< of a new vocabulary
  std::vector<int64_t> lengths;  ///< tokens of a row, one folder of shards each
  double test_fraction = 0.1;    ///< of the documents, held out
  int64_t dupe_factor = 5;
  double masked_lm_prob = 0.15;
  int64_t random_seed = 12345;
  int64_t threads = 1;
};

/// Where things are in the output folder.
struct TextResult {
  std::string vocabulary;
  std::vector<std::string> shards;  ///< a folder for each length
};

/// Opens a status line; see open_status_line().
using OpenProgress =
    std::function<ReportProgress(const std::string& label, const std::string& unit)>;

/// Writes vocab.txt, documents.txt, text/ and shards_<length>/ into the output folder, which must
/// be empty or not exist. Every stage logs what it made. Throws Error naming file and line for
/// text that is none, and for fewer than two documents.
TextResult run_text(const TextOptions& options, const OpenProgress& open_progress);

}  // namespace bertha::prepare
