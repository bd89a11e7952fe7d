#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "serve/routes/json_schema.h"
#include "serve/routes/label_scores.h"
#include "serve/routes/model_pages.h"
#include "serve/routes/request_texts.h"
#include "serve/routes/route_lists.h"

namespace bertha::serve {
namespace {

struct EmbeddingsBody {
  TokenTexts input;
  std::string model;
  std::string encoding_format = "float";
  int64_t dimensions = 0;
  bool truncate = true;
  std::string user;

  static FieldTable<EmbeddingsBody> fields() {
    FieldTable<EmbeddingsBody> table;
    table
        .required("input", &EmbeddingsBody::input,
                  "A text or many; token ids only where the server allows them")
        .optional("model", &EmbeddingsBody::model,
                  "Name of a model; default: the first that embeds")
        .optional("encoding_format", &EmbeddingsBody::encoding_format,
                  "Numbers, or base64 of little-endian float32")
        .one_of({"float", "base64"})
        .optional("dimensions", &EmbeddingsBody::dimensions,
                  "Elements that are kept of each vector; 0: all")
        .within(0, 1 << 20)
        .optional("truncate", &EmbeddingsBody::truncate,
                  "Whether a text that is too long is cut, which the header `x-truncated` reports")
        .optional("user", &EmbeddingsBody::user, "Not used");
    return table;
  }
};

std::string embeddings_json(const CallRef& call, bool as_base64, const EmbedResult& result) {
  JsonWriter json;
  json.begin_object().key("object").string("list").key("data").begin_array();
  int64_t index = 0;
  for (const Embedding& embedding : result.embeddings) {
    json.begin_object().key("object").string("embedding").key("index").whole(index++);
    json.key("embedding");
    as_base64 ? json.string(base64(embedding.values)) : json.numbers(embedding.values);
    json.end_object();
  }
  json.end_array().key("model").string(call->model()).key("usage");
  append_usage(json, result.work);
  // infinity's client wants these two.
  json.key("id").string(call->request().request_id).key("created").whole(unix_seconds());
  return json.end_object().take();
}

void refuse_token_ids(const CallRef& call, const TokenTexts& input) {
  const bool has_ids = std::ranges::any_of(input.items, [](const TextInput& text) {
    return std::holds_alternative<std::vector<int32_t>>(text);
  });
  if (!has_ids || call->environment().options.accept_token_ids) return;
  throw FieldError("input",
                   "has token ids, which are accepted only if they are of the model's own "
                   "vocabulary and the server runs with --accept-token-ids; send texts "
                   "(langchain: check_embedding_ctx_length=False)");
}

void embeddings(EmbeddingsBody body, const CallRef& call) {
  refuse_token_ids(call, body.input);
  const auto items = std::ssize(body.input.items);
  const bool as_base64 = body.encoding_format == "base64";
  EmbedRequest request{.inputs = std::move(body.input.items)};
  if (body.dimensions > 0) request.dimensions = body.dimensions;
  request.truncation.allowed = body.truncate;
  call->begin(Task::kEmbed, body.model, items);
  call->service().embed(body.model, std::move(request), call->context(),
                        answer_with<EmbedResult>(call, items, [=](EmbedResult& result) {
                          return embeddings_json(call, as_base64, result);
                        }));
}

struct LabelsBody {
  std::vector<std::string> input;
  std::string model;
  bool raw_scores = false;

  static FieldTable<LabelsBody> fields() {
    FieldTable<LabelsBody> table;
    table.required("input", &LabelsBody::input, "Texts")
        .optional("model", &LabelsBody::model,
                  "Name of a model; default: the first that classifies")
        .optional("raw_scores", &LabelsBody::raw_scores, "Logits in place of probabilities");
    return table;
  }
};

std::string labels_json(const CallRef& call, const ClassifyResult& result) {
  const std::vector<std::string> labels = labels_of(call);
  JsonWriter json;
  json.begin_object().key("object").string("classify").key("data").begin_array();
  for (const auto& scores : result.scores) append_label_scores(json, labels, scores);
  json.end_array().key("model").string(call->model()).key("usage");
  append_usage(json, result.work);
  json.key("id").string(call->request().request_id).key("created").whole(unix_seconds());
  return json.end_object().take();
}

void classify(LabelsBody body, const CallRef& call) {
  ClassifyRequest request;
  for (std::string& text : body.input) request.inputs.push_back({.text = std::move(text)});
  if (body.raw_scores) request.activation = Activation::kNone;
  const auto items = std::ssize(request.inputs);
  call->begin(Task::kClassify, body.model, items);
  call->service().classify(body.model, std::move(request), call->context(),
                           answer_with<ClassifyResult>(call, items, [=](ClassifyResult& result) {
                             return labels_json(call, result);
                           }));
}

void list_models(const CallRef& call) {
  JsonWriter json;
  const ServiceStats stats = call->service().stats();
  // The generated client of infinity takes no other owner.
  const char* const owner = call->request().path == "/models" ? "infinity" : "bertha";
  json.begin_object().key("object").string("list").key("data").begin_array();
  for (const ModelInfo& model : loaded_models(call->environment())) {
    append_model(json, model, stats, owner);
  }
  call->reply_json(json.end_array().end_object().take());
}

void show_model(const CallRef& call) {
  JsonWriter json;
  append_model(json, find_served(call->environment(), call->parameter("model")),
               call->service().stats(), "bertha");
  call->reply_json(json.take());
}

Json usage_schema() {
  return schema::object({{"prompt_tokens", schema::whole()}, {"total_tokens", schema::whole()}});
}

Json list_schema(const Json& of) {
  return schema::object({{"object", schema::string()},
                         {"data", schema::array(of)},
                         {"model", schema::string()},
                         {"usage", usage_schema()},
                         {"id", schema::string()},
                         {"created", schema::whole()}});
}

Json embeddings_schema() {
  return list_schema(schema::object(
      {{"object", schema::string()},
       {"index", schema::whole()},
       {"embedding", schema::any_of({schema::array(schema::number()), schema::string()})}}));
}

}  // namespace

void add_openai_routes(RouteTable& table) {
  table.group("OpenAI and infinity", Dialect::kOpenAi);
  table.alias(table.post<EmbeddingsBody>("/v1/embeddings", "A vector for each text",
                                         embeddings_schema(), embeddings),
              "/embeddings");
  table.post<LabelsBody>("/classify", "The labels of texts with their probabilities",
                         list_schema(label_scores_schema()), classify);
  const Json models =
      schema::object({{"object", schema::string()}, {"data", schema::array(model_schema())}});
  table.alias(table.get("/v1/models", "The models of this server", models, list_models), "/models");
  table.get("/v1/models/{model}", "One of the models", model_schema(), show_model);
}

}  // namespace bertha::serve
