#pragma once

// Extractive question answering as a call: questions and passages in, the stretches of the passages
// that answer them out.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"
#include "infer/model.h"
#include "infer/window_job.h"
#include "infer/window_runner.h"
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

/// Questions about passages, cut into windows of [CLS] question [SEP] part of the passage [SEP].
class AnswerJob final : public WindowJob {
 public:
  /// The texts must outlive the job. A passage that several requests share is tokenized once.
  /// Throws Error for settings that do not fit each other, and for more windows than they allow.
  AnswerJob(std::span<const AnswerRequest> requests, const text::Tokenizer& tokenizer,
            const AnswerSettings& settings);
  /// The features must outlive the job.
  AnswerJob(const tasks::SquadFeatures& features, const text::Tokenizer& tokenizer,
            const tasks::AnswerOptions& options);

  int64_t windows() const override { return std::ssize(features_.windows()); }
  WindowSize size(int64_t window) const override;
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override;
  void take(int64_t window, std::span<const float> result) override;

  const tasks::SquadFeatures& features() const { return features_; }
  /// When all windows have their results: the answers of all questions that have windows.
  std::vector<tasks::QuestionAnswers> question_answers() const;
  /// A result for each request, in their order.
  std::vector<AnswerResult> results() const;

 private:
  std::unique_ptr<const tasks::SquadFeatures> owned_;
  const tasks::SquadFeatures& features_;
  tasks::SquadAnswerer answerer_;
  std::vector<tasks::WindowAnswers> answers_;
};

class AnswerTask {
 public:
  /// The model is opened for Purpose::kAnswer and outlives the task. Throws Error for settings that
  /// do not fit each other or the model.
  AnswerTask(const Model& model, const AnswerSettings& settings);

  /// A result for each request, in their order. Thread rule: that of Predictor.
  std::vector<AnswerResult> run(std::span<const AnswerRequest> requests);

  /// Answers all questions of a SQuAD file on all ranks of `world`; rank 0 alone gets the answers.
  /// The features are cut as the settings say, or into shorter windows. Throws Stopped as the
  /// controls say.
  std::vector<tasks::QuestionAnswers> run(const tasks::SquadFeatures& features,
                                          comm::Communicator& world = comm::alone(),
                                          const RunControls& controls = {});

 private:
  void run(AnswerJob& job, comm::Communicator& world, const RunControls& controls);

  const text::Tokenizer& tokenizer_;
  AnswerSettings settings_;
  WindowRunner runner_;
};

}  // namespace bertha::infer
