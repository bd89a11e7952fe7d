#pragma once

// Distributes articles over shards with equal numbers of sentences, as the reference's
// TextSharding.py does. For each article, memory holds only its location and its number of
// sentences.

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

/// Indices of the articles of each shard, in the order in which they are written.
struct ShardPlan {
  std::vector<std::vector<int64_t>> training;
  std::vector<std::vector<int64_t>> test;
};

/// The number of shards for this number of articles: the wanted number, or fewer if the shards
/// would otherwise have too few articles each. There is at least one training shard, and at least
/// one test shard if any is wanted and there are two articles.
ShardCounts fit_shards(const ShardCounts& wanted, int64_t articles, double test_fraction);

/// Distributes articles with `sentences` sentences (each at least 1) over shards; there must be at
/// least as many articles as shards. The longest articles come first: each pass gives one article
/// to each shard. Later passes give each shard the longest article that fits under its limit,
/// unless the shard is ahead of the median of its kind.
ShardPlan plan_shards(std::span<const int64_t> sentences, const ShardCounts& shards,
                      double test_fraction);

struct ShardOptions {
  std::string output_dir;
  std::string dataset =
      "wikicorpus_en";  ///< first part of every file name: <dataset>_training_0.txt
  ShardCounts shards;
  double test_fraction = 0.1;
  int64_t threads = 1;
  ReportProgress progress = {};  ///< of write_shards, in bytes; it reads its inputs twice
};

struct ShardTotals {
  int64_t articles = 0;
  int64_t sentences = 0;
  ShardCounts shards;  ///< numbers of shards made
  std::vector<std::string> files;
  std::string damage;  ///< why a source that may be truncated ended early, else empty
};

/// Reads files with one article per line, splits each article into sentences and writes the shards:
/// one sentence per line, and a blank line after each article. The bytes do not depend on the
/// number of threads. Throws Error when there is no sentence.
ShardTotals write_shards(std::span<const std::string> inputs, const ShardOptions& options);

/// Opens the sources of a corpus in their order. It is called twice and must give the same lines
/// both times.
using OpenSources = std::function<std::vector<std::unique_ptr<LineSource>>()>;

/// The same shards from articles that are not in files. Each article is produced twice: once to be
/// counted and once to be written in its place. Memory holds 24 bytes per article.
ShardTotals stream_shards(const OpenSources& open, const ShardOptions& options);

}  // namespace bertha::corpus
