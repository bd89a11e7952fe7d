#include <fmt/format.h>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "core/parallel_for.h"
#include "prepare/shard_stage.h"

namespace bertha::cli {

int run_prepare_shard(Arguments arguments) {
  prepare::ShardOptions shard;
  bool overwrite = false;
  corpus::ShardOptions& shards = shard.shards;
  shards.threads = thread_count();
  Options options(
      "bertha prepare shard",
      "Splits articles into sentences and distributes them over shards with equal numbers of "
      "sentences. A shard has one sentence on each line and a blank line after each article.");
  options.example("bertha prepare shard --input-files wiki.txt books.txt --output-dir=shards",
                  "Text shards of two files");
  options.files("input_files", shard.inputs, "text files with one article on each line").required();
  options.folder("output_dir", shards.output_dir, "folder for the shards").required();
  options.value("dataset", shards.dataset,
                "first part of the file names: <dataset>_training_0.txt");
  options.value("n_training_shards", shards.shards.training, "number of shards for training");
  options.value("n_test_shards", shards.shards.test, "number of shards for tests");
  options.value("fraction_test_set", shards.test_fraction, "fraction of the sentences for tests");
  options.value("threads", shards.threads, "number of threads").alias("n_processes", "threads");
  options.flag("overwrite", overwrite, "replace shards of the dataset that another command made");
  options.parse(arguments);
  prepare::check_options(shards);
  check_threads("threads", shards.threads);
  prepare::claim_shards(shard, overwrite);
  const prepare::ShardResult result = prepare::run_shard(shard, open_status_line("shard", ""));
  prepare::warn_of_fewer_shards(result);
  fmt::print("{}: {}\n", shards.output_dir, prepare::describe(result));
  return 0;
}

}  // namespace bertha::cli
