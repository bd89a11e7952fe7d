#pragma once

// A service without a model: it keeps what routes ask of it, and gives results that follow from the
// request by simple rules, so that tests can write down whole answers.

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serve/inference_service.h"
#include "serve/routes/router.h"

namespace bertha::serve::test {

class FakeService : public InferenceService {
 public:
  // What the next call gets, in place of a result.
  std::optional<ServeError> refusal;
  ServiceState now = ServiceState::kReady;
  std::vector<ModelInfo> served = {
      {.name = "qa", .task = Task::kAnswer, .compute = "float32", .max_tokens = 384},
      {.name = "mlm", .task = Task::kFill, .max_tokens = 512, .mask_token = "[MASK]"},
      {.name = "mini",
       .task = Task::kEmbed,
       .compute = "bfloat16",
       .max_tokens = 256,
       .hidden_size = 2,
       .vocabulary_size = 100,
       .vector_size = 2,
       .pooling = "mean"},
      {.name = "mood", .task = Task::kClassify, .max_tokens = 128, .labels = {"bad", "good"}},
      {.name = "cross", .task = Task::kRerank, .max_tokens = 512, .labels = {"LABEL_0"}},
      {.name = "names", .task = Task::kTag, .max_tokens = 128, .labels = {"O", "B-PER"}}};

  // What the last call brought.
  std::string model;
  RequestContext context;
  AnswerRequest asked;
  std::vector<AnswerRequest> all_asked;
  PipelineAnswerRequest asked_pipeline;
  FillRequest to_fill;
  EmbedRequest to_embed;
  SimilarityRequest to_compare;
  ClassifyRequest to_classify;
  RerankRequest to_rank;
  PipelineTagRequest to_tag;
  TokenizeRequest to_tokenize;
  DecodeRequest to_decode;

  /// Of each question: the passage's first four bytes, or no answer to "none?".
  void answer(const std::string& name, AnswerRequest request, RequestContext with,
              Callback<AnswerResult> done) override {
    if (keep(name, with, done)) return;
    AnswerResult result{.work = work(std::ssize(request.questions))};
    for (const std::string& question : request.questions) {
      QuestionAnswer& answer = result.answers.emplace_back();
      answer.best = {{.text = request.passage.substr(0, 4),
                      .confidence = 0.75,
                      .score = 11.5,
                      .begin = 0,
                      .end = 4}};
      answer.no_answer = question == "none?";
      answer.no_answer_confidence = 0.25;
      answer.windows = 1;
    }
    asked = std::move(request);
    all_asked.push_back(asked);
    done(std::move(result));
  }

  void pipeline_answer(const std::string& name, PipelineAnswerRequest request, RequestContext with,
                       Callback<PipelineAnswerResult> done) override {
    if (keep(name, with, done)) return;
    PipelineAnswerResult result{.work = work(1)};
    for (int64_t i = 0; i < request.top; ++i) {
      result.best.push_back(
          {.text = "Paris", .score = 0.5 / static_cast<double>(i + 1), .begin = 3, .end = 8});
    }
    asked_pipeline = std::move(request);
    done(std::move(result));
  }

  /// One mask a text, or two for a text that begins with "two".
  void fill(const std::string& name, FillRequest request, RequestContext with,
            Callback<FillResult> done) override {
    if (keep(name, with, done)) return;
    FillResult result{.work = work(std::ssize(request.texts))};
    for (const std::string& text : request.texts) {
      const FillCandidate candidate{.id = 7,
                                    .piece = "sea",
                                    .probability = 0.5,
                                    .filled = "The sea.",
                                    .sequence = "the sea."};
      result.texts.emplace_back(text.starts_with("two") ? 2 : 1, std::vector{candidate});
    }
    to_fill = std::move(request);
    done(std::move(result));
  }

  /// (0.5, -1) for each input; `broken` gives NaN.
  void embed(const std::string& name, EmbedRequest request, RequestContext with,
             Callback<EmbedResult> done) override {
    if (keep(name, with, done)) return;
    EmbedResult result{.work = work(std::ssize(request.inputs))};
    for (const TextInput& input : request.inputs) {
      Embedding& embedding = result.embeddings.emplace_back();
      const auto* text = std::get_if<std::string>(&input);
      embedding.values = {0.5F, -1.0F};
      if (text != nullptr && *text == "broken")
        embedding.values[0] = std::numeric_limits<float>::quiet_NaN();
      if (request.all_tokens) embedding.values = {0.5F, -1.0F, 0.25F, 2.0F};
      embedding.rows = request.all_tokens ? 2 : 1;
      embedding.width = 2;
    }
    to_embed = std::move(request);
    done(std::move(result));
  }

  void similarity(const std::string& name, SimilarityRequest request, RequestContext with,
                  Callback<SimilarityResult> done) override {
    if (keep(name, with, done)) return;
    SimilarityResult result{.work = work(1 + std::ssize(request.sentences))};
    result.cosines.assign(request.sentences.size(), 0.5F);
    to_compare = std::move(request);
    done(std::move(result));
  }

  void classify(const std::string& name, ClassifyRequest request, RequestContext with,
                Callback<ClassifyResult> done) override {
    if (keep(name, with, done)) return;
    ClassifyResult result{.work = work(std::ssize(request.inputs))};
    result.scores.assign(request.inputs.size(), {0.25, 0.75});
    to_classify = std::move(request);
    done(std::move(result));
  }

  /// The score of a document is its length in bytes over 100.
  void rerank(const std::string& name, RerankRequest request, RequestContext with,
              Callback<RerankResult> done) override {
    if (keep(name, with, done)) return;
    RerankResult result{.work = work(std::ssize(request.documents))};
    for (const std::string& document : request.documents) {
      result.scores.push_back(static_cast<double>(document.size()) / 100);
    }
    to_rank = std::move(request);
    done(std::move(result));
  }

  /// The first four bytes of each text are a name.
  void pipeline_tag(const std::string& name, PipelineTagRequest request, RequestContext with,
                    Callback<PipelineTagResult> done) override {
    if (keep(name, with, done)) return;
    PipelineTagResult result{.work = work(std::ssize(request.texts))};
    const bool single = request.aggregation == infer::TagAggregation::kNone;
    for (const std::string& text : request.texts) {
      result.texts.push_back({{.label = single ? "B-PER" : "PER",
                               .score = 0.5,
                               .word = text.substr(0, 4),
                               .index = 1,
                               .begin = 0,
                               .end = 4}});
    }
    to_tag = std::move(request);
    done(std::move(result));
  }

  Result<TokenizeResult> tokenize(const std::string& name,
                                  const TokenizeRequest& request) const override {
    auto& self = const_cast<FakeService&>(*this);
    self.model = name;
    self.to_tokenize = request;
    if (refusal) return *refusal;
    TokenizeResult result;
    result.texts.assign(request.texts.size(), {{.id = 2, .piece = "[CLS]", .special = true},
                                               {.id = 9, .piece = "sea", .begin = 0, .end = 3}});
    return result;
  }

  Result<DecodeResult> decode(const std::string& name,
                              const DecodeRequest& request) const override {
    auto& self = const_cast<FakeService&>(*this);
    self.model = name;
    self.to_decode = request;
    if (refusal) return *refusal;
    return DecodeResult{.texts = std::vector<std::string>(request.ids.size(), "the sea")};
  }

  std::vector<ModelInfo> models() const override {
    return now == ServiceState::kLoading ? std::vector<ModelInfo>{} : served;
  }
  ServiceState state() const override { return now; }
  std::string failure() const override { return "a lane does not answer"; }
  ServiceLimits limits() const override { return {}; }
  ServiceStats stats() const override { return {.queued_requests = 3, .max_batch_tokens = 2048}; }

  static Work work(int64_t windows) {
    return {.characters = 40,
            .tokens = 10 * windows,
            .windows = windows,
            .tokenize = std::chrono::microseconds(1500),
            .queue = std::chrono::microseconds(2000),
            .compute = std::chrono::microseconds(7250)};
  }

 private:
  template <typename T>
  bool keep(const std::string& name, const RequestContext& with, const Callback<T>& done) {
    model = name;
    context = with;
    if (refusal) done(*refusal);
    return refusal.has_value();
  }
};

/// A server of routes without a socket.
class RouterFixture {
 public:
  explicit RouterFixture(const RouterOptions& options = {.version = "0.0.0"})
      : handler_(make_router(service, metrics, options)) {}

  /// Waits for the answer.
  HttpResponse send(HttpRequest request) {
    request.request_id = "r-1";
    request.arrival = std::chrono::steady_clock::now();
    if (!request.cancelled) request.cancelled = std::make_shared<std::atomic<bool>>(false);
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<HttpResponse> response;
    handler_(std::move(request), [&](HttpResponse answer) {
      const std::lock_guard lock(mutex);
      response = std::move(answer);
      changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return response.has_value(); });
    return std::move(*response);
  }
  /// `path` may have a query `?model=NAME`.
  HttpResponse post(const std::string& path, std::string body, HttpHeaders headers = {}) {
    HttpRequest request = request_to("POST", path);
    request.headers = std::move(headers);
    request.body = std::move(body);
    return send(std::move(request));
  }
  HttpResponse get(const std::string& path, HttpHeaders headers = {}) {
    HttpRequest request = request_to("GET", path);
    request.headers = std::move(headers);
    return send(std::move(request));
  }

  FakeService service;
  Metrics metrics;

 private:
  static HttpRequest request_to(const char* method, const std::string& path) {
    HttpRequest request;
    request.method = method;
    const size_t query = path.find("?model=");
    request.path = path.substr(0, query);
    if (query != std::string::npos) request.query["model"] = path.substr(query + 7);
    return request;
  }

  Handler handler_;
};

}  // namespace bertha::serve::test
