#pragma once

// Articles to shards of equal numbers of sentences, as the recipe's TextSharding.py distributes
// them. What is held in memory of an article is where it stands and how many sentences it has.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bertha::corpus {

struct ShardCounts {
  int64_t training = 256;
  int64_t test = 256;
};

/// Articles of each shard, by index, in the order in which they are written.
struct ShardPlan {
  std::vector<std::vector<int64_t>> training;
  std::vector<std::vector<int64_t>> test;
};

/// The shards to make of so many articles: those wanted, or fewer in the same proportion where
/// there are fewer articles than shards; at least one for training.
ShardCounts fit_shards(const ShardCounts& wanted, int64_t articles);

/// Distributes articles of `sentences` (each at least 1) over shards, of which there are no more
/// than articles. Longest first: a pass gives each shard one article; later passes give each the
/// longest that still fits under its cap, unless it is ahead of the median of its kind.
ShardPlan plan_shards(std::span<const int64_t> sentences, const ShardCounts& shards,
                      double test_fraction);

struct ShardOptions {
  std::string output_dir;
  std::string dataset = "wikicorpus_en";  ///< leads every name: <dataset>_training_0.txt
  ShardCounts shards;
  double test_fraction = 0.1;
  int64_t threads = 1;
};

struct ShardTotals {
  int64_t articles = 0;
  int64_t sentences = 0;
  ShardCounts shards;  ///< as made
  std::vector<std::string> files;
};

/// Reads files of one article a line, splits each into sentences and writes the shards: a sentence
/// a line, a blank line behind each article. The bytes are the same for any number of threads.
/// Throws Error when there is no sentence.
ShardTotals write_shards(std::span<const std::string> inputs, const ShardOptions& options);

}  // namespace bertha::corpus
