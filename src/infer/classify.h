#pragma once

// Classification of texts, or of pairs of texts, as a call.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "bert/classification.h"
#include "comm/communicator.h"
#include "infer/model.h"
#include "infer/window_job.h"
#include "infer/window_runner.h"

namespace bertha::infer {

using bert::ProblemType;
/// What the config says; where it says nothing, a classifier of one output is a regression, as in
/// transformers.
ProblemType problem_type_of(const bert::HeadConfig& head, int64_t classes);

struct ClassifyRequest {
  std::string_view text;
  std::optional<std::string_view> pair{};  ///< the second text, where the model classifies pairs
};

struct ClassifyResult {
  std::vector<float> logits{};  ///< of each class
  /// Of each class; for kSingleLabel they add up to 1. For kRegression the values.
  std::vector<double> probabilities;
  int64_t best = 0;  ///< the most probable class
};

struct ClassifySettings {
  int64_t max_tokens = 128;  ///< longer texts are cut; of a pair the longer one
  int64_t batch_texts = 32;  ///< texts that run together
  ProblemType problem = ProblemType::kSingleLabel;
  std::optional<bool> cut_left{};  ///< which end is cut; nothing: as the tokenizer's files say
};

/// The probabilities of the classes that have these logits.
std::vector<double> softmax(std::span<const float> logits);

/// Whether a label of a multi-label classifier holds.
inline bool holds(double probability) {
  return probability >= 0.5;
}

/// The result for the logits of a text.
ClassifyResult classify_result(std::span<const float> logits, ProblemType problem);

/// Texts, or pairs of them, a window each.
class ClassifyJob final : public WindowJob {
 public:
  /// Throws Error for a text without a token.
  ClassifyJob(std::span<const ClassifyRequest> requests, const text::Tokenizer& tokenizer,
              const ClassifySettings& settings);

  int64_t windows() const override { return tokens_.sequences(); }
  WindowSize size(int64_t window) const override {
    return {.tokens = sequence_length(tokens_, window)};
  }
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override {
    (void)rows;
    append_sequence(tokens_, window, batch);
  }
  void take(int64_t window, std::span<const float> result) override {
    results_[static_cast<size_t>(window)] = classify_result(result, problem_);
  }

  /// Whether tokens of a request are missing.
  bool cut(int64_t request) const { return cut_[static_cast<size_t>(request)] != 0; }
  /// A result for each request, in their order.
  std::vector<ClassifyResult>& results() { return results_; }

 private:
  ProblemType problem_;
  RaggedBatch tokens_;
  std::vector<uint8_t> cut_;
  std::vector<ClassifyResult> results_;
};

class ClassifyTask {
 public:
  /// The model is opened for Purpose::kClassify and outlives the task.
  ClassifyTask(const Model& model, const ClassifySettings& settings);

  /// A result for each request, in their order. All ranks of `world` make the same call; rank 0
  /// alone gets the results. Throws Stopped as the controls say. Thread rule: that of Predictor.
  std::vector<ClassifyResult> run(std::span<const ClassifyRequest> requests,
                                  comm::Communicator& world = comm::alone(),
                                  const RunControls& controls = {});

 private:
  const text::Tokenizer& tokenizer_;
  ClassifySettings settings_;
  WindowRunner runner_;
};

}  // namespace bertha::infer
