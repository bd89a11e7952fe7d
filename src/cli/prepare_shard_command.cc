#include <fmt/format.h>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "core/threads.h"
#include "prepare/shard_stage.h"

namespace bertha::cli {

int run_prepare_shard(Arguments arguments) {
  prepare::ShardOptions shard;
  corpus::ShardOptions& shards = shard.shards;
  shards.threads = thread_count();
  Options options(
      "bertha prepare shard",
      "Splits articles into sentences and distributes them over shards of equal numbers "
      "of sentences: one a line, a blank line behind each article.");
  options.values("input_files", shard.inputs, "text files of one article a line").required();
  options.value("output_dir", shards.output_dir, "folder for the shards").required();
  options.value("dataset", shards.dataset, "leads the names: <dataset>_training_0.txt");
  options.value("n_training_shards", shards.shards.training, "shards for training");
  options.value("n_test_shards", shards.shards.test, "shards for tests");
  options.value("fraction_test_set", shards.test_fraction, "share of the sentences kept for tests");
  options.value("threads", shards.threads, "threads to use").alias("n_processes", "threads");
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  prepare::check_options(shards);
  check_threads("threads", shards.threads);
  const prepare::ShardResult result = prepare::run_shard(shard, open_status_line("shard", ""));
  prepare::warn_of_fewer_shards(result);
  fmt::print("{}: {}\n", shards.output_dir, prepare::describe(result));
  return 0;
}

}  // namespace bertha::cli
