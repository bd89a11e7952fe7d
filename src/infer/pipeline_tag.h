#pragma once

// Token classification as the pipeline "token-classification" of transformers computes it
// (pipelines/token_classification.py): the labels of tokens, or of the words and groups that an
// aggregation strategy makes of them.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/window_job.h"
#include "text/model_input.h"
#include "text/tokenizer.h"

namespace bertha::infer {

/// `aggregation_strategy`. kSimple groups tokens; the last three group words, whose scores are
/// those of their first token, the mean over their tokens, or those of the token with the largest.
enum class TagAggregation : uint8_t { kNone, kSimple, kFirst, kAverage, kMax };

struct PipelineTagSettings {
  int64_t window_tokens = 512;  ///< special tokens included
  /// Tokens that a window shares with the next one. Nothing: one window, and a longer text is cut.
  std::optional<int64_t> overlap{};
  TagAggregation aggregation = TagAggregation::kNone;
  std::vector<std::string> ignored = {"O"};  ///< labels, or types of groups, that are left out
  int64_t max_windows = 4096;                ///< of all texts
};

/// A token with its label, or a group of tokens with its type.
struct TaggedSpan {
  std::string label{};  ///< "B-PER" of a token, "PER" of a group
  double score = 0;
  std::string word{};  ///< the tokens, decoded; of a single token its piece
  int64_t index = 0;   ///< of a single token: its place in the window, special tokens counted
  int64_t begin = 0;   ///< place in the text, in code points
  int64_t end = 0;     ///< one past the last
};

class PipelineTagJob final : public WindowJob {
 public:
  /// `tokenizer` and `labels`, the names of the classes, outlive the job. Throws Error for settings
  /// that transformers refuses, for those that leave the text no room, and for more windows than
  /// they allow.
  PipelineTagJob(std::span<const std::string> texts, const text::Tokenizer& tokenizer,
                 std::span<const std::string> labels, PipelineTagSettings settings);

  int64_t windows() const override { return tokens_.sequences(); }
  WindowSize size(int64_t window) const override {
    return {.tokens = sequence_length(tokens_, window)};
  }
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override {
    (void)rows;
    append_sequence(tokens_, window, batch);
  }
  void take(int64_t window, std::span<const float> result) override;

  int64_t cut_texts() const { return cut_texts_; }
  /// When all windows have their results: those of each text.
  std::vector<std::vector<TaggedSpan>> results() const;

 private:
  struct Window {
    size_t text = 0;
    std::vector<int32_t> ids{};
    std::vector<text::TokenOffset> offsets{};  ///< of special tokens: 0 to 0
    std::vector<TaggedSpan> found{};
  };
  /// A token with the probabilities of its classes.
  struct ScoredToken {
    std::string word{};
    std::vector<double> scores{};
    int64_t index = 0;
    text::TokenOffset place{};
    bool continues = false;  ///< it belongs to the word of the token before
  };

  void add_windows(size_t index, std::string_view text);
  void add_window(size_t index, text::ModelInput input);
  std::vector<ScoredToken> tokens_of(const Window& window, std::span<const float> logits) const;
  TaggedSpan labelled(const ScoredToken& token) const;
  TaggedSpan word_of(std::span<const ScoredToken> tokens) const;
  std::vector<TaggedSpan> words_of(std::span<const ScoredToken> tokens) const;
  TaggedSpan group_of(std::span<const TaggedSpan> members) const;
  std::vector<TaggedSpan> groups_of(std::span<const TaggedSpan> members) const;

  const text::Tokenizer& tokenizer_;
  std::span<const std::string> labels_;
  PipelineTagSettings settings_;
  int64_t cut_texts_ = 0;
  RaggedBatch tokens_;
  std::vector<Window> windows_;
  /// Of each text, what stands where the tokenizer has an unknown token that begins at the key.
  std::vector<std::map<int64_t, std::string>> unknown_;
};

}  // namespace bertha::infer
