#include "serve/routes/kserve_infer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "serve/routes/label_scores.h"

namespace bertha::serve {
namespace {

using SharedBody = std::shared_ptr<const KserveBody>;

RequestContext context_of(const CallRef& call, const KserveParameters& parameters) {
  RequestContext context = call->context();
  if (parameters.priority > 1) context.priority = Priority::kBatch;
  if (parameters.timeout > 0) {
    context.deadline =
        std::min(context.deadline, context.arrival + std::chrono::microseconds(parameters.timeout));
  }
  return context;
}

void infer_embed(const ModelInfo& model, KserveRequest request, const CallRef& call) {
  EmbedRequest embed;
  for (std::string& text : request.texts("text")) embed.inputs.emplace_back(std::move(text));
  const auto items = std::ssize(embed.inputs);
  const RequestContext context = context_of(call, request.body.parameters);
  const auto body = std::make_shared<KserveBody>(std::move(request.body));
  call->begin(Task::kEmbed, model.name, items);
  call->service().embed(
      model.name, std::move(embed), context,
      answer_with<EmbedResult>(call, items, [call, body](EmbedResult& result) {
        std::vector<float> all;
        int64_t width = 0;
        for (const Embedding& e : result.embeddings) {
          all.insert(all.end(), e.values.begin(), e.values.end());
          width = e.width;
        }
        return kserve_response(
            *body, call->model(),
            {{"embedding", {std::ssize(result.embeddings), width}, std::move(all)}});
      }));
}

HttpResponse classified(const CallRef& call, const KserveBody& body, const ClassifyResult& result) {
  const std::vector<std::string> labels = labels_of(call);
  std::vector<float> scores;
  std::vector<std::string> best;
  int64_t classes = 0;
  for (const auto& of_text : result.scores) {
    for (const double score : of_text) scores.push_back(static_cast<float>(score));
    best.push_back(label_of(labels, descending(of_text).at(0)));
    classes = std::ssize(of_text);
  }
  const int64_t texts = std::ssize(result.scores);
  return kserve_response(
      body, call->model(),
      {{"score", {texts, classes}, std::move(scores)}, {"label", {texts}, std::move(best)}});
}

void infer_classify(const ModelInfo& model, KserveRequest request, const CallRef& call) {
  ClassifyRequest classify;
  for (std::string& text : request.texts("text")) {
    classify.inputs.push_back({.text = std::move(text)});
  }
  if (request.has("text_pair")) {
    std::vector<std::string>& pairs = request.texts("text_pair");
    if (pairs.size() != classify.inputs.size()) {
      throw FieldError("text_pair", "must have as many elements as `text`");
    }
    for (size_t i = 0; i < pairs.size(); ++i) classify.inputs[i].pair = std::move(pairs[i]);
  }
  const auto items = std::ssize(classify.inputs);
  const RequestContext context = context_of(call, request.body.parameters);
  const auto body = std::make_shared<KserveBody>(std::move(request.body));
  call->begin(Task::kClassify, model.name, items);
  call->service().classify(
      model.name, std::move(classify), context,
      answer_with<ClassifyResult>(call, items, [call, body](ClassifyResult& result) {
        return classified(call, *body, result);
      }));
}

HttpResponse filled(const CallRef& call, const KserveBody& body, const FillResult& result) {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  int64_t masks = 0;
  for (const auto& of_text : result.texts) {
    for (const auto& candidates : of_text) {
      ++masks;
      for (const FillCandidate& candidate : candidates) {
        tokens.push_back(candidate.piece);
        scores.push_back(static_cast<float>(candidate.probability));
      }
    }
  }
  const int64_t width = masks == 0 ? 0 : std::ssize(tokens) / masks;
  return kserve_response(
      body, call->model(),
      {{"token", {masks, width}, std::move(tokens)}, {"score", {masks, width}, std::move(scores)}});
}

void infer_fill(const ModelInfo& model, KserveRequest request, const CallRef& call) {
  FillRequest fill{.texts = std::move(request.texts("text")), .top = request.body.parameters.top_k};
  const auto items = std::ssize(fill.texts);
  const RequestContext context = context_of(call, request.body.parameters);
  const auto body = std::make_shared<KserveBody>(std::move(request.body));
  call->begin(Task::kFill, model.name, items);
  call->service().fill(model.name, std::move(fill), context,
                       answer_with<FillResult>(call, items, [call, body](FillResult& result) {
                         return filled(call, *body, result);
                       }));
}

/// The entities of all texts, with the number of each one's text.
HttpResponse tagged(const CallRef& call, const KserveBody& body, const PipelineTagResult& result) {
  std::vector<int64_t> texts;
  std::vector<std::string> labels;
  std::vector<float> scores;
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  for (size_t i = 0; i < result.texts.size(); ++i) {
    for (const infer::TaggedSpan& span : result.texts[i]) {
      texts.push_back(static_cast<int64_t>(i));
      labels.push_back(span.label);
      scores.push_back(static_cast<float>(span.score));
      starts.push_back(span.begin);
      ends.push_back(span.end);
    }
  }
  const std::vector<int64_t> shape = {std::ssize(texts)};
  return kserve_response(body, call->model(),
                         {{"text", shape, std::move(texts)},
                          {"label", shape, std::move(labels)},
                          {"score", shape, std::move(scores)},
                          {"start", shape, std::move(starts)},
                          {"end", shape, std::move(ends)}});
}

void infer_tag(const ModelInfo& model, KserveRequest request, const CallRef& call) {
  PipelineTagRequest tag{.texts = std::move(request.texts("text")),
                         .aggregation = infer::TagAggregation::kFirst};
  const auto items = std::ssize(tag.texts);
  const RequestContext context = context_of(call, request.body.parameters);
  const auto body = std::make_shared<KserveBody>(std::move(request.body));
  call->begin(Task::kTag, model.name, items);
  call->service().pipeline_tag(
      model.name, std::move(tag), context,
      answer_with<PipelineTagResult>(call, items, [call, body](PipelineTagResult& result) {
        return tagged(call, *body, result);
      }));
}

// --- Question answering: the service takes questions about one passage, so that a request with
// several passages becomes several, whose results are joined.

HttpResponse answered(const CallRef& call, const KserveBody& body, const AnswerResult& result) {
  std::vector<std::string> texts;
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  std::vector<float> scores;
  std::vector<float> none;
  for (const QuestionAnswer& answer : result.answers) {
    const bool has_text = !answer.no_answer && !answer.best.empty();
    const AnswerSpan best = has_text ? answer.best[0] : AnswerSpan{};
    texts.push_back(best.text);
    starts.push_back(best.begin);
    ends.push_back(best.end);
    scores.push_back(static_cast<float>(has_text ? best.confidence : answer.no_answer_confidence));
    none.push_back(static_cast<float>(answer.no_answer_confidence));
  }
  const std::vector<int64_t> shape = {std::ssize(result.answers)};
  return kserve_response(body, call->model(),
                         {{"answer", shape, std::move(texts)},
                          {"start", shape, std::move(starts)},
                          {"end", shape, std::move(ends)},
                          {"score", shape, std::move(scores)},
                          {"no_answer_score", shape, std::move(none)}});
}

/// Collects the parts of a result; the last part, or the first error, goes on.
class AnswerJoin {
 public:
  AnswerJoin(size_t questions, size_t parts, Callback<AnswerResult> done)
      : parts_(parts), done_(std::move(done)) {
    joined_.answers.resize(questions);
  }

  /// `first` is the index of the part's first question. Any thread.
  void add(size_t first, Result<AnswerResult> part) {
    const std::lock_guard lock(mutex_);
    if (!part.ok()) {
      if (!error_) error_ = part.error();
    } else {
      std::ranges::move(part.value().answers,
                        joined_.answers.begin() + static_cast<std::ptrdiff_t>(first));
      add_work(part.value().work);
    }
    if (--parts_ > 0) return;
    error_ ? done_(std::move(*error_)) : done_(std::move(joined_));
  }

 private:
  void add_work(const Work& work) {
    Work& all = joined_.work;
    all.characters += work.characters;
    all.tokens += work.tokens;
    all.windows += work.windows;
    all.truncated += work.truncated;
    all.tokenize += work.tokenize;
    all.queue = std::max(all.queue, work.queue);
    all.compute = std::max(all.compute, work.compute);
  }

  std::mutex mutex_;
  size_t parts_;
  Callback<AnswerResult> done_;
  AnswerResult joined_;
  std::optional<ServeError> error_;
};

/// Questions that follow each other and share their passage.
struct AnswerPart {
  size_t first = 0;
  AnswerRequest request;
};

std::vector<AnswerPart> parts_of(std::vector<std::string>& questions,
                                 const std::vector<std::string>& contexts) {
  std::vector<AnswerPart> parts;
  for (size_t i = 0; i < questions.size(); ++i) {
    const std::string& context = contexts.size() == 1 ? contexts[0] : contexts[i];
    if (parts.empty() || parts.back().request.passage != context) {
      parts.push_back({.first = i, .request = {.questions = {}, .passage = context}});
    }
    parts.back().request.questions.push_back(std::move(questions[i]));
  }
  return parts;
}

void infer_answer(const ModelInfo& model, KserveRequest request, const CallRef& call) {
  std::vector<std::string>& questions = request.texts("question");
  const std::vector<std::string>& contexts = request.texts("context");
  if (questions.empty()) throw FieldError("question", "must have an element");
  if (contexts.size() != 1 && contexts.size() != questions.size()) {
    throw FieldError("context", "must have one element, or as many as `question`");
  }
  std::vector<AnswerPart> parts = parts_of(questions, contexts);
  const auto items = std::ssize(questions);
  const RequestContext context = context_of(call, request.body.parameters);
  const auto body = std::make_shared<KserveBody>(std::move(request.body));
  call->begin(Task::kAnswer, model.name, items);
  const auto join = std::make_shared<AnswerJoin>(
      questions.size(), parts.size(),
      answer_with<AnswerResult>(call, items, [call, body](AnswerResult& result) {
        return answered(call, *body, result);
      }));
  for (AnswerPart& part : parts) {
    call->service().answer(model.name, std::move(part.request), context,
                           [join, first = part.first](Result<AnswerResult> result) {
                             join->add(first, std::move(result));
                           });
  }
}

}  // namespace

ModelTensors tensors_of(const ModelInfo& model) {
  const auto classes = std::max<int64_t>(std::ssize(model.labels), 1);
  const TensorInfo text{"text", "BYTES", {-1}};
  switch (model.task) {
    case Task::kAnswer:
      return {.inputs = {{"question", "BYTES", {-1}}, {"context", "BYTES", {-1}}},
              .outputs = {{"answer", "BYTES", {-1}},
                          {"start", "INT64", {-1}},
                          {"end", "INT64", {-1}},
                          {"score", "FP32", {-1}},
                          {"no_answer_score", "FP32", {-1}}}};
    case Task::kFill:
      return {.inputs = {text},
              .outputs = {{"token", "BYTES", {-1, -1}}, {"score", "FP32", {-1, -1}}}};
    case Task::kEmbed:
      return {.inputs = {text}, .outputs = {{"embedding", "FP32", {-1, model.vector_size}}}};
    case Task::kTag:
      return {.inputs = {text},
              .outputs = {{"text", "INT64", {-1}},
                          {"label", "BYTES", {-1}},
                          {"score", "FP32", {-1}},
                          {"start", "INT64", {-1}},
                          {"end", "INT64", {-1}}}};
    case Task::kClassify:
    case Task::kRerank:
      break;
  }
  return {.inputs = {text, {"text_pair", "BYTES", {-1}}},
          .outputs = {{"score", "FP32", {-1, classes}}, {"label", "BYTES", {-1}}}};
}

void infer(const ModelInfo& model, KserveRequest request, const CallRef& call) {
  switch (model.task) {
    case Task::kAnswer:
      return infer_answer(model, std::move(request), call);
    case Task::kFill:
      return infer_fill(model, std::move(request), call);
    case Task::kEmbed:
      return infer_embed(model, std::move(request), call);
    case Task::kTag:
      return infer_tag(model, std::move(request), call);
    case Task::kClassify:
    case Task::kRerank:
      return infer_classify(model, std::move(request), call);
  }
}

}  // namespace bertha::serve
