#include <string>
#include <utility>
#include <vector>

#include "serve/routes/json_schema.h"
#include "serve/routes/label_scores.h"
#include "serve/routes/rank_texts.h"
#include "serve/routes/request_texts.h"
#include "serve/routes/route_lists.h"

namespace bertha::serve {
namespace {

struct RerankBody {
  std::string model;
  std::string query;
  std::vector<Document> documents;
  std::optional<int64_t> top_n;
  bool return_documents = false;
  std::optional<int64_t> max_tokens_per_doc;

  static FieldTable<RerankBody> fields() {
    FieldTable<RerankBody> table;
    table.optional("model", &RerankBody::model, "Name of a model; default: the first that ranks")
        .required("query", &RerankBody::query, "What the documents are compared with")
        .required("documents", &RerankBody::documents, "Texts, or objects with a member `text`")
        .optional("top_n", &RerankBody::top_n, "Results at most; 0: all")
        .within(0, 1 << 20)
        .optional("return_documents", &RerankBody::return_documents, "Repeat each text")
        .optional("max_tokens_per_doc", &RerankBody::max_tokens_per_doc,
                  "Tokens of the query and a document together that are read at most")
        .within(1, 1 << 20);
    return table;
  }
};

/// How results are written.
enum class RerankForm { kTei, kInfinity, kCohere };

struct RerankAnswer {
  RerankForm form = RerankForm::kTei;
  bool with_texts = false;
  size_t top = 0;  ///< 0: all
  std::vector<std::string> texts{};
};

std::vector<std::string> texts_of(std::vector<Document>&& documents) {
  std::vector<std::string> texts;
  texts.reserve(documents.size());
  for (Document& document : documents) texts.push_back(std::move(document.text));
  return texts;
}

void append_result(JsonWriter& json, const RerankAnswer& answer, size_t index, double score) {
  const bool tei = answer.form == RerankForm::kTei;
  json.begin_object().key("index").whole(static_cast<int64_t>(index));
  if (answer.with_texts) {
    const std::string& text = answer.texts[index];
    json.key(tei ? "text" : "document");
    if (answer.form == RerankForm::kCohere) {
      json.begin_object().key("text").string(text).end_object();
    } else {
      json.string(text);
    }
  }
  json.key(tei ? "score" : "relevance_score").number(static_cast<float>(score)).end_object();
}

std::string rerank_json(const CallRef& call, const RerankAnswer& answer,
                        const RerankResult& result) {
  std::vector<size_t> order = descending(result.scores);
  if (answer.top > 0 && answer.top < order.size()) order.resize(answer.top);
  JsonWriter json;
  const bool bare = answer.form == RerankForm::kTei;
  if (!bare) {
    json.begin_object().key("id").string(call->request().request_id);
    json.key("object").string("rerank").key("model").string(call->model()).key("results");
  }
  json.begin_array();
  for (const size_t index : order) append_result(json, answer, index, result.scores[index]);
  json.end_array();
  if (bare) return json.take();
  json.key("usage");
  append_usage(json, result.work);
  json.key("created").whole(unix_seconds()).key("meta").begin_object().end_object();
  return json.end_object().take();
}

void start_rerank(const CallRef& call, const std::string& model, RerankRequest request,
                  RerankAnswer answer) {
  const auto items = std::ssize(request.documents);
  if (answer.with_texts) answer.texts = request.documents;
  call->begin(Task::kRerank, model, items);
  call->service().rerank(
      model, std::move(request), call->context(),
      answer_with<RerankResult>(call, answer.with_texts ? items : 1,
                                [call, answer = std::move(answer)](RerankResult& result) {
                                  return rerank_json(call, answer, result);
                                }));
}

void rank(RankBody body, const CallRef& call) {
  answer_rank("", std::move(body), call);
}

void rerank(RerankBody body, const CallRef& call) {
  start_rerank(call, body.model,
               {.query = std::move(body.query),
                .documents = texts_of(std::move(body.documents)),
                .truncation = {.max_tokens = body.max_tokens_per_doc.value_or(0)}},
               {.form = RerankForm::kCohere,
                .with_texts = body.return_documents,
                .top = static_cast<size_t>(body.top_n.value_or(0))});
}

Json usage_schema() {
  return schema::object({{"prompt_tokens", schema::whole()}, {"total_tokens", schema::whole()}});
}

Json results_schema() {
  return schema::object(
      {{"id", schema::string()},
       {"object", schema::string()},
       {"model", schema::string()},
       {"results", schema::array(schema::object(
                       {{"index", schema::whole()}, {"relevance_score", schema::number()}}))},
       {"usage", usage_schema()},
       {"created", schema::whole()},
       {"meta", {{"type", "object"}}}});
}

Json ranks_schema() {
  return schema::array(schema::object({{"index", schema::whole()}, {"score", schema::number()}}));
}

}  // namespace

FieldTable<RankBody> RankBody::fields() {
  FieldTable<RankBody> table;
  table.required("query", &RankBody::query, "What the texts are compared with")
      .optional("texts", &RankBody::texts,
                "The texts; the answer has the form of text-embeddings-inference")
      .optional("documents", &RankBody::documents,
                "The texts, in place of `texts`; the answer has the form of infinity")
      .optional("raw_scores", &RankBody::raw_scores, "Logits in place of probabilities")
      .optional("return_text", &RankBody::return_text, "With `texts`: repeat each text")
      .optional("return_documents", &RankBody::return_documents,
                "With `documents`: repeat each text")
      .optional("top_n", &RankBody::top_n, "With `documents`: results at most; 0: all")
      .within(0, 1 << 20)
      .optional("model", &RankBody::model, "Name of a model; default: the first that ranks");
  return add_truncation(table);
}

void answer_rank(const std::string& model, RankBody body, const CallRef& call) {
  if (body.texts.has_value() == body.documents.has_value()) {
    throw FieldError("texts", body.texts ? "and `documents` exclude each other" : "is missing");
  }
  RerankAnswer answer{.form = body.texts ? RerankForm::kTei : RerankForm::kInfinity};
  answer.with_texts = body.texts ? body.return_text : body.return_documents;
  if (body.documents) answer.top = static_cast<size_t>(body.top_n.value_or(0));
  start_rerank(
      call, body.model.empty() ? model : body.model,
      {.query = std::move(body.query),
       .documents = body.texts ? std::move(*body.texts) : texts_of(std::move(*body.documents)),
       .raw_scores = body.raw_scores,
       .truncation = body.truncation()},
      std::move(answer));
}

void add_rerank_routes(RouteTable& table) {
  table.group("Rerank", Dialect::kTei);
  table.post<RankBody>("/rerank", "How well each text fits a query, the best first",
                       schema::any_of({ranks_schema(), results_schema()}), rank);
  table.group("Rerank", Dialect::kOpenAi);
  table.alias(table.post<RerankBody>(
                  "/v1/rerank",
                  "How well each document fits a query, the best first, as Cohere and Jina answer",
                  results_schema(), rerank),
              "/v2/rerank");
}

}  // namespace bertha::serve
