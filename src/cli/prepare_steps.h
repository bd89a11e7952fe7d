#pragma once

// The steps of `bertha prepare` without a stage's name: each is one stage with the recipe's names
// of folders and files, its manifest, and what runs it.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/threads.h"
#include "corpus/sharding.h"
#include "prepare/manifest.h"

namespace bertha::cli {

inline constexpr const char* kWiki = "wikicorpus_en";
inline constexpr const char* kBooks = "bookscorpus";
inline constexpr const char* kBoth = "books_wiki_en_corpus";
inline constexpr const char* kWeights = "google_pretrained_weights";
inline constexpr const char* kSquad = "squad";

struct PrepareSettings {
  std::vector<std::string> scope;
  std::string root;
  std::string action;
  std::string dataset;
  std::string input_files;
  std::string vocab_file;
  std::string mirror;
  std::string lists = "prose";
  std::string token_rules = "recipe";
  corpus::ShardCounts shards{256, 256};
  double test_fraction = 0.1;
  int64_t threads = thread_count();
  int64_t rank_threads = 1;  ///< where all ranks work at once
  int64_t random_seed = 12345;
  int64_t dupe_factor = 5;
  double masked_lm_prob = 0.15;
  std::optional<int64_t> max_seq_length;
  int64_t max_predictions = 20;
  int64_t sequences_per_pack = 3;
  int64_t lower_case = 1;
  int64_t skip_extractor = 0;
  bool stream = false;
  bool allow_truncated = false;
  bool dry_run = false;
};

/// What a stage has made.
struct Made {
  std::map<std::string, int64_t> counts;
  std::vector<std::string> outputs;
  std::string said;
};

struct Step {
  prepare::StageWork work;  ///< without a manifest: `run` itself knows what is there
  std::function<Made(comm::Communicator&)> run;
  bool by_all_ranks = false;  ///< every rank runs it, for its part; else rank 0 alone
  bool always = false;        ///< done anew although it was done before
};

/// Tokens and masked tokens an instance.
struct Phase {
  int64_t length = 0;
  int64_t predictions = 0;
};

/// The steps of --action, or all of them. Throws Error for an action that there is not, and for
/// books that are missing.
std::vector<Step> plan_steps(const PrepareSettings& settings);

}  // namespace bertha::cli
