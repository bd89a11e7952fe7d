#include "dataset/shard_survey.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/parallel_tasks.h"
#include "io/file_status.h"
#include "io/hdf5/hdf5_file.h"
#include "io/list_files.h"

namespace bertha::dataset {
namespace {

namespace fs = std::filesystem;

void add(std::vector<int64_t>& sums, const std::vector<int64_t>& more) {
  sums.resize(std::max(sums.size(), more.size()), 0);
  for (size_t i = 0; i < more.size(); ++i) sums[i] += more[i];
}

void count(std::vector<int64_t>& histogram, int64_t value) {
  const auto at = static_cast<size_t>(value);
  if (histogram.size() <= at) histogram.resize(at + 1, 0);
  ++histogram[at];
}

/// Checks that a sequence is [CLS] A [SEP] B [SEP] and that its segments match.
void check_sequence(const std::string& path, int64_t row, std::span<const int32_t> ids,
                    std::span<const uint8_t> segments, const text::SpecialIds& specials) {
  const auto separators = std::ranges::count(ids, specials.sep);
  if (ids.front() != specials.cls || ids.back() != specials.sep || separators < 2) {
    fail("{}: input_ids: row {}: a sequence is not [CLS] … [SEP] … [SEP]", path, row);
  }
  const auto change = std::ranges::find(segments, uint8_t{1}) - segments.begin();
  if (change == 0 || change == std::ssize(segments) ||
      ids[static_cast<size_t>(change) - 1] != specials.sep) {
    fail("{}: segment_ids: row {}: the second segment does not begin after a [SEP]", path, row);
  }
}

class FileSurvey {
 public:
  FileSurvey(const std::string& path, const SurveyOptions& options)
      : path_(path), options_(options) {
    if (options.vocabulary != nullptr) specials_ = options.vocabulary->specials();
  }

  Survey run() {
    const ShardShape shape = read_shard_shape(path_);
    ShardLimits limits{.vocab_size = int64_t{1} << 30,
                       .max_position = shape.seq_length,
                       .max_predictions = options_.max_predictions,
                       .strict = true};
    if (options_.vocabulary != nullptr) limits.vocab_size = options_.vocabulary->size();
    const RaggedShard shard = read_shard(path_, limits);
    survey_.files = 1;
    survey_.packed_files = shape.packed() ? 1 : 0;
    survey_.rows = shard.rows();
    survey_.places = shard.rows() * shape.seq_length;
    survey_.longest_row = shape.seq_length;
    survey_.most_slots = shape.sequences_a_row();
    survey_.sequences = std::ssize(shard.next_sentence);
    survey_.tokens = std::ssize(shard.ids);
    survey_.masked = std::ssize(shard.masked_labels);
    survey_.random_next = std::ranges::count(shard.next_sentence, 1);
    survey_.first_segment_tokens = std::ranges::count(shard.segments, 0);
    survey_.largest_id = *std::ranges::max_element(shard.ids);
    for (int64_t row = 0; row < shard.rows(); ++row) add_row(shard, row);
    return survey_;
  }

 private:
  void add_row(const RaggedShard& shard, int64_t row) {
    const auto at = static_cast<size_t>(row);
    count(survey_.by_sequences, shard.row_start[at + 1] - shard.row_start[at]);
    for (auto n = static_cast<size_t>(shard.row_start[at]);
         n < static_cast<size_t>(shard.row_start[at + 1]); ++n) {
      const auto begin = static_cast<size_t>(shard.sequence_start[n]);
      const auto length = static_cast<size_t>(shard.sequence_start[n + 1]) - begin;
      count(survey_.by_length, static_cast<int64_t>(length));
      if (!specials_) continue;
      check_sequence(path_, row, std::span(shard.ids).subspan(begin, length),
                     std::span(shard.segments).subspan(begin, length), *specials_);
      survey_.unknown +=
          std::ranges::count(std::span(shard.ids).subspan(begin, length), specials_->unk);
    }
    const int64_t first = shard.sequence_start[static_cast<size_t>(shard.row_start[at])];
    for (auto m = static_cast<size_t>(shard.masked_start[at]);
         m < static_cast<size_t>(shard.masked_start[at + 1]); ++m) {
      const int32_t id = shard.ids[static_cast<size_t>(first + shard.masked_positions[m])];
      survey_.masked_kept += id == shard.masked_labels[m] ? 1 : 0;
      if (!specials_) continue;
      survey_.masked_as_mask += id == specials_->mask ? 1 : 0;
    }
  }

  const std::string& path_;
  const SurveyOptions& options_;
  std::optional<text::SpecialIds> specials_;  ///< set when there is a vocabulary
  Survey survey_;
};

}  // namespace

Survey& Survey::operator+=(const Survey& other) {
  files += other.files;
  packed_files += other.packed_files;
  rows += other.rows;
  sequences += other.sequences;
  tokens += other.tokens;
  places += other.places;
  longest_row = std::max(longest_row, other.longest_row);
  most_slots = std::max(most_slots, other.most_slots);
  random_next += other.random_next;
  first_segment_tokens += other.first_segment_tokens;
  masked += other.masked;
  masked_as_mask += other.masked_as_mask;
  masked_kept += other.masked_kept;
  unknown += other.unknown;
  largest_id = std::max(largest_id, other.largest_id);
  add(by_length, other.by_length);
  add(by_sequences, other.by_sequences);
  faults.insert(faults.end(), other.faults.begin(), other.faults.end());
  return *this;
}

std::vector<std::string> shard_files(const std::string& path) {
  if (!io::is_folder(path)) return {path};
  std::vector<std::string> files = io::list_files(path, "", ".hdf5");
  if (files.empty()) fail("{}: no .hdf5 file in this folder", path);
  return files;
}

bool holds_shards(const std::string& path) {
  if (io::is_regular_file(path)) return path.ends_with(".hdf5") || io::is_hdf5(path);
  return io::is_folder(path) && !io::list_files(path, "", ".hdf5").empty();
}

std::string folder_with_shards(const std::string& path) {
  std::error_code error;
  if (holds_shards(path) || !io::is_folder(path)) return "";
  std::set<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.is_directory(error) && holds_shards(entry.path())) found.insert(entry.path());
  }
  return found.empty() ? "" : *found.begin();
}

Survey survey_shards(const std::vector<std::string>& files, const SurveyOptions& options,
                     const ReportProgress& progress) {
  std::vector<Survey> of_file(files.size());
  ProgressCounter done(std::ssize(files), progress);
  parallel_tasks(std::ssize(files), options.threads, [&](int64_t i) {
    Survey& survey = of_file[static_cast<size_t>(i)];
    const std::string& file = files[static_cast<size_t>(i)];
    try {
      survey = FileSurvey(file, options).run();
    } catch (const Error& error) {
      survey.faults.emplace_back(error.what());
    }
    done.add(1);
  });
  Survey total;
  for (const Survey& survey : of_file) total += survey;
  return total;
}

}  // namespace bertha::dataset
