#include <spdlog/spdlog.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "cli/ranks.h"
#include "core/error.h"
#include "core/threads.h"
#include "dataset/packing/pack_shards.h"
#include "dataset/packing/packing.h"
#include "dataset/pretraining_loader.h"
#include "io/atomic_file.h"
#include "runlog/work_meter.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

struct Settings {
  std::string input_dir;
  std::string output_dir;
  int64_t seed = 42;
  int64_t memory_mb = 1024;
  int64_t threads = thread_count();
  bool overwrite = false;
  bool quiet = false;
  dataset::PackOptions pack;
};

Options declare(Settings& settings) {
  Options options(
      "bertha prepare pack",
      "Packs the sequences of a folder of shards, several a row, so that training spends little on "
      "padding: mixed_strategies_part_<k>.hdf5 and, beside the folder, <folder>_metadata.json, as "
      "pack_pretraining_data_pytorch.py writes them, without the sequences that it leaves out. "
      "Same "
      "shards, options and seed give the same files, whatever the number of threads.");
  options.value("input_dir", settings.input_dir, "folder of unpacked shards, *training*.hdf5")
      .required();
  options.value("output_dir", settings.output_dir, "folder of packed shards; made when missing")
      .required();
  options.value("max_sequence_length", settings.pack.row_length, "tokens a packed row");
  options.value("max_predictions_per_sequence", settings.pack.max_predictions,
                "masked tokens a packed row, and one more a sequence");
  options.value("max_sequences_per_pack", settings.pack.sequences_per_row,
                "sequences a row at most, 1 to 8");
  options.value("seed", settings.seed, "decides which sequences share a row and the rows' order");
  options.flag("overwrite", settings.overwrite, "replace the packed shards of --output_dir");
  options.value("memory_mb", settings.memory_mb, "MiB of sequences to hold at a time, about");
  options.value("threads", settings.threads, "threads to use");
  options.flag("disable_progress_bar", settings.quiet, "no progress line");
  options.accepted("train_batch_size", true, "packing does not depend on it");
  options.accepted("local_rank", true, "packing does not depend on it");
  return options;
}

void check(Settings& settings) {
  const auto within = [](const char* name, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most) {
      fail("--{} {}: expected {} to {}", name, value, least, most);
    }
  };
  within("max_sequence_length", settings.pack.row_length, 8, dataset::kMostPackedLength);
  within("max_predictions_per_sequence", settings.pack.max_predictions, 1,
         settings.pack.row_length);
  within("max_sequences_per_pack", settings.pack.sequences_per_row, 1,
         dataset::kMostSequencesPerRow);
  check_threads("threads", settings.threads);
  within("memory_mb", settings.memory_mb, 1, int64_t{1} << 24);
  settings.pack.seed = static_cast<uint64_t>(settings.seed);
  settings.pack.threads = settings.threads;
  settings.pack.memory_bytes = settings.memory_mb << 20;
}

/// The metadata are written last: files without it are of a run that did not finish.
void clear_output(const Settings& settings) {
  const std::string metadata = dataset::packing_metadata_path(settings.output_dir);
  const std::vector<std::string> old = dataset::packed_files(settings.output_dir);
  const bool whole = fs::exists(metadata);
  if (whole && !old.empty() && !settings.overwrite) {
    fail("{}: holds {} packed shards already; --overwrite replaces them", settings.output_dir,
         old.size());
  }
  if (!old.empty()) {
    spdlog::info("{}: removing {} packed shards {}", settings.output_dir, old.size(),
                 whole ? "to be replaced" : "of a run that did not finish");
  }
  if (whole) fs::remove(metadata);
  for (const std::string& file : old) fs::remove(file);
  // The metadata lie beside the folder.
  for (const std::string& folder :
       {settings.output_dir, fs::path(metadata).parent_path().string()}) {
    for (const std::string& name : io::remove_leftovers(folder.empty() ? "." : folder)) {
      spdlog::info("removed {}, left by a run that was killed", name);
    }
  }
}

void report(const dataset::Packing& packing) {
  fmt::print(
      "{} sequences in {} rows of {} tokens: {:.4f} a row (at best {:.4f}), {:.2f} % of the places "
      "hold tokens, {:.2f} % before\n",
      packing.sequences, packing.rows, packing.row_length, packing.sequences_a_row(),
      packing.most_sequences_a_row(), 100 * packing.efficiency(),
      100 / packing.most_sequences_a_row());
}

}  // namespace

int prepare_pack(Arguments arguments, comm::Communicator& world) {
  Settings settings;
  Options options = declare(settings);
  if (!options.parse(arguments)) {
    if (world.leads()) fmt::print("{}", options.help());
    return 0;
  }
  for (const std::string& note : options.notes()) spdlog::info("{}", note);
  if (!options.given("threads")) settings.threads = threads_beside(world);
  check(settings);
  settings.pack.part = world.rank();
  settings.pack.parts = world.ranks();
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<std::string> files = dataset::find_shards(settings.input_dir);
  std::error_code error;
  if (fs::equivalent(settings.input_dir, settings.output_dir, error)) {
    fail("--output_dir {}: the same folder as --input_dir", settings.output_dir);
  }
  const dataset::ShardShape shape = dataset::read_shard_shape(files.front());
  if (shape.seq_length != settings.pack.row_length) {
    spdlog::warn("{} has rows of {} tokens, packed rows will have {} (--max_sequence_length)",
                 files.front(), shape.seq_length, settings.pack.row_length);
  }
  const dataset::SequenceLengths lengths(files, settings.pack.row_length, settings.threads);
  const dataset::Packing packing =
      dataset::pack_histogram(lengths.histogram(), settings.pack.sequences_per_row);
  if (world.leads()) {
    report(packing);
    clear_output(settings);
  }
  world.wait_for_all(comm::Stage::kBarrier);
  runlog::WorkMeter meter("pack", "files, read and written", settings.quiet || !world.leads());
  const std::vector<std::string> written = dataset::write_packed(
      files, lengths, packing, settings.pack, settings.output_dir, meter.report());
  meter.clear();
  int64_t files_of_all = std::ssize(written);
  sum_counts(world, {&files_of_all, 1});
  if (!world.leads()) return 0;
  const std::string metadata = dataset::packing_metadata_path(settings.output_dir);
  io::write_file(metadata, dataset::packing_metadata(packing));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  fmt::print("{} files and {} in {:.1f} s\n", files_of_all, metadata, seconds.count());
  return 0;
}

}  // namespace bertha::cli
