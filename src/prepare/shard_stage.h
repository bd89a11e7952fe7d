#pragma once

// The shard stage: articles become sentences in shards of equal numbers of sentences. The text
// comes from files of one article a line, or, in run_stream(), from the dump and the books.

#include <string>
#include <vector>

#include "core/progress.h"
#include "corpus/sharding.h"
#include "prepare/extract_stage.h"

namespace bertha::prepare {

struct ShardOptions {
  std::vector<std::string> inputs;  ///< text files of one article a line
  corpus::ShardOptions shards;      ///< run_shard() sets `progress`
};

struct StreamOptions {
  std::string books;       ///< folder of .txt files, one book each; empty: no books
  ExtractOptions extract;  ///< of `articles` the text options and threads; no dump: no articles
  corpus::ShardOptions shards;
};

struct ShardResult {
  corpus::ShardTotals totals;
  corpus::ShardCounts wanted;  ///< the shards that were asked for; totals.shards were made
};

/// Throws Error naming the option of `bertha prepare shard` that is out of range.
void check_options(const corpus::ShardOptions& options);

/// For a command that runs this stage alone: takes the shards of the dataset for it
/// (output_claim.h). Throws Error where another command made them and `overwrite` is false.
void claim_shards(const ShardOptions& options, bool overwrite);

/// Writes the shards of text into their folder, which is made when missing. Afterwards it removes
/// shards of the same dataset with other numbers: an earlier run left them. `progress` is in bytes;
/// the inputs are read twice.
ShardResult run_shard(const ShardOptions& options, const ReportProgress& progress);

/// Writes the shards that run_extract(), run_format() and run_shard() would make, without their
/// other files. The books come before the articles. The dump is read twice: `progress` is in bytes
/// of both passes. totals.damage says why a dump ended early, where options allow that.
ShardResult run_stream(const StreamOptions& options, const ReportProgress& progress);

/// "214 articles, 39333 sentences in 256 training and 256 test shards".
std::string describe(const ShardResult& result);

/// Logs a warning when there were too few articles for all shards.
void warn_of_fewer_shards(const ShardResult& result);

}  // namespace bertha::prepare
