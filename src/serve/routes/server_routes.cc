#include <algorithm>
#include <string>
#include <utility>

#include "serve/metrics.h"
#include "serve/page/page_assets.h"
#include "serve/routes/json_schema.h"
#include "serve/routes/label_scores.h"
#include "serve/routes/model_pages.h"
#include "serve/routes/openapi.h"
#include "serve/routes/route_lists.h"

namespace bertha::serve {
namespace {

/// 200 without a body, or why the server cannot answer.
void show_health(const CallRef& call) {
  switch (call->service().state()) {
    case ServiceState::kReady: {
      HttpResponse response;
      response.content_type = "";
      return call->reply(std::move(response));
    }
    case ServiceState::kLoading:
      throw RouteFailure({.kind = ErrorKind::kLoading,
                          .message = "the models are loading",
                          .retry_after = std::chrono::seconds(1)});
    case ServiceState::kDraining:
      throw RouteFailure({.kind = ErrorKind::kDraining, .message = "the server ends"});
    case ServiceState::kFailed:
      break;
  }
  call->reply(error_response(call->route().dialect, 503, call->service().failure()));
}

void send_asset(const CallRef& call, const PageAsset& asset) {
  HttpResponse response;
  for (const PageHeader& header : page_headers()) {
    response.headers.set(std::string(header.name), std::string(header.value));
  }
  response.headers.set("ETag", std::string(asset.etag));
  response.content_type = asset.content_type;
  if (call->header("If-None-Match").find(asset.etag) != std::string::npos) {
    response.status = 304;
  } else {
    response.body = asset.body;
  }
  call->reply(std::move(response));
}

/// Browsers get the page; for others GET / is the health of text-embeddings-inference.
void show_root(const CallRef& call) {
  const bool browser = call->header("Accept").find("text/html") != std::string::npos;
  const PageAsset* page = find_page_asset("/");
  if (!browser || page == nullptr || !call->environment().options.page) return show_health(call);
  send_asset(call, *page);
}

void show_page_file(const CallRef& call) {
  const PageAsset* asset = find_page_asset(call->request().path);
  if (asset == nullptr || !call->environment().options.page) {
    return call->reply(error_response(Dialect::kTei, 404, "the page has no such file"));
  }
  send_asset(call, *asset);
}

void show_metrics(const CallRef& call) {
  HttpResponse response;
  response.content_type = kMetricsContentType;
  response.body = call->environment().metrics.text();
  call->reply(std::move(response));
}

void show_openapi(const CallRef& call) {
  static const std::string kDocument =
      openapi_json(all_routes(), call->environment().options.version);
  call->reply_json(kDocument);
}

/// {"embedding":{"pooling":…}}, {"classifier":{"id2label","label2id"}} …
void append_model_type(JsonWriter& json, const ModelInfo& model) {
  json.begin_object();
  if (model.task == Task::kEmbed) {
    json.key("embedding").begin_object().key("pooling").string(model.pooling);
  } else if (model.task == Task::kClassify || model.task == Task::kRerank) {
    json.key(model.task == Task::kClassify ? "classifier" : "reranker").begin_object();
    json.key("id2label").begin_object();
    for (size_t i = 0; i < model.labels.size(); ++i) {
      json.key(std::to_string(i)).string(model.labels[i]);
    }
    json.end_object().key("label2id").begin_object();
    for (size_t i = 0; i < model.labels.size(); ++i) {
      json.key(model.labels[i]).whole(static_cast<int64_t>(i));
    }
    json.end_object();
  } else {
    json.key(name_of(model.task)).begin_object();
  }
  json.end_object().end_object();
}

/// The description of text-embeddings-inference for one model, and the list of all.
void show_info(const CallRef& call) {
  const auto& query = call->request().query;
  const auto wanted = query.find("model");
  const ModelInfo model =
      find_served(call->environment(), wanted == query.end() ? "" : wanted->second);
  const ServiceLimits limits = call->service().limits();
  const ServiceStats stats = call->service().stats();
  JsonWriter json;
  json.begin_object().key("model_id").string(model.name).key("model_sha").null();
  json.key("model_dtype").string(model.compute).key("served_model_name").string(model.name);
  json.key("model_type");
  append_model_type(json, model);
  json.key("max_concurrent_requests").whole(limits.max_queue_requests);
  json.key("max_input_length").whole(model.max_tokens);
  json.key("max_batch_tokens").whole(stats.max_batch_tokens).key("max_batch_requests").null();
  json.key("max_client_batch_size").whole(limits.max_texts);
  json.key("auto_truncate").boolean(true).key("tokenization_workers").whole(1);
  json.key("version").string(call->environment().options.version);
  json.key("sha").null().key("docker_label").null().key("models").begin_array();
  for (const ModelInfo& each : loaded_models(call->environment()))
    append_model(json, each, stats, "bertha");
  call->reply_json(json.end_array().end_object().take());
}

Json info_schema() {
  return schema::object({{"model_id", schema::string()},
                         {"model_dtype", schema::string()},
                         {"model_type", {{"type", "object"}}},
                         {"max_concurrent_requests", schema::whole()},
                         {"max_input_length", schema::whole()},
                         {"max_batch_tokens", schema::whole()},
                         {"max_client_batch_size", schema::whole()},
                         {"auto_truncate", schema::boolean()},
                         {"version", schema::string()},
                         {"models", schema::array(model_schema())}});
}

}  // namespace

void add_server_routes(RouteTable& table) {
  table.group("Server", Dialect::kTei);
  table.alias(
      table.get("/health", "200 when the models are ready, 503 otherwise", nullptr, show_health),
      "/ping");
  table.get("/", "The page for browsers (`Accept: text/html`); for others as `/health`", nullptr,
            show_root);
  table.get("/page/{file}", "The files of the page", nullptr, show_page_file).answer_type =
      "text/javascript";
  table.get("/metrics", "Figures for Prometheus", nullptr, show_metrics).answer_type =
      kMetricsContentType;
  table.get("/info", "A model and the limits of the server; the query `?model=` names the model",
            info_schema(), show_info);
  table.alias(
      table.get("/openapi.json", "This list as OpenAPI 3.1", {{"type", "object"}}, show_openapi),
      "/api-doc/openapi.json");
}

}  // namespace bertha::serve
