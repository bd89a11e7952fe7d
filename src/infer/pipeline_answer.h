#pragma once

// Extractive question answering as the pipeline "question-answering" of transformers 4 computes it
// (pipelines/question_answering.py): other tokens, windows and scores than run_squad.py has. A
// span's score is the product of the probabilities of its start and its end within its window.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "infer/window_job.h"
#include "text/model_input.h"
#include "text/tokenizer.h"

namespace bertha::infer {

struct PipelineAnswerSettings {
  int64_t window_tokens = 384;
  int64_t overlap = 128;  ///< tokens that a window shares with the next one
  int64_t max_answer_tokens = 15;
  int64_t max_question_tokens = 64;  ///< of a question that leaves the passage no room
  int64_t top = 1;
  bool no_answer = false;      ///< "there is no answer" is among the results
  bool align_to_words = true;  ///< stretch answers to whole words
  int64_t max_windows = 4096;
};

struct SpanAnswer {
  double score = 0;
  int64_t begin = 0;  ///< place in the passage, in code points
  int64_t end = 0;    ///< one past the last; equal to `begin`: there is no answer
};

class PipelineAnswerJob final : public WindowJob {
 public:
  /// `tokenizer` follows TokenRules::kHf, as transformers does. Throws Error for settings that
  /// leave the passage no room, and for more windows than they allow.
  PipelineAnswerJob(std::string_view question, std::string_view passage,
                    const text::Tokenizer& tokenizer, const PipelineAnswerSettings& settings);

  int64_t windows() const override { return tokens_.sequences(); }
  WindowSize size(int64_t window) const override {
    return {.tokens = sequence_length(tokens_, window)};
  }
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override {
    (void)rows;
    append_sequence(tokens_, window, batch);
  }
  void take(int64_t window, std::span<const float> result) override;

  /// When all windows have their results: best first, at most `top`.
  std::vector<SpanAnswer> results() const;

 private:
  /// A part of the passage: its tokens from `begin` to `end`.
  struct Window {
    int64_t begin = 0;
    int64_t end = 0;
    std::vector<SpanAnswer> best{};
    double no_answer = 0;
  };

  void cut(const text::EncodedText& question, const text::Tokenizer& tokenizer);
  SpanAnswer place_of(const Window& window, double score, int64_t start, int64_t end) const;

  PipelineAnswerSettings settings_;
  text::EncodedText passage_;
  std::vector<uint8_t> continues_;  ///< of each token of the passage: it continues a word
  int64_t lead_ = 0;                ///< tokens of a window before the passage's
  RaggedBatch tokens_;
  std::vector<Window> windows_;
};

}  // namespace bertha::infer
