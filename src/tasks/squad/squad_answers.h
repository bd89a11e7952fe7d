#pragma once

// From logits to answers, as get_answers of NVIDIA's run_squad.py: takes the best pairs of start
// and end of each window and their texts, merges the windows of a question, and computes
// probabilities over the best answers.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tasks/squad/answer_text.h"
#include "tasks/squad/squad_features.h"
#include "tasks/squad/squad_score.h"

namespace bertha::tasks {

struct AnswerOptions {
  int64_t n_best_size = 20;        ///< starts and ends per window, and answers per question
  int64_t max_answer_length = 30;  ///< in tokens
  bool version_2 = false;
  double null_threshold = 0;  ///< version 2: "" when the null score is better by more than this
};

/// A range of a window as an answer.
struct Candidate {
  std::string text{};
  float start_logit = 0;
  float end_logit = 0;
  int64_t window = -1;  ///< -1: represents "no answer"
  int64_t start = 0;    ///< positions in the window
  int64_t end = 0;
  double score() const { return double{start_logit} + double{end_logit}; }
};

/// The candidates of one window.
struct WindowAnswers {
  std::vector<Candidate> candidates;  ///< best first, distinct texts
  float null_start = 0;               ///< logits of [CLS]
  float null_end = 0;
};

struct RankedAnswer {
  Candidate candidate;
  double probability = 0;
};

/// The answers to a question; `text` is the final one.
struct QuestionAnswers {
  std::string id;
  std::string text;
  std::vector<RankedAnswer> best;  ///< best first
};

class SquadAnswerer {
 public:
  /// `features` must outlive this object.
  SquadAnswerer(const SquadFeatures& features, const text::Tokenizer& tokenizer,
                const AnswerOptions& options);

  /// Reads the candidates of window `window` from its logits, one start and one end per position.
  /// Several threads may call it.
  WindowAnswers read_window(int64_t window, std::span<const float> start,
                            std::span<const float> end) const;

  /// Merges the candidates of all windows by question id, in the order of the first windows.
  std::vector<QuestionAnswers> merge(const std::vector<WindowAnswers>& windows) const;

  /// The answer's range in the context, in code points: first and one past the last.
  std::pair<int64_t, int64_t> place_of(const Candidate& candidate) const;

 private:
  /// The words of the passage in which the candidate's first and last token lie.
  std::pair<int32_t, int32_t> word_range(const Candidate& candidate) const;
  std::string words_of(const Candidate& candidate) const;
  std::string text_of(const Candidate& candidate) const;
  QuestionAnswers rank(const std::string& id, std::vector<Candidate> candidates,
                       double null_score) const;

  const SquadFeatures& features_;
  const text::Tokenizer& tokenizer_;
  AnswerOptions options_;
  AnswerText recover_;
};

/// Texts of predictions.json and nbest_predictions.json, byte for byte as json.dumps(indent=4).
std::string predictions_json(const std::vector<QuestionAnswers>& answers);
std::string nbest_json(const std::vector<QuestionAnswers>& answers);
/// The answers in the form that score_squad takes.
SquadAnswers by_id(const std::vector<QuestionAnswers>& answers);

}  // namespace bertha::tasks
