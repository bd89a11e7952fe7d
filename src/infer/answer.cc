#include "infer/answer.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"

namespace bertha::infer {
namespace {

std::unique_ptr<const tasks::SquadFeatures> features_of(std::span<const AnswerRequest> requests,
                                                        const text::Tokenizer& tokenizer,
                                                        tasks::SquadFeatureOptions options) {
  std::vector<tasks::PassageQuestion> questions;
  questions.reserve(requests.size());
  for (const AnswerRequest& request : requests) {
    questions.push_back({.question = request.question, .passage = request.passage});
  }
  options.training = false;
  return std::make_unique<const tasks::SquadFeatures>(questions, tokenizer, options);
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

AnswerJob::AnswerJob(std::span<const AnswerRequest> requests, const text::Tokenizer& tokenizer,
                     const AnswerSettings& settings)
    : owned_(features_of(requests, tokenizer, settings.features)),
      features_(*owned_),
      answerer_(features_, tokenizer, settings.answers),
      answers_(features_.windows().size()) {}

AnswerJob::AnswerJob(const tasks::SquadFeatures& features, const text::Tokenizer& tokenizer,
                     const tasks::AnswerOptions& options)
    : features_(features),
      answerer_(features_, tokenizer, options),
      answers_(features_.windows().size()) {}

WindowSize AnswerJob::size(int64_t window) const {
  return {.tokens = features_.length_of(features_.windows()[static_cast<size_t>(window)])};
}

void AnswerJob::append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const {
  (void)rows;
  features_.append(features_.windows()[static_cast<size_t>(window)], batch);
}

void AnswerJob::take(int64_t window, std::span<const float> result) {
  std::vector<float> starts;
  std::vector<float> ends;
  for (size_t token = 0; 2 * token < result.size(); ++token) {
    starts.push_back(result[2 * token]);
    ends.push_back(result[2 * token + 1]);
  }
  answers_[static_cast<size_t>(window)] = answerer_.read_window(window, starts, ends);
}

std::vector<tasks::QuestionAnswers> AnswerJob::question_answers() const {
  return answerer_.merge(answers_);
}

std::vector<AnswerResult> AnswerJob::results() const {
  const std::vector<tasks::QuestionAnswers> answers = question_answers();
  std::vector<AnswerResult> results(features_.examples().size());
  auto next = answers.begin();
  for (const tasks::SquadExample& example : features_.examples()) {
    if (example.windows == 0) continue;
    results[static_cast<size_t>(example.question)] = result_of(*next++, answerer_);
  }
  return results;
}

AnswerTask::AnswerTask(const Model& model, const AnswerSettings& settings)
    : tokenizer_(model.tokenizer()),
      settings_(checked(settings, model.config())),
      runner_(model, Purpose::kAnswer,
              {.tokens = settings.batch_windows * settings.features.max_seq_length,
               .sequences = settings.batch_windows}) {}

std::vector<AnswerResult> AnswerTask::run(std::span<const AnswerRequest> requests) {
  AnswerJob job(requests, tokenizer_, settings_);
  run(job, comm::alone(), {});
  return job.results();
}

std::vector<tasks::QuestionAnswers> AnswerTask::run(const tasks::SquadFeatures& features,
                                                    comm::Communicator& world,
                                                    const RunControls& controls) {
  AnswerJob job(features, tokenizer_, settings_.answers);
  run(job, world, controls);
  return job.question_answers();
}

void AnswerTask::run(AnswerJob& job, comm::Communicator& world, const RunControls& controls) {
  const BatchRoom room = {.tokens = INT64_MAX, .windows = settings_.batch_windows};
  runner_.run(batches_of(job, room, WindowOrder::kLongestFirst), world, controls);
}

}  // namespace bertha::infer
