#include "train/filled_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "infer/fill.h"
#include "infer/model.h"

namespace bertha::train {
namespace {

constexpr size_t kMostSamples = 12;
constexpr size_t kMostOfASequence = 3;
/// Tokens of the text that are shown on each side of a [MASK].
constexpr int64_t kShownTokens = 12;

/// Pieces as text: a piece that continues a word has no blank before it.
void append(std::string& text, std::string_view piece) {
  const bool continues = piece.size() > 2 && piece.starts_with("##");
  if (!continues && !text.empty()) text += ' ';
  text += continues ? piece.substr(2) : piece;
}

/// A sequence of the batch as text. [CLS] and [SEP] are left out.
struct Sample {
  std::string text;
  std::vector<std::string> around;    ///< of each [MASK]
  std::vector<std::string> expected;  ///< the word that stood there; empty: not known
};

class SampleReader {
 public:
  SampleReader(const PretrainingBatch& batch, const text::Vocabulary& vocabulary)
      : batch_(batch), vocabulary_(vocabulary), specials_(vocabulary.specials()) {}

  Sample read(int64_t sequence) const {
    const int64_t begin = batch_.seq_start[static_cast<size_t>(sequence)];
    const int64_t end = batch_.seq_start[static_cast<size_t>(sequence) + 1];
    Sample sample;
    sample.text = text_of(begin, end);
    for (int64_t at = begin; at < end; ++at) {
      if (id(at) != specials_.mask) continue;
      sample.around.push_back(
          text_of(std::max(begin, at - kShownTokens), std::min(end, at + kShownTokens + 1)));
      sample.expected.push_back(label_of(at));
    }
    return sample;
  }

 private:
  int32_t id(int64_t at) const { return batch_.ids[static_cast<size_t>(at)]; }

  std::string text_of(int64_t begin, int64_t end) const {
    std::string text;
    for (int64_t at = begin; at < end; ++at) {
      if (id(at) == specials_.cls || id(at) == specials_.sep) continue;
      append(text, vocabulary_.piece(id(at)));
    }
    return text;
  }

  std::string label_of(int64_t at) const {
    const auto found = std::ranges::find(batch_.masked_rows, static_cast<int32_t>(at));
    if (found == batch_.masked_rows.end()) return "";
    const auto index = static_cast<size_t>(found - batch_.masked_rows.begin());
    return std::string(vocabulary_.piece(batch_.masked_labels[index]));
  }

  const PretrainingBatch& batch_;
  const text::Vocabulary& vocabulary_;
  text::SpecialIds specials_;
};

std::string in_words(const infer::FillCandidate& candidate) {
  return fmt::format("{} ({:.0f} %)", candidate.piece, 100 * candidate.probability);
}

/// The rows of one sequence, if its text still has the masks that its tokens have.
void add_rows(const Sample& sample, infer::FillTask& task, runlog::ReportTable& table) {
  const infer::FillRequest request{.text = sample.text, .top = 3};
  const infer::FillResult result = task.run({&request, 1}).front();
  if (result.masks.size() != sample.around.size()) return;
  const size_t count = std::min(sample.around.size(), kMostOfASequence);
  for (size_t i = 0; i < count && table.rows.size() < kMostSamples; ++i) {
    std::string found;
    for (const infer::FillCandidate& candidate : result.masks[i]) {
      found += (found.empty() ? "" : ", ") + in_words(candidate);
    }
    table.rows.push_back({sample.around[i], sample.expected[i], found});
  }
}

}  // namespace

runlog::ReportTable filled_samples(const std::string& folder, Device& device,
                                   const PretrainingBatch& batch) {
  runlog::ReportTable table{.title = "Masked words filled in by the model",
                            .header = {"text around the mask", "the word", "the model's words"},
                            .rows = {}};
  const std::unique_ptr<infer::Model> model =
      infer::Model::open(infer::find_model(folder), device, {.purpose = infer::Purpose::kFill});
  infer::FillTask task(*model);
  const SampleReader reader(batch, model->definition().vocabulary());
  for (int64_t i = 0; i < batch.sequences() && table.rows.size() < kMostSamples; ++i) {
    const Sample sample = reader.read(i);
    if (!sample.around.empty()) add_rows(sample, task, table);
  }
  return table;
}

}  // namespace bertha::train
