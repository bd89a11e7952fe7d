#include <spdlog/spdlog.h>

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "cli/ranks.h"
#include "core/error.h"
#include "core/threads.h"
#include "dataset/packing/packing.h"
#include "dataset/shard_survey.h"
#include "runlog/work_meter.h"
#include "text/vocabulary.h"

namespace bertha::cli {
namespace {

struct Settings {
  std::string input_dir;
  std::optional<std::string> vocab_file;
  int64_t max_predictions = 80;
  int64_t threads = thread_count();
};

Options declare(Settings& settings) {
  Options options(
      "bertha prepare verify",
      "Reads all rows of all shards of a folder, packed or not, and checks every field: shapes, "
      "masks, positions, segments, masked tokens, next-sentence labels, unused places. With the "
      "vocabulary also ids and special tokens. The status is 1 when anything is wrong, and each "
      "faulty file has a line.");
  options.value("input_dir", settings.input_dir, "folder of shards, or one shard").required();
  options.value("max_predictions_per_sequence", settings.max_predictions,
                "masked tokens of a row whose list has no end mark");
  options.value("vocab_file", settings.vocab_file, "the vocabulary the shards were made with");
  options.value("threads", settings.threads, "threads to use");
  return options;
}

/// What the files of all ranks hold.
struct Totals {
  int64_t files, packed_files, rows, sequences, tokens, masked, faults;
};

Totals all_reduce_sums(comm::Communicator& world, const dataset::Survey& own) {
  std::array<int64_t, 7> counts = {own.files,
                                   own.packed_files,
                                   own.rows,
                                   own.sequences,
                                   own.tokens,
                                   own.masked,
                                   static_cast<int64_t>(own.faults.size())};
  sum_counts(world, counts);
  return {counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], counts[6]};
}

/// What the packed folder's metadata say must be what its files hold; else the fault.
std::string compare_metadata(const std::string& folder, const Totals& totals) {
  if (totals.packed_files == 0 || totals.faults > 0) return "";
  const std::optional<double> claimed = dataset::read_sequences_a_row(folder);
  if (!claimed) {
    spdlog::warn("{}: there is no {}", folder, dataset::packing_metadata_path(folder));
    return "";
  }
  const double real = static_cast<double>(totals.sequences) / static_cast<double>(totals.rows);
  // The recipe leaves out the last, incomplete file and counts it.
  if (std::abs(*claimed - real) <= 0.01 * real) return "";
  return fmt::format("{}: avg_seq_per_sample is {:.5f}, the files have {:.5f}",
                     dataset::packing_metadata_path(folder), *claimed, real);
}

std::vector<std::string> own_files(const std::vector<std::string>& files,
                                   const comm::Communicator& world) {
  std::vector<std::string> own;
  for (const size_t i : own_of(files.size(), world)) own.push_back(files[i]);
  return own;
}

}  // namespace

int prepare_verify(Arguments arguments, comm::Communicator& world) {
  Settings settings;
  Options options = declare(settings);
  if (!options.parse(arguments)) {
    if (world.leads()) fmt::print("{}", options.help());
    return 0;
  }
  if (!options.given("threads")) settings.threads = threads_beside(world);
  check_threads("threads", settings.threads);
  if (settings.max_predictions < 1) {
    fail("--max_predictions_per_sequence {}: expected 1 or more", settings.max_predictions);
  }
  std::optional<text::Vocabulary> vocabulary;
  if (settings.vocab_file) {
    vocabulary.emplace(text::Vocabulary::load(*settings.vocab_file)).specials();
  }
  dataset::SurveyOptions survey_options;
  survey_options.max_predictions = settings.max_predictions;
  survey_options.threads = settings.threads;
  survey_options.vocabulary = vocabulary ? &*vocabulary : nullptr;
  const std::vector<std::string> files = dataset::shard_files(settings.input_dir);
  runlog::WorkMeter meter("verify", "files", !world.leads());
  const dataset::Survey survey =
      dataset::survey_shards(own_files(files, world), survey_options, meter.report());
  meter.clear();
  for (const std::string& fault : survey.faults) spdlog::error("{}", fault);
  const Totals totals = all_reduce_sums(world, survey);
  const std::string fault = compare_metadata(settings.input_dir, totals);
  const int status = totals.faults > 0 || !fault.empty() ? 1 : 0;
  if (!world.leads()) return status;
  if (!fault.empty()) spdlog::error("{}", fault);
  fmt::print("{} of {} files are sound: {} rows, {} sequences, {} tokens, {} masked\n",
             totals.files, files.size(), totals.rows, totals.sequences, totals.tokens,
             totals.masked);
  return status;
}

}  // namespace bertha::cli
