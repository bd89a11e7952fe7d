#include "infer/classify.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "infer/rank_batches.h"
#include "tasks/classification/labelled_texts.h"

namespace bertha::infer {
namespace {

constexpr int64_t kShortest = 3;  // [CLS] and two [SEP]

std::vector<double> softmax(std::span<const float> logits) {
  const double largest = double{*std::max_element(logits.begin(), logits.end())};
  std::vector<double> probabilities;
  double sum = 0;
  for (const float logit : logits) {
    probabilities.push_back(std::exp(double{logit} - largest));
    sum += probabilities.back();
  }
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

std::vector<double> outputs(std::span<const float> logits, ProblemType problem) {
  if (problem == ProblemType::kSingleLabel) return softmax(logits);
  std::vector<double> values(logits.begin(), logits.end());
  if (problem == ProblemType::kRegression) return values;
  for (double& value : values) value = 1 / (1 + std::exp(-value));
  return values;
}

ClassifyResult result_of(std::span<const float> logits, ProblemType problem) {
  ClassifyResult result = {.probabilities = outputs(logits, problem)};
  const auto& all = result.probabilities;
  result.best = std::max_element(all.begin(), all.end()) - all.begin();
  return result;
}

const ClassifySettings& checked(const ClassifySettings& settings, const bert::Config& config) {
  BERTHA_CHECK(settings.max_tokens > kShortest && settings.max_tokens <= config.max_tokens() &&
               settings.batch_texts > 0);
  return settings;
}

}  // namespace

ProblemType problem_type_of(const bert::HeadConfig& head, int64_t classes) {
  if (head.problem_type == "multi_label_classification") return ProblemType::kMultiLabel;
  const bool says_nothing = head.problem_type.empty();
  if (head.problem_type == "regression" || (says_nothing && classes == 1)) {
    return ProblemType::kRegression;
  }
  return ProblemType::kSingleLabel;
}

ClassifyTask::ClassifyTask(const Model& model, const ClassifySettings& settings)
    : tokenizer_(model.tokenizer()),
      settings_(checked(settings, model.config())),
      model_(model.config(), model.parameters()),
      pass_("classification", model_),
      predictor_(
          model.device(), model.parameters().compute_dtype(), pass_,
          {.tokens = settings.batch_texts * settings.max_tokens, .sequences = settings.batch_texts},
          model.parameters().table().has_token_types()) {}

std::vector<ClassifyResult> ClassifyTask::run(std::span<const ClassifyRequest> requests,
                                              comm::Communicator& world) {
  const int64_t count = std::ssize(requests);
  const int64_t each = settings_.batch_texts;
  std::vector<ClassifyResult> results;
  const auto fill = [&](int64_t batch, RaggedBatch& to) {
    for (int64_t i = batch * each; i < std::min(count, (batch + 1) * each); ++i) {
      const ClassifyRequest& request = requests[static_cast<size_t>(i)];
      tasks::append_text(request.text, request.pair, tokenizer_, settings_.max_tokens, to);
    }
  };
  const auto use = [&](int64_t, const RaggedBatch& batch, std::span<const float> logits) {
    const auto classes = logits.size() / static_cast<size_t>(batch.sequences());
    for (; !logits.empty(); logits = logits.subspan(classes)) {
      results.push_back(result_of(logits.first(classes), settings_.problem));
    }
  };
  predict_batches(predictor_, {.batches = (count + each - 1) / each, .fill = fill, .use = use},
                  world);
  return results;
}

}  // namespace bertha::infer
