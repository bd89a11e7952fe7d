#pragma once

// Articles to shards of equal numbers of sentences, as the recipe's TextSharding.py distributes
// them. What is held in memory of an article is where it stands and how many sentences it has.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/progress.h"
#include "corpus/line_source.h"

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

/// The shards to make of so many articles: those wanted, or where there are fewer articles than
/// shards as many as leave each a few articles; at least one for training, and one for tests where
/// any are wanted and there are two articles.
ShardCounts fit_shards(const ShardCounts& wanted, int64_t articles, double test_fraction);

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
  ReportProgress progress = {};  ///< of write_shards, in bytes: its inputs are read twice
};

struct ShardTotals {
  int64_t articles = 0;
  int64_t sentences = 0;
  ShardCounts shards;  ///< as made
  std::vector<std::string> files;
  std::string damage;  ///< of a source that may be cut off, and was
};

/// Reads files of one article a line, splits each into sentences and writes the shards: a sentence
/// a line, a blank line behind each article. The bytes are the same for any number of threads.
/// Throws Error when there is no sentence.
ShardTotals write_shards(std::span<const std::string> inputs, const ShardOptions& options);

/// Opens the sources of a corpus, in their order. Called twice; both times the same lines come.
using OpenSources = std::function<std::vector<std::unique_ptr<LineSource>>()>;

/// The same shards of articles that stand in no file: they are made once to be counted, and again
/// to be written, each at its place. In memory are 24 bytes an article.
ShardTotals stream_shards(const OpenSources& open, const ShardOptions& options);

}  // namespace bertha::corpus
