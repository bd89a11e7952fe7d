#pragma once

// The choices of `bertha prepare` without a stage's name, as create_datasets_from_start.sh and
// bertPrep.py have them.

#include <cstdint>
#include <optional>
#include <string>

#include "corpus/sharding.h"

namespace bertha::prepare {

// The recipe's names of what `dataset` may be.
inline constexpr const char* kWiki = "wikicorpus_en";
inline constexpr const char* kBooks = "bookscorpus";
inline constexpr const char* kBoth = "books_wiki_en_corpus";
inline constexpr const char* kWeights = "google_pretrained_weights";  ///< to download only
inline constexpr const char* kSquad = "squad";                        ///< to download only

struct PipelineSettings {
  std::string root;         ///< the working folder
  std::string action;       ///< of bertPrep.py; empty: all stages in turn
  std::string dataset;      ///< kWiki, kBooks or kBoth; to download also kWeights or kSquad
  std::string input_files;  ///< files to shard, separated by commas; empty: the formatted text
  std::string vocab_file;   ///< empty: that of Google's model in the working folder
  std::string mirror;
  std::string lists = "prose";         ///< as corpus::parse_list_items() takes it
  std::string token_rules = "recipe";  ///< as text::parse_token_rules() takes it
  corpus::ShardCounts shards{256, 256};
  double test_fraction = 0.1;
  int64_t threads = 1;       ///< of stages that one rank runs
  int64_t rank_threads = 1;  ///< of each rank, in stages that all ranks run at once
  int64_t random_seed = 12345;
  int64_t dupe_factor = 5;
  double masked_lm_prob = 0.15;
  std::optional<int64_t> max_seq_length;
  int64_t max_predictions = 20;
  int64_t sequences_per_pack = 3;
  int64_t lower_case = 1;
  int64_t skip_extractor = 0;    ///< 1: extracted articles are there already
  bool stream = false;           ///< writes no extracted articles and no formatted text
  bool allow_truncated = false;  ///< takes the whole pages of a dump that is cut off
  bool dry_run = false;          ///< says what would be done and does nothing
};

/// Throws Error naming the option that is wrong.
void check_settings(const PipelineSettings& settings);

}  // namespace bertha::prepare
