#include "serve/routes/openapi.h"

#include <algorithm>
#include <vector>

#include "serve/routes/json_schema.h"

namespace bertha::serve {
namespace {

Json error_schema(Dialect dialect) {
  switch (dialect) {
    case Dialect::kOwn:
    case Dialect::kOpenAi: {
      const Json text_or_null = {{"type", {"string", "null"}}};
      return schema::object({{"error", schema::object({{"message", schema::string()},
                                                       {"type", schema::string()},
                                                       {"param", text_or_null},
                                                       {"code", text_or_null}})}});
    }
    case Dialect::kTei:
      return schema::object({{"error", schema::string()}, {"error_type", schema::string()}});
    case Dialect::kKserve:
    case Dialect::kHuggingFace:
      break;
  }
  return schema::object({{"error", schema::string()}});
}

const char* error_name(Dialect dialect) {
  switch (dialect) {
    case Dialect::kOwn:
    case Dialect::kOpenAi:
      return "NestedError";
    case Dialect::kTei:
      return "TypedError";
    case Dialect::kKserve:
    case Dialect::kHuggingFace:
      break;
  }
  return "PlainError";
}

Json content(const std::string& type, Json schema) {
  return {{type, {{"schema", std::move(schema)}}}};
}

Json parameters_of(const Route& route) {
  Json parameters = Json::array();
  for (const std::string_view segment : path_segments(route.path)) {
    if (!segment.starts_with('{')) continue;
    parameters.push_back({{"name", segment.substr(1, segment.size() - 2)},
                          {"in", "path"},
                          {"required", true},
                          {"schema", schema::string()}});
  }
  return parameters;
}

Json answers_of(const Route& route) {
  Json good = {{"description", "The result"}};
  if (!route.answer.is_null()) good["content"] = content(route.answer_type, route.answer);
  if (route.answer.is_null() && route.answer_type != "application/json") {
    good["content"] = content(route.answer_type, schema::string());
  }
  const Json reference = {
      {"$ref", fmt::format("#/components/schemas/{}", error_name(route.dialect))}};
  return {{"200", std::move(good)},
          {"default",
           {{"description", "An error"}, {"content", content("application/json", reference)}}}};
}

Json operation_of(const Route& route) {
  Json operation = {
      {"summary", route.summary}, {"tags", {route.group}}, {"responses", answers_of(route)}};
  Json parameters = parameters_of(route);
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (!route.body.is_null()) {
    operation["requestBody"] = {{"required", true},
                                {"content", content("application/json", route.body)}};
  }
  return operation;
}

// --- The reference page ---

/// A type of a schema in words.
std::string type_words(const Json& schema) {
  if (schema.contains("anyOf")) {
    std::vector<std::string> words;
    for (const Json& part : schema["anyOf"]) {
      std::string word = type_words(part);
      if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
    }
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " or ") + word;
    return text;
  }
  if (!schema.contains("type")) return "any";
  const Json& type = schema["type"];
  std::string name = type.is_array() ? type[0].get<std::string>() : type.get<std::string>();
  if (name != "array") return name;
  return "array of " + type_words(schema["items"]);
}

std::string bounds_words(const Json& schema) {
  std::string words;
  if (schema.contains("enum")) {
    for (const Json& choice : schema["enum"]) {
      if (choice.is_null()) continue;
      words += fmt::format("{}`{}`", words.empty() ? "" : ", ", choice.get<std::string>());
    }
  }
  for (const auto& [key, word] : {std::pair{"minimum", "from "}, {"maximum", " to "}}) {
    if (schema.contains(key)) words += fmt::format("{}{}", word, schema[key].dump());
  }
  return words;
}

/// The rows of an object's fields and of those inside it.
std::string field_rows(const Json& schema, const std::string& prefix) {
  const Json required = schema.value("required", Json::array());
  std::string rows;
  for (const auto& [name, field] : schema["properties"].items()) {
    const bool needed = std::ranges::find(required, Json(name)) != required.end();
    const std::string preset = field.contains("default") ? "`" + field["default"].dump() + "`" : "";
    const std::string bounds = bounds_words(field);
    rows += fmt::format("| `{}{}` | {}{}{} | {} | {} |\n", prefix, name, type_words(field),
                        bounds.empty() ? "" : ": ", bounds, needed ? "required" : preset,
                        field.value("description", ""));
    if (field.contains("properties")) rows += field_rows(field, prefix + name + ".");
  }
  return rows;
}

std::string fields_table(const Json& body) {
  if (!body.contains("properties")) return "";
  return "\n| field | type | default | |\n|---|---|---|---|\n" + field_rows(body, "");
}

std::string status_row(const char* what, ErrorKind kind) {
  return fmt::format("| {} | {} | {} | {} | {} | {} |\n", what, status_of(Dialect::kOwn, kind),
                     status_of(Dialect::kTei, kind), status_of(Dialect::kOpenAi, kind),
                     status_of(Dialect::kKserve, kind), status_of(Dialect::kHuggingFace, kind));
}

std::string errors_section() {
  std::string text =
      "## Errors\n\nA body that is not JSON, is nested deeper than 16 levels, or has a key twice "
      "is 400. An unknown route is 404, another method 405 with `Allow`, another media type "
      "415.\n\n"
      "| case | own | text-embeddings-inference | OpenAI, rerank | KServe | Hugging Face |\n"
      "|---|---|---|---|---|---|\n";
  text += status_row("a value of the wrong type or out of range", ErrorKind::kInvalid);
  text += status_row("an empty input", ErrorKind::kEmpty);
  text += status_row("a text that is too long and must not be cut", ErrorKind::kTooLong);
  text += status_row("more texts or windows than the server takes", ErrorKind::kTooLarge);
  text += status_row("an unknown model", ErrorKind::kUnknownModel);
  text += status_row("a model without the head that the task needs", ErrorKind::kWrongTask);
  text += status_row("the queue is too long (`Retry-After`)", ErrorKind::kOverloaded);
  text += status_row("the deadline passed in the queue", ErrorKind::kDeadline);
  text += status_row("loading or draining (`Retry-After`)", ErrorKind::kLoading);
  text += status_row("a fault of the server", ErrorKind::kInternal);
  return text;
}

}  // namespace

std::string openapi_json(const RouteTable& table, std::string_view version) {
  Json paths = Json::object();
  Json errors = Json::object();
  for (const Route& route : table.routes()) {
    const std::string method = route.method == "GET" ? "get" : "post";
    paths[route.path][method] = operation_of(route);
    errors[error_name(route.dialect)] = error_schema(route.dialect);
  }
  const Json document = {{"openapi", "3.1.0"},
                         {"info", {{"title", "bertha serve"}, {"version", version}}},
                         {"paths", std::move(paths)},
                         {"components", {{"schemas", std::move(errors)}}}};
  return document.dump();
}

std::string routes_page(const RouteTable& table) {
  std::string text =
      "# Routes of `bertha serve`\n\nMade from the tables that parse the requests: "
      "`bertha serve --list-routes`. The same is at `/openapi.json` of a server. Fields that are "
      "not listed are errors in bertha's own routes and ignored in the others; `null` is as good "
      "as absent for a field that is not required. The clients' own documents describe the "
      "answers, and `/openapi.json` has their schemas.\n\n";
  std::string group;
  for (const Route& route : table.routes()) {
    if (route.group != group) text += fmt::format("## {}\n\n", route.group);
    group = route.group;
    text += fmt::format("### {} `{}`\n\n{}.\n{}\n", route.method, route.path, route.summary,
                        route.summary.starts_with("As ") ? "" : fields_table(route.body));
  }
  return text + errors_section();
}

}  // namespace bertha::serve
