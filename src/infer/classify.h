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

struct ClassifyRequest {
  std::string_view text;
  std::optional<std::string_view> pair{};  ///< the second text, where the model classifies pairs
};

struct ClassifyResult {
  std::vector<double> probabilities;  ///< of each class; they add up to 1
  int64_t best = 0;                   ///< the most probable class
};

struct ClassifySettings {
  int64_t max_tokens = 128;  ///< longer texts are cut; of a pair the longer one
  int64_t batch_texts = 32;  ///< texts that run together
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
