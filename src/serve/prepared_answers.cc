// Question answering: as bertha ask, and as the pipeline of transformers.

#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.h"
#include "infer/answer.h"
#include "infer/pipeline_answer.h"
#include "serve/prepared_request.h"
#include "serve/request_checks.h"
#include "serve/text_places.h"

namespace bertha::serve {
namespace {

constexpr int64_t kMostAnswers = 20;                 // as many as bertha keeps of a question
constexpr int64_t kMostSpans = 1000;                 // of the pipeline
constexpr int64_t kUsualWindow = 384;                // tokens
constexpr int64_t kShortestWindow = 8;               // tokens
constexpr int64_t kLongestStep = 1 << 20;            // tokens; a window steps by its length at most
constexpr size_t kMostWorkBytes = size_t{32} << 20;  // questions times passage: each reads it

void check_texts(const std::string& passage, size_t questions) {
  if (passage.empty()) refuse(ErrorKind::kEmpty, "passage", "the passage is empty");
  if (passage.size() <= kMostWorkBytes / questions) return;
  refuse(ErrorKind::kTooLarge, "questions",
         fmt::format("{} questions about a passage of {} bytes; their product may be {}", questions,
                     passage.size(), kMostWorkBytes));
}

int64_t window_of(int64_t wanted, const ServedModel& model) {
  const int64_t most = model.config().max_tokens();
  if (wanted == 0) return std::min(kUsualWindow, most);
  check_range("window_tokens", wanted, kShortestWindow, most);
  return wanted;
}

/// A request and its windows, which refer to the request's texts.
class AnswerWork {
 public:
  AnswerWork(const ServedModel& model, AnswerRequest from, const ServiceLimits& limits)
      : request(std::move(from)), job(asked(), model.tokenizer(), settings(model, limits)) {}

  AnswerResult result() const;

  AnswerRequest request;
  infer::AnswerJob job;

 private:
  std::vector<infer::AnswerRequest> asked() const {
    std::vector<infer::AnswerRequest> all;
    for (const std::string& question : request.questions) {
      all.push_back({.question = question, .passage = request.passage});
    }
    return all;
  }
  infer::AnswerSettings settings(const ServedModel& model, const ServiceLimits& limits) const {
    infer::AnswerSettings settings;
    settings.features.max_seq_length = window_of(request.window_tokens, model);
    settings.features.doc_stride = request.window_step;
    settings.features.max_windows = limits.max_windows;
    settings.answers.max_answer_length = request.max_answer_tokens;
    settings.answers.version_2 = request.no_answer;
    return settings.fitted_to(model.config());
  }
  QuestionAnswer answer_of(const infer::AnswerResult& found, TextPlaces& places) const;
};

QuestionAnswer AnswerWork::answer_of(const infer::AnswerResult& found, TextPlaces& places) const {
  QuestionAnswer answer;
  answer.no_answer = found.best.empty() || found.best.front().begin < 0;
  for (const infer::Answer& span : found.best) {
    check_finite(span.probability);
    if (span.begin < 0) {
      if (request.no_answer) answer.no_answer_confidence += span.probability;
      continue;
    }
    if (std::ssize(answer.best) == request.top) continue;
    const auto begin = static_cast<size_t>(places.byte(span.begin));
    const auto end = static_cast<size_t>(places.byte(span.end));
    answer.best.push_back({.text = request.passage.substr(begin, end - begin),
                           .confidence = span.probability,
                           .score = double{span.start_logit} + double{span.end_logit},
                           .begin = places.place(span.begin),
                           .end = places.place(span.end)});
  }
  return answer;
}

AnswerResult AnswerWork::result() const {
  AnswerResult result;
  TextPlaces places(request.passage, request.offsets);
  for (const infer::AnswerResult& found : job.results()) {
    result.answers.push_back(answer_of(found, places));
  }
  for (const tasks::SquadExample& example : job.features().examples()) {
    QuestionAnswer& answer = result.answers[static_cast<size_t>(example.question)];
    answer.windows = example.windows;
    answer.question_truncated = example.truncated;
  }
  return result;
}

/// The same for the pipeline.
class PipelineWork {
 public:
  PipelineWork(const ServedModel& model, PipelineAnswerRequest from,
               const infer::PipelineAnswerSettings& settings)
      : request(std::move(from)),
        job(request.question, request.passage, model.hub_tokenizer(), settings) {}

  PipelineAnswerResult result() const {
    PipelineAnswerResult result;
    TextPlaces places(request.passage, request.offsets);
    for (const infer::SpanAnswer& span : job.results()) {
      check_finite(span.score);
      const auto begin = static_cast<size_t>(places.byte(span.begin));
      const auto end = static_cast<size_t>(places.byte(span.end));
      result.best.push_back({.text = request.passage.substr(begin, end - begin),
                             .score = span.score,
                             .begin = places.place(span.begin),
                             .end = places.place(span.end)});
    }
    return result;
  }

  PipelineAnswerRequest request;
  infer::PipelineAnswerJob job;
};

infer::PipelineAnswerSettings settings_of(const PipelineAnswerRequest& request,
                                          const ServedModel& model, const ServiceLimits& limits) {
  constexpr int64_t kUsualOverlap = 128;
  infer::PipelineAnswerSettings settings;
  settings.window_tokens = window_of(request.window_tokens, model);
  settings.overlap = request.overlap.value_or(std::min(settings.window_tokens / 2, kUsualOverlap));
  check_range("doc_stride", settings.overlap, 0, settings.window_tokens);
  settings.max_answer_tokens = request.max_answer_tokens;
  settings.max_question_tokens = std::min(request.max_question_tokens, settings.window_tokens / 2);
  settings.top = request.top;
  settings.no_answer = request.no_answer;
  settings.align_to_words = request.align_to_words;
  settings.max_windows = limits.max_windows;
  return settings;
}

}  // namespace

PreparedRequest<AnswerResult> prepare(const ServedModel& model, AnswerRequest request,
                                      const ServiceLimits& limits) {
  check_count("questions", request.questions.size(), limits);
  for (const std::string& question : request.questions) {
    if (question.empty()) refuse(ErrorKind::kEmpty, "question", "a question is empty");
  }
  check_texts(request.passage, request.questions.size());
  check_range("top", request.top, 1, kMostAnswers);
  check_range("max_answer_tokens", request.max_answer_tokens, 1, model.config().max_tokens());
  check_range("window_step", request.window_step, 1, kLongestStep);
  PreparedRequest<AnswerResult> prepared;
  prepared.work.characters = count_code_points(request.passage);
  for (const std::string& question : request.questions) {
    prepared.work.characters += count_code_points(question);
  }
  const auto work = checked(
      "passage", [&] { return std::make_shared<AnswerWork>(model, std::move(request), limits); });
  if (work->job.windows() == 0) {
    refuse(ErrorKind::kEmpty, "passage", "the passage has no token");
  }
  for (const tasks::SquadExample& example : work->job.features().examples()) {
    prepared.work.truncated += example.truncated ? 1 : 0;
  }
  prepared.job = std::shared_ptr<infer::WindowJob>(work, &work->job);
  prepared.finish = [work] { return work->result(); };
  return prepared;
}

PreparedRequest<PipelineAnswerResult> prepare(const ServedModel& model,
                                              PipelineAnswerRequest request,
                                              const ServiceLimits& limits) {
  if (request.question.empty()) refuse(ErrorKind::kEmpty, "question", "the question is empty");
  check_texts(request.passage, 1);
  check_range("top_k", request.top, 1, kMostSpans);
  check_range("max_answer_len", request.max_answer_tokens, 1, model.config().max_tokens());
  check_range("max_question_len", request.max_question_tokens, 1, model.config().max_tokens());
  PreparedRequest<PipelineAnswerResult> prepared;
  prepared.work.characters =
      count_code_points(request.passage) + count_code_points(request.question);
  const infer::PipelineAnswerSettings settings = settings_of(request, model, limits);
  const auto work = checked("context", [&] {
    return std::make_shared<PipelineWork>(model, std::move(request), settings);
  });
  prepared.job = std::shared_ptr<infer::WindowJob>(work, &work->job);
  prepared.finish = [work] { return work->result(); };
  return prepared;
}

}  // namespace bertha::serve
