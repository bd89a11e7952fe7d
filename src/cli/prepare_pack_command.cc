#include <spdlog/spdlog.h>

#include <string>

#include "cli/options.h"
#include "cli/prepare_commands.h"
#include "cli/rank_options.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "prepare/pack_stage.h"

namespace bertha::cli {
namespace {

struct Settings {
  int64_t seed = 42;
  int64_t memory_mb = 1024;
  bool quiet = false;
  prepare::PackOptions stage;
};

Options declare(Settings& settings) {
  dataset::PackOptions& packing = settings.stage.packing;
  Options options("bertha prepare pack",
                  "Packs the sequences of a folder of shards, several in a row, so that training "
                  "spends little on padding. It writes mixed_strategies_part_<k>.hdf5 and, beside "
                  "the folder, <folder>_metadata.json, as pack_pretraining_data_pytorch.py does, "
                  "without leaving out sequences. The same shards, options and seed give the same "
                  "files, with any number of threads.");
  options.example(
      "bertha prepare pack --input-dir=hdf5 --output-dir=packed --max-sequence-length=512",
      "Rows of 512 tokens with up to three sequences");
  options
      .folder("input_dir", settings.stage.input_dir, "folder of unpacked shards, *training*.hdf5")
      .required();
  options
      .folder("output_dir", settings.stage.output_dir,
              "folder for packed shards; made if it is missing")
      .required();
  options.value("max_sequence_length", packing.row_length, "number of tokens in a packed row");
  options.value("max_predictions_per_sequence", packing.max_predictions,
                "maximum number of masked tokens in a packed row, plus one for each sequence");
  options.value("max_sequences_per_pack", packing.sequences_per_row,
                "maximum number of sequences in a row, 1 to 8");
  options.value("seed", settings.seed,
                "random seed of the choice of sequences for a row and of the order of rows");
  options.flag("overwrite", settings.stage.overwrite, "replace the packed shards of --output-dir");
  options.value("memory_mb", settings.memory_mb,
                "approximate number of MiB of sequences to hold at a time");
  options.value("threads", packing.threads, "number of threads");
  options.flag("disable_progress_bar", settings.quiet, "show no status line");
  options.accepted("train_batch_size", true, "packing does not depend on it");
  options.accepted("local_rank", true, "packing does not depend on it");
  return options;
}

void finish(Settings& settings) {
  constexpr int64_t kMostMemoryMb = int64_t{1} << 24;
  dataset::PackOptions& packing = settings.stage.packing;
  prepare::check_options(packing);
  check_threads("threads", packing.threads);
  if (settings.memory_mb < 1 || settings.memory_mb > kMostMemoryMb) {
    fail("--memory-mb {}: expected 1 to {}", settings.memory_mb, kMostMemoryMb);
  }
  packing.seed = static_cast<uint64_t>(settings.seed);
  packing.memory_bytes = settings.memory_mb << 20;
}

}  // namespace

int run_prepare_pack(Arguments arguments, comm::Communicator& world) {
  Settings settings;
  dataset::PackOptions& packing = settings.stage.packing;
  packing.threads = thread_count();
  Options options = declare(settings);
  options.parse(arguments);
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  if (!options.given("threads")) packing.threads = threads_beside(world);
  finish(settings);
  const prepare::PackResult result = prepare::run_pack(
      settings.stage, world,
      open_status_line("pack", prepare::kPackUnit, settings.quiet || !world.leads()),
      [&](const dataset::Packing& found) {
        if (world.leads()) fmt::print("{}\n", prepare::describe(found));
      });
  if (world.leads()) fmt::print("{}\n", prepare::describe(result));
  return 0;
}

}  // namespace bertha::cli
