#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/inspect_commands.h"
#include "core/error.h"
#include "core/threads.h"
#include "dataset/shard_survey.h"
#include "io/atomic_file.h"
#include "io/hdf5/hdf5_file.h"
#include "runlog/quantity_format.h"
#include "runlog/status_line.h"
#include "runlog/svg.h"
#include "runlog/work_meter.h"
#include "text/vocabulary.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using dataset::Survey;

constexpr size_t kBins = 16;
constexpr int kBarColumns = 48;

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// Sequences with a length in (upper of the bin before, upper].
struct Bin {
  int64_t lower = 0;
  int64_t upper = 0;
  int64_t sequences = 0;
};

std::vector<Bin> bins_of(const Survey& survey) {
  const auto longest = static_cast<int64_t>(survey.by_length.size()) - 1;
  const int64_t count = std::min<int64_t>(kBins, longest);
  std::vector<Bin> bins;
  for (int64_t i = 0; i < count; ++i) {
    Bin bin{longest * i / count + 1, longest * (i + 1) / count, 0};
    for (int64_t l = bin.lower; l <= bin.upper; ++l) {
      bin.sequences += survey.by_length[static_cast<size_t>(l)];
    }
    bins.push_back(bin);
  }
  return bins;
}

int64_t most_of(const std::vector<Bin>& bins) {
  return std::ranges::max_element(bins, {}, &Bin::sequences)->sequences;
}

/// A bar of eighths of a column; of whole columns where the terminal knows no block characters.
std::string bar(double part, bool unicode) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<int>(std::lround(part * kBarColumns * 8));
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += unicode ? "█" : "#";
  return unicode ? text + kEighths[static_cast<size_t>(eighths % 8)] : text;
}

void print_histogram(const Survey& survey) {
  const bool unicode = runlog::stderr_terminal().unicode;
  const std::vector<Bin> bins = bins_of(survey);
  fmt::print("\nlength      sequences\n");
  for (const Bin& bin : bins) {
    fmt::print("{:>4}–{:<5} {:>10}  {}\n", bin.lower, bin.upper,
               runlog::format_count(bin.sequences),
               bar(share(bin.sequences, most_of(bins)), unicode));
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

std::string svg_of(const Survey& survey) {
  constexpr double kWidth = 720;
  constexpr double kHeight = 320;
  constexpr double kLeft = 24;
  constexpr double kBase = kHeight - 40;
  const std::vector<Bin> bins = bins_of(survey);
  const double step = (kWidth - 2 * kLeft) / static_cast<double>(bins.size());
  runlog::Svg svg({kWidth, kHeight},
                  {{"font-family", "sans-serif"}, {"font-size", "11"}, {"text-anchor", "middle"}});
  svg.text({kWidth / 2, 24},
           fmt::format("{} sequences by length, {:.2f} % of all places hold tokens",
                       runlog::format_count(survey.sequences),
                       100 * share(survey.tokens, survey.places)),
           {{"font-size", "15"}});
  for (size_t i = 0; i < bins.size(); ++i) {
    const double x = kLeft + step * static_cast<double>(i);
    const double height = (kBase - 60) * share(bins[i].sequences, most_of(bins));
    svg.rectangle({x + 1, kBase - height}, {step - 2, height}, {{"fill", "#2f6f9f"}});
    svg.text({x + step / 2, kBase - height - 4},
             fmt::format("{:.1f}%", 100 * share(bins[i].sequences, survey.sequences)),
             {{"fill", "#555"}});
    svg.text({x + step / 2, kBase + 16}, std::to_string(bins[i].upper));
  }
  svg.text({kWidth / 2, kHeight - 6}, "tokens a sequence, up to");
  return svg.str();
}

/// Pieces put together, masked ones as they were: "the {cat} sat".
std::string decode(const PretrainingBatch& batch, size_t sequence,
                   const text::Vocabulary& vocabulary) {
  std::string text;
  for (auto t = batch.seq_start[sequence]; t < batch.seq_start[sequence + 1]; ++t) {
    const auto masked = std::ranges::find(batch.masked_rows, t);
    const bool is_masked = masked != batch.masked_rows.end();
    const int32_t id =
        is_masked ? batch.masked_labels[static_cast<size_t>(masked - batch.masked_rows.begin())]
                  : batch.ids[static_cast<size_t>(t)];
    std::string_view piece = vocabulary.piece(id);
    const bool goes_on = piece.starts_with("##") && piece.size() > 2;
    if (goes_on) piece.remove_prefix(2);
    if (!goes_on && !text.empty()) text += ' ';
    text += is_masked ? fmt::format("{{{}}}", piece) : std::string(piece);
  }
  return text;
}

void print_samples(const std::string& file, const InspectOptions& options,
                   const text::Vocabulary& vocabulary) {
  const dataset::ShardShape shape = dataset::read_shard_shape(file);
  const dataset::RaggedShard shard =
      dataset::read_shard(file, {.vocab_size = vocabulary.size(),
                                 .max_position = shape.seq_length,
                                 .max_predictions = shape.max_predictions});
  fmt::print("\nrows of {}, masked words in braces\n", file);
  for (int64_t i = 0; i < std::min(options.samples, shard.rows()); ++i) {
    PretrainingBatch batch;
    batch.clear();
    const int64_t row = shard.rows() * i / options.samples;
    shard.append_row(row, batch);
    for (size_t n = 0; n < static_cast<size_t>(batch.sequences()); ++n) {
      fmt::print("row {}, {}: {}\n", row, batch.next_sentence[n] == 1 ? "random" : "next",
                 decode(batch, n, vocabulary));
    }
  }
}

/// Where nothing is sound there is nothing to show: one line says why.
void expect_something_sound(const Survey& survey, size_t files) {
  if (survey.files > 0) return;
  if (files == 1) fail("{}", survey.faults.front());
  fail("{} (and {} more faulty files)", survey.faults.front(), files - 1);
}

}  // namespace

bool holds_shards(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) {
    return path.ends_with(".hdf5") || io::is_hdf5(path);
  }
  if (!fs::is_directory(path, error)) return false;
  const auto entries = fs::directory_iterator(path, error);
  return !error && std::any_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.path().extension() == ".hdf5";
  });
}

std::string shards_below(const std::string& path) {
  std::error_code error;
  if (holds_shards(path) || !fs::is_directory(path, error)) return "";
  std::set<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.is_directory(error) && holds_shards(entry.path())) found.insert(entry.path());
  }
  return found.empty() ? "" : *found.begin();
}

int inspect_shards(const InspectOptions& options) {
  if (!options.diff.empty()) fail("--diff compares weights; {} holds shards", options.path);
  if (options.samples < 0) fail("--samples {}: expected 0 or more", options.samples);
  std::optional<text::Vocabulary> vocabulary;
  if (!options.vocab_file.empty()) {
    vocabulary.emplace(text::Vocabulary::load(options.vocab_file)).specials();
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
  if (!options.svg.empty()) io::write_file(options.svg, svg_of(survey));
  return survey.faults.empty() ? 0 : 1;
}

}  // namespace bertha::cli
