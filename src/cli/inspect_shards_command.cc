#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/inspect_commands.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "dataset/length_histogram.h"
#include "dataset/shard_samples.h"
#include "dataset/shard_survey.h"
#include "io/atomic_file.h"
#include "runlog/quantity_format.h"
#include "runlog/status_line.h"
#include "runlog/work_meter.h"
#include "text/tokenizer_file.h"

namespace bertha::cli {
namespace {

using Json = nlohmann::ordered_json;
using dataset::Survey;

constexpr int kBarColumns = 48;

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// A bar with a length in eighths of a column, or in whole columns where the terminal has no block
/// characters.
std::string bar(double part, bool unicode) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<int>(std::lround(part * kBarColumns * 8));
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += unicode ? "█" : "#";
  return unicode ? text + kEighths[static_cast<size_t>(eighths % 8)] : text;
}

void print_histogram(const Survey& survey) {
  const bool unicode = runlog::stderr_terminal().unicode;
  const std::vector<dataset::LengthBin> bins = dataset::length_histogram(survey);
  const int64_t most = dataset::most_sequences(bins);
  fmt::print("\nlength      sequences\n");
  for (const dataset::LengthBin& bin : bins) {
    fmt::print("{:>4}–{:<5} {:>10}  {}\n", bin.lower, bin.upper,
               runlog::format_count(bin.sequences), bar(share(bin.sequences, most), unicode));
  }
}

void print_figures(const Survey& s, bool vocabulary) {
  const auto line = [](const char* name, const std::string& value) {
    fmt::print("{:<22} {}\n", name, value);
  };
  line("files",
       fmt::format("{}{}", runlog::format_count(s.files),
                   s.packed_files == 0         ? ""
                   : s.packed_files == s.files ? ", packed"
                                               : fmt::format(", {} packed", s.packed_files)));
  line("rows", fmt::format("{} of {} tokens", runlog::format_count(s.rows), s.longest_row));
  line("sequences", fmt::format("{}, {:.4f} a row", runlog::format_count(s.sequences),
                                share(s.sequences, s.rows)));
  line("tokens", fmt::format("{}, {:.2f} a sequence", runlog::format_count(s.tokens),
                             share(s.tokens, s.sequences)));
  line("real tokens", fmt::format("{:.2f} % of all places", 100 * share(s.tokens, s.places)));
  line("random next sentence",
       fmt::format("{:.2f} % of the sequences", 100 * share(s.random_next, s.sequences)));
  line("masked tokens", fmt::format("{}, {:.2f} % of the tokens", runlog::format_count(s.masked),
                                    100 * share(s.masked, s.tokens)));
  line("largest id", fmt::format("{}", s.largest_id));
  line("masked, kept", fmt::format("{:.2f} % of the masked", 100 * share(s.masked_kept, s.masked)));
  if (!vocabulary) return;
  line("masked as [MASK]",
       fmt::format("{:.2f} % of the masked", 100 * share(s.masked_as_mask, s.masked)));
  line("unknown", fmt::format("{:.3f} % of the tokens", 100 * share(s.unknown, s.tokens)));
}

Json json_of(const Survey& s, bool vocabulary) {
  Json json = {{"files", s.files},
               {"packed_files", s.packed_files},
               {"rows", s.rows},
               {"row_length", s.longest_row},
               {"sequences", s.sequences},
               {"tokens", s.tokens},
               {"real_token_share", share(s.tokens, s.places)},
               {"random_next_share", share(s.random_next, s.sequences)},
               {"first_segment_share", share(s.first_segment_tokens, s.tokens)},
               {"masked", s.masked},
               {"masked_kept_share", share(s.masked_kept, s.masked)},
               {"largest_id", s.largest_id},
               {"sequences_by_length", s.by_length},
               {"rows_by_sequences", s.by_sequences},
               {"faults", s.faults}};
  if (vocabulary) {
    json["masked_as_mask_share"] = share(s.masked_as_mask, s.masked);
    json["unknown_share"] = share(s.unknown, s.tokens);
  }
  return json;
}

void print_samples(const std::string& file, const InspectOptions& options,
                   const text::Vocabulary& vocabulary) {
  const auto samples = dataset::sample_shard(file, vocabulary, options.samples);
  fmt::print("\nrows of {}, masked words in braces\n", file);
  for (const dataset::ShardSample& sample : samples) {
    fmt::print("row {}, {}: {}\n", sample.row, sample.random_next ? "random" : "next", sample.text);
  }
}

/// Throws Error if all files are faulty, because then there is nothing to show.
void expect_something_sound(const Survey& survey, size_t files) {
  if (survey.files > 0) return;
  if (files == 1) fail("{}", survey.faults.front());
  fail("{} (and {} more faulty files)", survey.faults.front(), files - 1);
}

}  // namespace

int inspect_shards(const InspectOptions& options) {
  if (!options.diff.empty()) fail("--diff compares weights; {} holds shards", options.path);
  if (options.samples < 0) fail("--samples {}: expected 0 or more", options.samples);
  std::optional<text::Vocabulary> vocabulary;
  if (!options.vocab_file.empty()) {
    vocabulary.emplace(text::load_tokenizer(options.vocab_file).vocabulary).specials();
  }
  dataset::SurveyOptions survey_options;
  survey_options.threads = thread_count();
  survey_options.vocabulary = vocabulary ? &*vocabulary : nullptr;
  const std::vector<std::string> files = dataset::shard_files(options.path);
  runlog::WorkMeter meter("inspect", "files");
  const Survey survey = dataset::survey_shards(files, survey_options, meter.report());
  meter.clear();
  expect_something_sound(survey, files.size());
  if (options.json) {
    fmt::print("{}\n", json_of(survey, vocabulary.has_value()).dump(2));
  } else {
    for (const std::string& fault : survey.faults) fmt::print("FAULT {}\n", fault);
    print_figures(survey, vocabulary.has_value());
    print_histogram(survey);
    if (vocabulary && survey.faults.empty()) print_samples(files.front(), options, *vocabulary);
  }
  if (!options.svg.empty()) io::write_file(options.svg, dataset::length_svg(survey));
  return survey.faults.empty() ? 0 : 1;
}

}  // namespace bertha::cli
