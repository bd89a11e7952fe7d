#include "prepare/verify_stage.h"

#include <spdlog/spdlog.h>

#include <cmath>

#include "core/counted.h"
#include "core/error.h"
#include "dataset/packing/packing.h"
#include "dataset/shard_survey.h"
#include "prepare/rank_work.h"
#include "text/tokenizer_file.h"

namespace bertha::prepare {
namespace {

/// Compares the metadata of a packed folder with its files. Returns the fault, or "".
std::string compare_metadata(const std::string& folder, VerifyResult& result) {
  if (result.packed_files == 0 || result.faulty_files > 0) return "";
  const std::string path = dataset::packing_metadata_path(folder);
  const std::optional<double> claimed = dataset::read_sequences_a_row(folder);
  if (!claimed) {
    result.warnings.push_back(fmt::format("{}: there is no {}", folder, path));
    return "";
  }
  const double real = static_cast<double>(result.sequences) / static_cast<double>(result.rows);
  // The recipe leaves out the last, incomplete file and counts it.
  if (std::abs(*claimed - real) <= 0.01 * real) return "";
  return fmt::format("{}: avg_seq_per_sample is {:.5f}, the files have {:.5f}", path, *claimed,
                     real);
}

dataset::Survey survey_own(const std::vector<std::string>& files, const VerifyOptions& options,
                           const comm::Communicator& world, const ReportProgress& progress) {
  std::optional<text::Vocabulary> vocabulary;
  if (options.vocab_file) {
    vocabulary.emplace(text::load_tokenizer(*options.vocab_file).vocabulary).specials();
  }
  dataset::SurveyOptions survey;
  survey.max_predictions = options.max_predictions;
  survey.threads = options.threads;
  survey.vocabulary = vocabulary ? &*vocabulary : nullptr;
  std::vector<std::string> own;
  for (const size_t i : round_robin_indices(files.size(), world)) own.push_back(files[i]);
  return dataset::survey_shards(own, survey, progress);
}

}  // namespace

VerifyResult run_verify(const VerifyOptions& options, comm::Communicator& world,
                        const ReportProgress& progress) {
  if (options.max_predictions < 1) {
    fail("--max-predictions-per-sequence {}: expected 1 or more", options.max_predictions);
  }
  const std::vector<std::string> files = dataset::shard_files(options.input_dir);
  dataset::Survey survey = survey_own(files, options, world, progress);
  VerifyResult result{.sound_files = survey.files,
                      .packed_files = survey.packed_files,
                      .rows = survey.rows,
                      .sequences = survey.sequences,
                      .tokens = survey.tokens,
                      .masked = survey.masked,
                      .faulty_files = std::ssize(survey.faults),
                      .files = std::ssize(files),
                      .faults = std::move(survey.faults)};
  all_reduce_counts(world,
                    {&result.sound_files, &result.packed_files, &result.rows, &result.sequences,
                     &result.tokens, &result.masked, &result.faulty_files});
  const std::string fault = compare_metadata(options.input_dir, result);
  result.sound = result.faulty_files == 0 && fault.empty();
  if (!fault.empty() && world.leads()) result.faults.push_back(fault);
  return result;
}

std::string describe(const VerifyResult& result) {
  return fmt::format("{} of {} {} sound: {} rows, {} sequences, {} tokens, {} masked",
                     result.sound_files, counted(result.files, "file"),
                     result.files == 1 ? "is" : "are", result.rows, result.sequences, result.tokens,
                     result.masked);
}

void log_findings(const VerifyResult& result) {
  for (const std::string& warning : result.warnings) spdlog::warn("{}", warning);
  for (const std::string& fault : result.faults) spdlog::error("{}", fault);
}

}  // namespace bertha::prepare
