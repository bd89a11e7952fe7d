// Vectors of texts, similarity, classes and ranks.

#include <algorithm>
#include <cmath>

#include "core/utf8.h"
#include "serve/prepared_request.h"
#include "serve/request_checks.h"
#include "text/model_input.h"

namespace bertha::serve {
namespace {

struct EmbedWork {
  EmbedWork(const ServedModel& model, EmbedRequest from)
      : request(std::move(from)),
        job(inputs(), model.tokenizer(), model.embed_settings(request), false) {}

  std::vector<infer::EmbedRequest> inputs() const {
    std::vector<infer::EmbedRequest> all;
    for (const TextInput& input : request.inputs) {
      infer::EmbedRequest& one = all.emplace_back();
      if (const auto* text = std::get_if<std::string>(&input)) {
        one.text = *text;
      } else {
        one.ids = std::get<std::vector<int32_t>>(input);
      }
    }
    return all;
  }

  EmbedRequest request;
  infer::EmbedJob job;
};

void check_ids(const TextInput& input, const ServedModel& model) {
  const auto* ids = std::get_if<std::vector<int32_t>>(&input);
  if (ids == nullptr) return;
  for (const int32_t id : *ids) check_range("ids", id, 0, model.info().vocabulary_size - 1);
}

/// Tokens of the text as it is, for the message that it is too long.
int64_t length_of(const TextInput& input, const ServedModel& model) {
  if (const auto* ids = std::get_if<std::vector<int32_t>>(&input)) return std::ssize(*ids);
  return std::ssize(
      text::model_input(model.tokenizer(), std::get<std::string>(input), std::nullopt, INT32_MAX)
          .ids);
}

EmbedResult embeddings_of(std::vector<infer::EmbedResult>& results, bool all_tokens) {
  EmbedResult all;
  for (infer::EmbedResult& result : results) {
    for (const float value : result.vector) check_finite(double{value});
    Embedding& one = all.embeddings.emplace_back();
    one.rows = all_tokens ? result.tokens : 1;
    one.width = std::ssize(result.vector) / one.rows;
    one.tokens = result.tokens;
    one.truncated = result.cut;
    one.values = std::move(result.vector);
  }
  return all;
}

float cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0;
  double left = 0;
  double right = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += double{a[i]} * double{b[i]};
    left += double{a[i]} * double{a[i]};
    right += double{b[i]} * double{b[i]};
  }
  const double lengths = std::sqrt(left * right);
  return lengths > 0 ? static_cast<float>(product / lengths) : 0.0F;
}

double sigmoid(double logit) {
  return 1 / (1 + std::exp(-logit));
}

std::vector<double> scores_of(const infer::ClassifyResult& result, Activation activation) {
  for (const float logit : result.logits) check_finite(double{logit});
  switch (activation) {
    case Activation::kSoftmax:
      return infer::softmax(result.logits);
    case Activation::kNone:
      return {result.logits.begin(), result.logits.end()};
    case Activation::kSigmoid: {
      std::vector<double> values;
      for (const float logit : result.logits) values.push_back(sigmoid(double{logit}));
      return values;
    }
    case Activation::kModel:
      break;
  }
  return result.probabilities;
}

struct ClassifyWork {
  ClassifyWork(const ServedModel& model, ClassifyRequest from)
      : request(std::move(from)), job(inputs(), model.tokenizer(), settings(model)) {}

  std::vector<infer::ClassifyRequest> inputs() const {
    std::vector<infer::ClassifyRequest> all;
    for (const ClassifyInput& input : request.inputs) {
      all.push_back({.text = input.text, .pair = input.pair});
    }
    return all;
  }
  infer::ClassifySettings settings(const ServedModel& model) const {
    const Truncation& cut = request.truncation;
    return {.max_tokens = cut.max_tokens == 0 ? model.info().max_tokens : cut.max_tokens,
            .problem = model.problem(),
            .cut_left = cut.from_left ? std::optional(true) : std::nullopt};
  }

  ClassifyRequest request;
  infer::ClassifyJob job;
};

int64_t length_of(const ClassifyInput& input, const ServedModel& model) {
  return std::ssize(text::model_input(model.tokenizer(), input.text, input.pair, INT32_MAX).ids);
}

}  // namespace

PreparedRequest<EmbedResult> prepare(const ServedModel& model, EmbedRequest request,
                                     const ServiceLimits& limits) {
  check_count("inputs", request.inputs.size(), limits);
  check_truncation(request.truncation, model);
  if (request.dimensions) {
    check_range("dimensions", *request.dimensions, 1, model.info().vector_size);
  }
  PreparedRequest<EmbedResult> prepared;
  for (const TextInput& input : request.inputs) {
    check_ids(input, model);
    const auto* text = std::get_if<std::string>(&input);
    if (text != nullptr) prepared.work.characters += count_code_points(*text);
  }
  const auto work =
      checked("inputs", [&] { return std::make_shared<EmbedWork>(model, std::move(request)); });
  const auto& results = work->job.results();
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].cut) continue;
    ++prepared.work.truncated;
    const Truncation& cut = work->request.truncation;
    if (cut.allowed) continue;
    refuse_length("inputs", i, length_of(work->request.inputs[i], model),
                  cut.max_tokens == 0 ? model.info().max_tokens : cut.max_tokens);
  }
  prepared.job = std::shared_ptr<infer::WindowJob>(work, &work->job);
  prepared.finish = [work] { return embeddings_of(work->job.results(), work->request.all_tokens); };
  return prepared;
}

PreparedRequest<SimilarityResult> prepare(const ServedModel& model, SimilarityRequest request,
                                          const ServiceLimits& limits) {
  check_count("sentences", request.sentences.size(), limits);
  EmbedRequest texts = {.inputs = {std::move(request.source)},
                        .prompt_name = std::move(request.prompt_name),
                        .truncation = request.truncation};
  for (std::string& sentence : request.sentences) texts.inputs.emplace_back(std::move(sentence));
  ServiceLimits with_source = limits;
  ++with_source.max_texts;
  PreparedRequest<EmbedResult> vectors = prepare(model, std::move(texts), with_source);
  const auto finish = [make = std::move(vectors.finish)] {
    const EmbedResult made = make();
    SimilarityResult result;
    for (size_t i = 1; i < made.embeddings.size(); ++i) {
      result.cosines.push_back(cosine(made.embeddings[0].values, made.embeddings[i].values));
    }
    return result;
  };
  return {.job = std::move(vectors.job), .work = vectors.work, .finish = finish};
}

PreparedRequest<ClassifyResult> prepare(const ServedModel& model, ClassifyRequest request,
                                        const ServiceLimits& limits) {
  check_count("inputs", request.inputs.size(), limits);
  check_truncation(request.truncation, model);
  PreparedRequest<ClassifyResult> prepared;
  for (const ClassifyInput& input : request.inputs) {
    prepared.work.characters += count_code_points(input.text);
    if (input.pair) prepared.work.characters += count_code_points(*input.pair);
  }
  const auto work =
      checked("inputs", [&] { return std::make_shared<ClassifyWork>(model, std::move(request)); });
  for (size_t i = 0; i < work->request.inputs.size(); ++i) {
    if (!work->job.cut(static_cast<int64_t>(i))) continue;
    ++prepared.work.truncated;
    if (work->request.truncation.allowed) continue;
    refuse_length("inputs", i, length_of(work->request.inputs[i], model),
                  work->settings(model).max_tokens);
  }
  prepared.job = std::shared_ptr<infer::WindowJob>(work, &work->job);
  prepared.finish = [work] {
    ClassifyResult result;
    for (const infer::ClassifyResult& one : work->job.results()) {
      result.scores.push_back(scores_of(one, work->request.activation));
    }
    return result;
  };
  return prepared;
}

PreparedRequest<RerankResult> prepare(const ServedModel& model, RerankRequest request,
                                      const ServiceLimits& limits) {
  check_count("documents", request.documents.size(), limits);
  ClassifyRequest pairs = {
      .inputs = {},
      .activation = request.raw_scores ? Activation::kNone : Activation::kSigmoid,
      .truncation = request.truncation};
  for (std::string& document : request.documents) {
    pairs.inputs.push_back({.text = request.query, .pair = std::move(document)});
  }
  PreparedRequest<ClassifyResult> classes = prepare(model, std::move(pairs), limits);
  const auto finish = [make = std::move(classes.finish)] {
    RerankResult result;
    for (const std::vector<double>& scores : make().scores) result.scores.push_back(scores[0]);
    return result;
  };
  return {.job = std::move(classes.job), .work = classes.work, .finish = finish};
}

}  // namespace bertha::serve
