#include "serve/routes/model_pages.h"

#include "serve/routes/json_schema.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

const char* name_of(Task task) {
  switch (task) {
    case Task::kAnswer:
      return "answer";
    case Task::kFill:
      return "fill";
    case Task::kEmbed:
      return "embed";
    case Task::kClassify:
      return "classify";
    case Task::kRerank:
      return "rerank";
    case Task::kTag:
      break;
  }
  return "tag";
}

void append_model(JsonWriter& json, const ModelInfo& model, const ServiceStats& stats,
                  std::string_view owner) {
  json.begin_object().key("id").string(model.name).key("object").string("model");
  json.key("created").whole(unix_seconds()).key("owned_by").string(owner);
  json.key("task").string(name_of(model.task)).key("max_tokens").whole(model.max_tokens);
  json.key("compute").string(model.compute).key("backend").string("bertha");
  json.key("capabilities").begin_array().string(name_of(model.task)).end_array();
  if (!model.mask_token.empty()) json.key("mask_token").string(model.mask_token);
  if (!model.labels.empty()) {
    json.key("labels").begin_array();
    for (const std::string& label : model.labels) json.string(label);
    json.end_array();
  }
  if (model.vector_size > 0) json.key("dimensions").whole(model.vector_size);
  json.key("stats").begin_object().key("queue_fraction").number(0.0);
  json.key("queue_absolute").whole(stats.queued_requests);
  json.key("results_pending").whole(stats.admitted - stats.completed);
  json.key("batch_size").whole(stats.last_batch_windows).end_object().end_object();
}

Json model_schema() {
  return schema::object({{"id", schema::string()},
                         {"object", schema::string()},
                         {"created", schema::whole()},
                         {"owned_by", schema::string()},
                         {"task", schema::string()},
                         {"max_tokens", schema::whole()},
                         {"compute", schema::string()},
                         {"backend", schema::string()},
                         {"capabilities", schema::array(schema::string())},
                         {"stats", {{"type", "object"}}}});
}

}  // namespace bertha::serve
