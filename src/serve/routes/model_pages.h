#pragma once

// A model as the routes that list models show it.

#include "serve/inference_service.h"
#include "serve/routes/json_writer.h"
#include "serve/routes/request_json.h"

namespace bertha::serve {

/// "answer", "fill", "embed", "classify" or "rerank".
const char* name_of(Task task);

/// The object of OpenAI's /v1/models, with what infinity's client expects, and the task.
void append_model(JsonWriter& json, const ModelInfo& model, const ServiceStats& stats,
                  std::string_view owner);
Json model_schema();

}  // namespace bertha::serve
