#include <string>
#include <utility>
#include <vector>

#include "serve/routes/json_schema.h"
#include "serve/routes/kserve_infer.h"
#include "serve/routes/kserve_tensors.h"
#include "serve/routes/route_lists.h"

namespace bertha::serve {
namespace {

/// The model of the path. Throws RouteFailure for one that is unknown, and for a version but 1.
ModelInfo model_in_path(const CallRef& call) {
  const std::string version = call->parameter("version");
  if (!version.empty() && version != "1") {
    throw RouteFailure({.kind = ErrorKind::kUnknownModel,
                        .message = "models have one version, which is 1",
                        .field = "version"});
  }
  return find_served(call->environment(), call->parameter("model"));
}

bool is_ready(const CallRef& call) {
  return call->service().state() == ServiceState::kReady;
}

/// Live: a lane that hangs, or a model that could not be loaded, asks for a new process.
void show_live(const CallRef& call) {
  const bool live = call->service().state() != ServiceState::kFailed;
  HttpResponse response;
  response.status = live ? 200 : 503;
  response.body = live ? R"({"live":true})" : R"({"live":false})";
  call->reply(std::move(response));
}

void show_ready(const CallRef& call) {
  HttpResponse response;
  response.status = is_ready(call) ? 200 : 503;
  response.body = is_ready(call) ? R"({"ready":true})" : R"({"ready":false})";
  call->reply(std::move(response));
}

void show_server(const CallRef& call) {
  JsonWriter json;
  json.begin_object().key("name").string("bertha");
  json.key("version").string(call->environment().options.version);
  json.key("extensions").begin_array().string("binary_tensor_data").end_array().end_object();
  call->reply_json(json.take());
}

void list_models(const CallRef& call) {
  JsonWriter json;
  json.begin_object().key("models").begin_array();
  for (const ModelInfo& model : loaded_models(call->environment())) json.string(model.name);
  call->reply_json(json.end_array().end_object().take());
}

void append_tensors(JsonWriter& json, const std::vector<TensorInfo>& tensors) {
  json.begin_array();
  for (const TensorInfo& tensor : tensors) {
    json.begin_object().key("name").string(tensor.name).key("datatype").string(tensor.datatype);
    json.key("shape").begin_array();
    for (const int64_t extent : tensor.shape) json.whole(extent);
    json.end_array().end_object();
  }
  json.end_array();
}

void show_model(const CallRef& call) {
  const ModelInfo model = model_in_path(call);
  const ModelTensors tensors = tensors_of(model);
  JsonWriter json;
  json.begin_object().key("name").string(model.name);
  json.key("versions").begin_array().string("1").end_array();
  json.key("platform").string("bertha").key("inputs");
  append_tensors(json, tensors.inputs);
  json.key("outputs");
  append_tensors(json, tensors.outputs);
  call->reply_json(json.end_object().take());
}

void show_model_ready(const CallRef& call) {
  const ModelInfo model = model_in_path(call);
  HttpResponse response;
  response.status = is_ready(call) ? 200 : 503;
  JsonWriter json;
  json.begin_object().key("name").string(model.name).key("ready").boolean(is_ready(call));
  response.body = json.end_object().take();
  call->reply(std::move(response));
}

void run_infer(const CallRef& call) {
  const ModelInfo model = model_in_path(call);
  infer(model,
        read_kserve_request(call->request().body, call->header("Inference-Header-Content-Length")),
        call);
}

Json tensors_schema() {
  return schema::array(schema::object({{"name", schema::string()},
                                       {"datatype", schema::string()},
                                       {"shape", schema::array(schema::whole())}}));
}

Json model_schema() {
  return schema::object({{"name", schema::string()},
                         {"versions", schema::array(schema::string())},
                         {"platform", schema::string()},
                         {"inputs", tensors_schema()},
                         {"outputs", tensors_schema()}});
}

Json infer_schema() {
  return schema::object({{"model_name", schema::string()},
                         {"model_version", schema::string()},
                         {"outputs", tensors_schema()}});
}

Json ready_schema(const char* name) {
  return schema::object({{name, schema::boolean()}});
}

}  // namespace

void add_kserve_routes(RouteTable& table) {
  table.group("Open Inference Protocol (KServe v2)", Dialect::kKserve);
  table.get("/v2/health/live", "Whether the process and its lanes work", ready_schema("live"),
            show_live);
  table.get("/v2/health/ready", "Whether all models are ready", ready_schema("ready"), show_ready);
  table.get("/v2", "Name, version and extensions of the server",
            schema::object({{"name", schema::string()},
                            {"version", schema::string()},
                            {"extensions", schema::array(schema::string())}}),
            show_server);
  table.get("/v2/models", "Names of the models",
            schema::object({{"models", schema::array(schema::string())}}), list_models);
  const Json ready = schema::object({{"name", schema::string()}, {"ready", schema::boolean()}});
  const auto add = [&](const std::string& path) {
    table.get(path, "Inputs and outputs of a model", model_schema(), show_model);
    table.get(path + "/ready", "Whether the model is ready", ready, show_model_ready);
    table.post(path + "/infer",
               "Runs the model; tensors are JSON, or bytes behind it with the header "
               "`Inference-Header-Content-Length`",
               fields_of<KserveBody>().schema(), infer_schema(), run_infer);
  };
  add("/v2/models/{model}");
  add("/v2/models/{model}/versions/{version}");
}

}  // namespace bertha::serve
