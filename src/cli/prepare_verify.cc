#include <spdlog/spdlog.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "core/error.h"
#include "core/threads.h"
#include "dataset/packing.h"
#include "dataset/shard_survey.h"
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

/// What the packed folder's metadata say must be what its files hold.
void compare_metadata(const std::string& folder, dataset::Survey& survey) {
  if (survey.packed_files == 0 || !survey.faults.empty()) return;
  const std::optional<double> claimed = dataset::read_sequences_a_row(folder);
  if (!claimed) {
    spdlog::warn("{}: there is no {}", folder, dataset::packing_metadata_path(folder));
    return;
  }
  const double real = static_cast<double>(survey.sequences) / static_cast<double>(survey.rows);
  // The recipe leaves out the last, incomplete file and counts it.
  if (std::abs(*claimed - real) <= 0.01 * real) return;
  survey.faults.push_back(fmt::format("{}: avg_seq_per_sample is {:.5f}, the files have {:.5f}",
                                      dataset::packing_metadata_path(folder), *claimed, real));
}

}  // namespace

int prepare_verify(Arguments arguments) {
  Settings settings;
  Options options = declare(settings);
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  if (settings.threads < 1) fail("--threads {}: expected 1 or more", settings.threads);
  if (settings.max_predictions < 1) {
    fail("--max_predictions_per_sequence {}: expected 1 or more", settings.max_predictions);
  }
  std::optional<text::Vocabulary> vocabulary;
  if (settings.vocab_file) vocabulary.emplace(text::Vocabulary::load(*settings.vocab_file));
  dataset::SurveyOptions survey_options;
  survey_options.max_predictions = settings.max_predictions;
  survey_options.threads = settings.threads;
  survey_options.vocabulary = vocabulary ? &*vocabulary : nullptr;
  const std::vector<std::string> files = dataset::shard_files(settings.input_dir);
  dataset::Survey survey = dataset::survey_shards(files, survey_options, [](const std::string&) {});
  compare_metadata(settings.input_dir, survey);
  for (const std::string& fault : survey.faults) spdlog::error("{}", fault);
  fmt::print("{} of {} files are sound: {} rows, {} sequences, {} tokens, {} masked\n",
             survey.files, files.size(), survey.rows, survey.sequences, survey.tokens,
             survey.masked);
  return survey.faults.empty() ? 0 : 1;
}

}  // namespace bertha::cli
