#pragma once

// The instances stage: shards of text become HDF5 shards of masked tokens and next-sentence pairs.

#include <cstdint>
#include <string>

#include "comm/communicator.h"
#include "core/progress.h"
#include "dataset/instances.h"
#include "text/tokenizer.h"

namespace bertha::prepare {

struct InstancesOptions {
  std::string vocab_file;
  std::string input;  ///< a text file, or a folder of .txt files
  /// The shard. For a folder of text: the folder of shards, <name>.hdf5 each, or one shard of all
  /// the text when this ends in ".hdf5".
  std::string output;
  /// What the user asks for: lower case and no accents, or neither. What the vocabulary's folder
  /// says and what its pieces show goes before it.
  std::optional<bool> lower_case = std::nullopt;
  text::TokenRules token_rules = text::TokenRules::kRecipe;
  int64_t threads = 1;  ///< of this rank
  dataset::InstanceOptions instances;
};

/// Sums over all ranks, the same on each.
struct InstancesResult {
  int64_t shards = 0;
  int64_t documents = 0;
  int64_t sentences = 0;
  int64_t tokens = 0;
  int64_t unknown = 0;  ///< of the tokens
  int64_t instances = 0;
  int64_t text_bytes = 0;
  double seconds = 0;
};

/// Makes the shards; all ranks call it, and each makes its part of them. The same text, vocabulary
/// and seed give the same bytes for any number of ranks and threads. `progress` is in shards of
/// this rank. Throws Error when an option is out of range, the vocabulary lacks a special token, or
/// more than half of a text's tokens are [UNK].
InstancesResult run_instances(const InstancesOptions& options, comm::Communicator& world,
                              const ReportProgress& progress);

/// For a command that runs this stage alone: takes the shards for it (output_claim.h). Throws Error
/// where another command made one of them and `overwrite` is false.
void claim_instances(const InstancesOptions& options, bool overwrite);

/// What the progress of run_instances() counts: "shards", of several ranks "shards of rank 0".
std::string instances_unit(const comm::Communicator& world);

/// "7 shards, 80 documents, … instances in 1.2 s (3.4 MB/s)".
std::string describe(const InstancesResult& result);

}  // namespace bertha::prepare
