#pragma once

// Extractive question answering as a call: questions and passages in, the stretches of the passages
// that answer them out.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bert/question_answering.h"
#include "comm/communicator.h"
#include "infer/model.h"
#include "infer/predictor.h"
#include "tasks/squad/squad_answers.h"
#include "tasks/squad/squad_features.h"

namespace bertha::infer {

struct AnswerRequest {
  std::string_view question;
  std::string_view passage;
};

/// A stretch of the passage, or the answer that there is none.
struct Answer {
  std::string text;        ///< empty: there is no answer
  double probability = 0;  ///< among the best answers that were kept
  float start_logit = 0;
  float end_logit = 0;
  int64_t begin = -1;  ///< place in the passage, in code points; -1: there is no answer
  int64_t end = -1;    ///< one past the last
};

struct AnswerResult {
  std::vector<Answer> best;  ///< best first; empty where the passage has no token
};

struct AnswerSettings {
  tasks::SquadFeatureOptions features{};  ///< how passages are cut into windows
  tasks::AnswerOptions answers{};
  int64_t batch_windows = 8;  ///< windows that run together

  /// The same with windows that are no longer than the model allows, of which a question takes at
  /// most half.
  AnswerSettings fitted_to(const bert::Config& config) const;
};

class AnswerTask {
 public:
  /// The model is opened for Purpose::kAnswer and outlives the task. Throws Error for settings that
  /// do not fit each other or the model.
  AnswerTask(const Model& model, const AnswerSettings& settings);

  /// A result for each request, in their order. A passage that several requests share is tokenized
  /// once. Thread rule: that of Predictor.
  std::vector<AnswerResult> run(std::span<const AnswerRequest> requests);

  /// Answers all questions of a SQuAD file on all ranks of `world`; rank 0 alone gets the answers.
  /// There `after_batch` (it may be empty) receives the number of windows done. The features are
  /// cut as the settings say, or into shorter windows.
  std::vector<tasks::QuestionAnswers> run(const tasks::SquadFeatures& features,
                                          const std::function<void(int64_t)>& after_batch = {},
                                          comm::Communicator& world = comm::alone());

 private:
  std::vector<tasks::WindowAnswers> predict(const tasks::SquadFeatures& features,
                                            const tasks::SquadAnswerer& answerer,
                                            const std::function<void(int64_t)>& after_batch,
                                            comm::Communicator& world);

  const text::Tokenizer& tokenizer_;
  AnswerSettings settings_;
  bert::QuestionAnsweringModel model_;
  TaskPass pass_;
  Predictor predictor_;
};

}  // namespace bertha::infer
