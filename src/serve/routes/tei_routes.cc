#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serve/routes/json_schema.h"
#include "serve/routes/label_scores.h"
#include "serve/routes/request_texts.h"
#include "serve/routes/route_lists.h"
#include "serve/routes/sentence_similarity.h"

namespace bertha::serve {
namespace {

/// The model that the query `?model=` names: the bodies of these routes have no place for it.
std::string model_of(const CallRef& call) {
  const auto& query = call->request().query;
  const auto found = query.find("model");
  return found == query.end() ? "" : found->second;
}

struct EmbedBody : TruncationFields {
  TokenTexts inputs;
  std::optional<std::string> prompt_name;
  bool normalize = true;
  std::optional<int64_t> dimensions;

  static FieldTable<EmbedBody> fields() {
    FieldTable<EmbedBody> table;
    table.required("inputs", &EmbedBody::inputs, "A text, the token ids of a text, or many")
        .optional("prompt_name", &EmbedBody::prompt_name, "A prompt of the model's folder")
        .optional("normalize", &EmbedBody::normalize, "Scale each vector to length 1")
        .optional("dimensions", &EmbedBody::dimensions, "Elements that are kept of each vector")
        .within(1, 1 << 20);
    return add_truncation(table);
  }
};

struct EmbedAllBody : TruncationFields {
  TokenTexts inputs;
  std::optional<std::string> prompt_name;

  static FieldTable<EmbedAllBody> fields() {
    FieldTable<EmbedAllBody> table;
    table.required("inputs", &EmbedAllBody::inputs, "A text, the token ids of a text, or many")
        .optional("prompt_name", &EmbedAllBody::prompt_name, "A prompt of the model's folder");
    return add_truncation(table);
  }
};

std::string vectors_json(const EmbedResult& result) {
  JsonWriter json;
  json.begin_array();
  for (const Embedding& embedding : result.embeddings) json.numbers(embedding.values);
  return json.end_array().take();
}

std::string token_vectors_json(const EmbedResult& result) {
  JsonWriter json;
  json.begin_array();
  for (const Embedding& embedding : result.embeddings) {
    json.begin_array();
    const auto width = static_cast<size_t>(embedding.width);
    for (size_t row = 0; row < static_cast<size_t>(embedding.rows); ++row) {
      json.numbers(std::span(embedding.values).subspan(row * width, width));
    }
    json.end_array();
  }
  return json.end_array().take();
}

void embed(EmbedBody body, const CallRef& call) {
  const std::string model = model_of(call);
  const auto items = std::ssize(body.inputs.items);
  call->begin(Task::kEmbed, model, items);
  call->service().embed(model,
                        {.inputs = std::move(body.inputs.items),
                         .normalize = body.normalize,
                         .dimensions = body.dimensions,
                         .prompt_name = std::move(body.prompt_name),
                         .truncation = body.truncation()},
                        call->context(), answer_with<EmbedResult>(call, items, vectors_json));
}

void embed_all(EmbedAllBody body, const CallRef& call) {
  constexpr int64_t kLong = 1000;  // the answers are large
  const std::string model = model_of(call);
  call->begin(Task::kEmbed, model, std::ssize(body.inputs.items));
  call->service().embed(model,
                        {.inputs = std::move(body.inputs.items),
                         .prompt_name = std::move(body.prompt_name),
                         .truncation = body.truncation(),
                         .all_tokens = true},
                        call->context(), answer_with<EmbedResult>(call, kLong, token_vectors_json));
}

struct PredictBody : TruncationFields {
  TextsOrPairs inputs;
  bool raw_scores = false;

  static FieldTable<PredictBody> fields() {
    FieldTable<PredictBody> table;
    table
        .required("inputs", &PredictBody::inputs,
                  "A text `s`, one text `[s]`, one pair `[s,s]`, or an array of such arrays")
        .optional("raw_scores", &PredictBody::raw_scores, "Logits in place of probabilities");
    return add_truncation(table);
  }
};

void predict(PredictBody body, const CallRef& call) {
  const std::string model = model_of(call);
  const auto items = std::ssize(body.inputs.items);
  const bool single = body.inputs.single;
  call->begin(Task::kClassify, model, items);
  call->service().classify(model,
                           {.inputs = std::move(body.inputs.items),
                            .activation = body.raw_scores ? Activation::kNone : Activation::kModel,
                            .truncation = body.truncation()},
                           call->context(),
                           answer_with<ClassifyResult>(call, items, [=](ClassifyResult& result) {
                             const std::vector<std::string> labels = labels_of(call);
                             JsonWriter json;
                             if (!single) json.begin_array();
                             for (const auto& scores : result.scores)
                               append_label_scores(json, labels, scores);
                             if (!single) json.end_array();
                             return json.take();
                           }));
}

void similarity(SimilarityBody body, const CallRef& call) {
  answer_similarity(model_of(call), std::move(body), call);
}

struct TokenizeBody {
  Texts inputs;
  bool add_special_tokens = true;
  std::optional<std::string> prompt_name;

  static FieldTable<TokenizeBody> fields() {
    FieldTable<TokenizeBody> table;
    table.required("inputs", &TokenizeBody::inputs, "A text or many")
        .optional("add_special_tokens", &TokenizeBody::add_special_tokens,
                  "With the tokens that the model's template adds")
        .optional("prompt_name", &TokenizeBody::prompt_name, "A prompt of the model's folder");
    return table;
  }
};

void append_token(JsonWriter& json, const TokenPlace& token) {
  json.begin_object().key("id").whole(token.id).key("text").string(token.piece);
  json.key("special").boolean(token.special).key("start");
  token.special ? json.null() : json.whole(token.begin);
  json.key("stop");
  token.special ? json.null() : json.whole(token.end);
  json.end_object();
}

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result.ok()) throw RouteFailure(result.error());
  return std::move(result.value());
}

void tokenize(TokenizeBody body, const CallRef& call) {
  const TokenizeResult result = value_or_throw(
      call->service().tokenize(model_of(call), {.texts = std::move(body.inputs.items),
                                                .special_tokens = body.add_special_tokens,
                                                .prompt_name = std::move(body.prompt_name),
                                                .offsets = OffsetUnit::kBytes}));
  JsonWriter json;
  json.begin_array();
  for (const auto& tokens : result.texts) {
    json.begin_array();
    for (const TokenPlace& token : tokens) append_token(json, token);
    json.end_array();
  }
  call->reply_json(json.end_array().take());
}

struct DecodeBody {
  IdLists ids;
  bool skip_special_tokens = true;

  static FieldTable<DecodeBody> fields() {
    FieldTable<DecodeBody> table;
    table.required("ids", &DecodeBody::ids, "The token ids of a text, or of many")
        .optional("skip_special_tokens", &DecodeBody::skip_special_tokens,
                  "Without the tokens that the model's template adds");
    return table;
  }
};

void decode(DecodeBody body, const CallRef& call) {
  const DecodeResult result = value_or_throw(call->service().decode(
      model_of(call),
      {.ids = std::move(body.ids.items), .skip_special_tokens = body.skip_special_tokens}));
  JsonWriter json;
  json.begin_array();
  for (const std::string& text : result.texts) json.string(text);
  call->reply_json(json.end_array().take());
}

Json vectors_schema() {
  return schema::array(schema::array(schema::number()));
}

Json tokens_schema() {
  const Json place = {{"type", {"integer", "null"}}};
  return schema::array(schema::array(schema::object({{"id", schema::whole()},
                                                     {"text", schema::string()},
                                                     {"special", schema::boolean()},
                                                     {"start", place},
                                                     {"stop", place}})));
}

}  // namespace

void add_tei_routes(RouteTable& table) {
  table.group("text-embeddings-inference", Dialect::kTei);
  table.post<EmbedBody>("/embed", "A vector for each text; the query `?model=` names a model",
                        vectors_schema(), embed);
  table.post<EmbedAllBody>("/embed_all", "A vector for each token of each text, not pooled",
                           schema::array(vectors_schema()), embed_all);
  table.post<PredictBody>(
      "/predict", "The labels of texts or pairs with their probabilities, the best first",
      schema::any_of({label_scores_schema(), schema::array(label_scores_schema())}), predict);
  table.post<SimilarityBody>("/similarity", "The cosine of a text with each of several",
                             schema::array(schema::number()), similarity);
  table.post<TokenizeBody>("/tokenize", "The tokens of texts; `start` and `stop` count bytes",
                           tokens_schema(), tokenize);
  table.post<DecodeBody>("/decode", "The texts of token ids", schema::array(schema::string()),
                         decode);
}

}  // namespace bertha::serve
