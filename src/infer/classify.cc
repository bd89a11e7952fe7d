#include "infer/classify.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tasks/classification/labelled_texts.h"

namespace bertha::infer {
namespace {

constexpr int64_t kShortest = 3;  // [CLS] and two [SEP]

std::vector<double> outputs(std::span<const float> logits, ProblemType problem) {
  if (problem == ProblemType::kSingleLabel) return softmax(logits);
  std::vector<double> values(logits.begin(), logits.end());
  if (problem == ProblemType::kRegression) return values;
  for (double& value : values) value = 1 / (1 + std::exp(-value));
  return values;
}

const ClassifySettings& checked(const ClassifySettings& settings, const bert::Config& config) {
  BERTHA_CHECK(settings.max_tokens > kShortest && settings.max_tokens <= config.max_tokens() &&
               settings.batch_texts > 0);
  return settings;
}

}  // namespace

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

ClassifyResult classify_result(std::span<const float> logits, ProblemType problem) {
  ClassifyResult result = {.logits = {logits.begin(), logits.end()},
                           .probabilities = outputs(logits, problem)};
  const auto& all = result.probabilities;
  result.best = std::max_element(all.begin(), all.end()) - all.begin();
  return result;
}

ProblemType problem_type_of(const bert::HeadConfig& head, int64_t classes) {
  if (head.problem_type == "multi_label_classification") return ProblemType::kMultiLabel;
  const bool says_nothing = head.problem_type.empty();
  if (head.problem_type == "regression" || (says_nothing && classes == 1)) {
    return ProblemType::kRegression;
  }
  return ProblemType::kSingleLabel;
}

ClassifyJob::ClassifyJob(std::span<const ClassifyRequest> requests,
                         const text::Tokenizer& tokenizer, const ClassifySettings& settings)
    : problem_(settings.problem), results_(requests.size()) {
  tokens_.clear();
  for (const ClassifyRequest& request : requests) {
    const text::ModelInput input = tasks::classifier_input(request.text, request.pair, tokenizer,
                                                           settings.max_tokens, settings.cut_left);
    text::append(input, tokens_);
    cut_.push_back(input.cut ? 1 : 0);
  }
}

ClassifyTask::ClassifyTask(const Model& model, const ClassifySettings& settings)
    : tokenizer_(model.tokenizer()),
      settings_(checked(settings, model.config())),
      runner_(model, Purpose::kClassify,
              {.tokens = settings.batch_texts * settings.max_tokens,
               .sequences = settings.batch_texts}) {}

std::vector<ClassifyResult> ClassifyTask::run(std::span<const ClassifyRequest> requests,
                                              comm::Communicator& world,
                                              const RunControls& controls) {
  ClassifyJob job(requests, tokenizer_, settings_);
  const BatchRoom room = {.tokens = INT64_MAX, .windows = settings_.batch_texts};
  runner_.run(batches_of(job, room, WindowOrder::kAsTheyAre), world, controls);
  if (!world.leads()) return {};
  return std::move(job.results());
}

}  // namespace bertha::infer
