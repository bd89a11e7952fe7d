#pragma once

// The verify stage: every field of every row of a folder of shards is read and checked.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/progress.h"

namespace bertha::prepare {

struct VerifyOptions {
  std::string input_dir;                       ///< folder of shards, packed or not, or one shard
  std::optional<std::string> vocab_file = {};  ///< checks ids and special tokens too when given
  int64_t max_predictions = 80;  ///< masked tokens of a row whose list has no end mark
  int64_t threads = 1;           ///< of this rank
};

struct VerifyResult {
  // Sums over all ranks, the same on each. Faulty files do not count.
  int64_t sound_files = 0;
  int64_t packed_files = 0;
  int64_t rows = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  int64_t masked = 0;
  int64_t faulty_files = 0;

  int64_t files = 0;   ///< in the folder
  bool sound = false;  ///< no rank has found a fault
  /// The faults that this rank has found, a line each. Rank 0 also has that of the metadata.
  std::vector<std::string> faults;
  std::vector<std::string> warnings = {};
};

/// Reads the shards; all ranks call it, and each reads its part of the files. `progress` is in
/// files of this rank. A fault in a shard is no Error: `faults` names it.
VerifyResult run_verify(const VerifyOptions& options, comm::Communicator& world,
                        const ReportProgress& progress);

/// "7 of 7 files are sound: … rows, … sequences, … tokens, … masked".
std::string describe(const VerifyResult& result);

/// Logs warnings as warnings and faults as errors, each on the rank that found it.
void log_findings(const VerifyResult& result);

}  // namespace bertha::prepare
