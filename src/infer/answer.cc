#include "infer/answer.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "core/error.h"
#include "core/parallel_for.h"
#include "infer/rank_batches.h"

namespace bertha::infer {
namespace {

/// Batches of windows of nearly equal length, longest first: indices of windows.
std::vector<std::vector<int64_t>> batches_by_length(const tasks::SquadFeatures& features,
                                                    int64_t batch_size) {
  std::vector<int64_t> order(features.windows().size());
  std::iota(order.begin(), order.end(), 0);
  const auto length = [&](int64_t i) {
    return features.length_of(features.windows()[static_cast<size_t>(i)]);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return length(a) > length(b); });
  std::vector<std::vector<int64_t>> batches;
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = begin + std::min<int64_t>(batch_size, order.end() - begin);
    batches.emplace_back(begin, end);
    begin = end;
  }
  return batches;
}

/// Start and end logits of one sequence of the batch, from [T,2].
tasks::WindowAnswers read_sequence(const tasks::SquadAnswerer& answerer, int64_t window,
                                   const RaggedBatch& batch, size_t sequence,
                                   std::span<const float> logits) {
  const auto begin = static_cast<size_t>(batch.seq_start[sequence]);
  const auto end = static_cast<size_t>(batch.seq_start[sequence + 1]);
  std::vector<float> starts;
  std::vector<float> ends;
  for (size_t token = begin; token < end; ++token) {
    starts.push_back(logits[2 * token]);
    ends.push_back(logits[2 * token + 1]);
  }
  return answerer.read_window(window, starts, ends);
}

AnswerResult result_of(const tasks::QuestionAnswers& answers,
                       const tasks::SquadAnswerer& answerer) {
  AnswerResult result;
  for (const tasks::RankedAnswer& ranked : answers.best) {
    Answer& answer = result.best.emplace_back();
    answer.probability = ranked.probability;
    answer.start_logit = ranked.candidate.start_logit;
    answer.end_logit = ranked.candidate.end_logit;
    if (ranked.candidate.window < 0) continue;
    answer.text = ranked.candidate.text;
    std::tie(answer.begin, answer.end) = answerer.place_of(ranked.candidate);
  }
  return result;
}

const AnswerSettings& checked(const AnswerSettings& settings, const bert::Config& config) {
  tasks::check(settings.features);
  BERTHA_CHECK(settings.batch_windows > 0);
  if (settings.features.max_seq_length > config.max_tokens()) {
    fail("windows of {} tokens; the model takes {}", settings.features.max_seq_length,
         config.max_tokens());
  }
  return settings;
}

}  // namespace

AnswerSettings AnswerSettings::fitted_to(const bert::Config& config) const {
  AnswerSettings fitted = *this;
  tasks::SquadFeatureOptions& o = fitted.features;
  o.max_seq_length = std::min(o.max_seq_length, config.max_tokens());
  o.max_query_length = std::min(o.max_query_length, o.max_seq_length / 2);
  return fitted;
}

AnswerTask::AnswerTask(const Model& model, const AnswerSettings& settings)
    : tokenizer_(model.tokenizer()),
      settings_(checked(settings, model.config())),
      model_(model.config(), model.parameters()),
      pass_("question answering", model_),
      predictor_(model.device(), model.parameters().compute_dtype(), pass_,
                 {.tokens = settings.batch_windows * settings.features.max_seq_length,
                  .sequences = settings.batch_windows},
                 model.parameters().table().has_token_types()) {
  settings_.features.training = false;
}

std::vector<AnswerResult> AnswerTask::run(std::span<const AnswerRequest> requests) {
  std::vector<tasks::PassageQuestion> questions;
  questions.reserve(requests.size());
  for (const AnswerRequest& request : requests) {
    questions.push_back({.question = request.question, .passage = request.passage});
  }
  const tasks::SquadFeatures features(questions, tokenizer_, settings_.features);
  const tasks::SquadAnswerer answerer(features, tokenizer_, settings_.answers);
  const std::vector<tasks::QuestionAnswers> answers =
      answerer.merge(predict(features, answerer, {}, comm::alone()));
  std::vector<AnswerResult> results(requests.size());
  auto next = answers.begin();
  for (const tasks::SquadExample& example : features.examples()) {
    if (example.windows == 0) continue;
    results[static_cast<size_t>(example.question)] = result_of(*next++, answerer);
  }
  return results;
}

std::vector<tasks::QuestionAnswers> AnswerTask::run(const tasks::SquadFeatures& features,
                                                    const std::function<void(int64_t)>& after_batch,
                                                    comm::Communicator& world) {
  const tasks::SquadAnswerer answerer(features, tokenizer_, settings_.answers);
  return answerer.merge(predict(features, answerer, after_batch, world));
}

std::vector<tasks::WindowAnswers> AnswerTask::predict(
    const tasks::SquadFeatures& features, const tasks::SquadAnswerer& answerer,
    const std::function<void(int64_t)>& after_batch, comm::Communicator& world) {
  std::vector<tasks::WindowAnswers> answers(features.windows().size());
  const auto batches = batches_by_length(features, settings_.batch_windows);
  int64_t done = 0;
  const auto fill = [&](int64_t number, RaggedBatch& batch) {
    for (const int64_t window : batches[static_cast<size_t>(number)]) {
      features.append(features.windows()[static_cast<size_t>(window)], batch);
    }
  };
  const auto use = [&](int64_t number, const RaggedBatch& batch, std::span<const float> logits) {
    const std::vector<int64_t>& members = batches[static_cast<size_t>(number)];
    parallel_for(std::ssize(members), 1, [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      answers[static_cast<size_t>(members[at])] =
          read_sequence(answerer, members[at], batch, at, logits);
    });
    done += std::ssize(members);
    if (after_batch) after_batch(done);
  };
  predict_batches(predictor_, {.batches = std::ssize(batches), .fill = fill, .use = use}, world);
  return answers;
}

}  // namespace bertha::infer
