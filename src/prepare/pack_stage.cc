#include "prepare/pack_stage.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <vector>

#include "core/counted.h"
#include "core/error.h"
#include "dataset/pretraining_loader.h"
#include "io/atomic_file.h"
#include "io/file_status.h"
#include "prepare/output_folder.h"
#include "prepare/rank_work.h"
#include "prepare/stopwatch.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;

/// The metadata are written last: a run that left files without metadata did not finish.
void clear_output(const PackOptions& options) {
  const std::string metadata = dataset::packing_metadata_path(options.output_dir);
  const std::vector<std::string> old = dataset::packed_files(options.output_dir);
  const bool whole = io::exists(metadata);
  if (whole && !old.empty() && !options.overwrite) {
    fail("{}: holds {} already; --overwrite replaces what is there", options.output_dir,
         counted(std::ssize(old), "packed shard"));
  }
  if (!old.empty()) {
    spdlog::info("{}: removing {} {}", options.output_dir, counted(std::ssize(old), "packed shard"),
                 whole ? "to be replaced" : "of a run that did not finish");
  }
  if (whole) fs::remove(metadata);
  for (const std::string& file : old) fs::remove(file);
  remove_leftovers_logged(options.output_dir);
  remove_leftovers_logged(fs::path(metadata).parent_path().string());
}

/// The shards to pack. Throws Error when they are in the output folder.
std::vector<std::string> find_inputs(const PackOptions& options) {
  std::vector<std::string> files = dataset::find_shards(options.input_dir);
  std::error_code error;
  if (fs::equivalent(options.input_dir, options.output_dir, error)) {
    fail("--output-dir {}: the same folder as --input-dir", options.output_dir);
  }
  const dataset::ShardShape shape = dataset::read_shard_shape(files.front());
  if (shape.seq_length != options.packing.row_length) {
    spdlog::warn("{} has rows of {} tokens, packed rows will have {} (--max-sequence-length)",
                 files.front(), shape.seq_length, options.packing.row_length);
  }
  return files;
}

}  // namespace

void check_options(const dataset::PackOptions& options) {
  const auto within = [](const char* name, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most) {
      fail("--{} {}: expected {} to {}", name, value, least, most);
    }
  };
  within("max-sequence-length", options.row_length, 8, dataset::kMostPackedLength);
  within("max-predictions-per-sequence", options.max_predictions, 1, options.row_length);
  within("max-sequences-per-pack", options.sequences_per_row, 1, dataset::kMostSequencesPerRow);
}

PackResult run_pack(const PackOptions& options, comm::Communicator& world,
                    const ReportProgress& progress, const ReportPacking& packing_found) {
  check_options(options.packing);
  const Stopwatch watch;
  const std::vector<std::string> inputs = find_inputs(options);
  dataset::PackOptions packing = options.packing;
  packing.part = world.rank();
  packing.parts = world.ranks();
  const dataset::SequenceLengths lengths(inputs, packing.row_length, packing.threads);
  const dataset::Packing found =
      dataset::pack_histogram(lengths.histogram(), packing.sequences_per_row);
  if (packing_found) packing_found(found);
  PackResult result{.metadata = dataset::packing_metadata_path(options.output_dir)};
  if (world.leads()) clear_output(options);
  world.wait_for_all(comm::Stage::kBarrier);
  result.files = std::ssize(
      dataset::write_packed(inputs, lengths, found, packing, options.output_dir, progress));
  all_reduce_counts(world, {&result.files});
  if (world.leads()) io::write_file(result.metadata, dataset::packing_metadata(found));
  result.seconds = watch.seconds();
  return result;
}

std::string describe(const dataset::Packing& packing) {
  return fmt::format(
      "{} sequences in {} rows of {} tokens: {:.4f} a row (at best {:.4f}), {:.2f} % of the places "
      "hold tokens, {:.2f} % before",
      packing.sequences, packing.rows, packing.row_length, packing.sequences_a_row(),
      packing.most_sequences_a_row(), 100 * packing.efficiency(),
      100 / packing.most_sequences_a_row());
}

std::string describe(const PackResult& result) {
  return fmt::format("{} and {} in {:.1f} s", counted(result.files, "file"), result.metadata,
                     result.seconds);
}

}  // namespace bertha::prepare
