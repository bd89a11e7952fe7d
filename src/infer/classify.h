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
#include "infer/predictor.h"

namespace bertha::infer {

/// What the outputs of a classifier mean.
enum class ProblemType : uint8_t {
  kSingleLabel,  ///< one class of several: softmax
  kMultiLabel,   ///< each class holds or not: a sigmoid each
  kRegression    ///< values
};
/// What the config says; where it says nothing, a classifier of one output is a regression, as in
/// transformers.
ProblemType problem_type_of(const bert::HeadConfig& head, int64_t classes);

struct ClassifyRequest {
  std::string_view text;
  std::optional<std::string_view> pair{};  ///< the second text, where the model classifies pairs
};

struct ClassifyResult {
  /// Of each class; for kSingleLabel they add up to 1. For kRegression the values.
  std::vector<double> probabilities;
  int64_t best = 0;  ///< the most probable class
};

struct ClassifySettings {
  int64_t max_tokens = 128;  ///< longer texts are cut; of a pair the longer one
  int64_t batch_texts = 32;  ///< texts that run together
  ProblemType problem = ProblemType::kSingleLabel;
};

class ClassifyTask {
 public:
  /// The model is opened for Purpose::kClassify and outlives the task.
  ClassifyTask(const Model& model, const ClassifySettings& settings);

  /// A result for each request, in their order. All ranks of `world` make the same call; rank 0
  /// alone gets the results. Thread rule: that of Predictor.
  std::vector<ClassifyResult> run(std::span<const ClassifyRequest> requests,
                                  comm::Communicator& world = comm::alone());

 private:
  const text::Tokenizer& tokenizer_;
  ClassifySettings settings_;
  bert::ClassificationModel model_;
  TaskPass pass_;
  Predictor predictor_;
};

}  // namespace bertha::infer
