#include "serve/routes/error_bodies.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "serve/routes/json_writer.h"

namespace bertha::serve {
namespace {

/// How an error is named.
struct ErrorNames {
  int status = 500;
  std::string_view tei;     ///< error_type
  std::string_view openai;  ///< type
  std::string_view code;    ///< OpenAI's code; empty: null
};

struct ErrorRow {
  ErrorKind kind;
  int own;
  int tei;
  int strict;  ///< OpenAI and KServe
  int hugging_face;
  ErrorNames names;
};

constexpr std::string_view kInvalidRequest = "invalid_request_error";

constexpr auto kErrors = std::to_array<ErrorRow>({
    {ErrorKind::kInvalid, 422, 422, 400, 422, {0, "Validation", kInvalidRequest, ""}},
    {ErrorKind::kEmpty, 422, 400, 400, 400, {0, "Empty", kInvalidRequest, ""}},
    {ErrorKind::kTooLong,
     422,
     422,
     400,
     422,
     {0, "Validation", kInvalidRequest, "context_length_exceeded"}},
    {ErrorKind::kTooLarge, 422, 422, 400, 422, {0, "Validation", kInvalidRequest, ""}},
    {ErrorKind::kUnknownModel,
     404,
     404,
     404,
     404,
     {0, "Validation", kInvalidRequest, "model_not_found"}},
    {ErrorKind::kWrongTask, 422, 424, 400, 422, {0, "Backend", kInvalidRequest, ""}},
    {ErrorKind::kOverloaded, 429, 429, 429, 429, {0, "Overloaded", "rate_limit_error", ""}},
    {ErrorKind::kDeadline, 503, 503, 503, 503, {0, "Overloaded", "timeout_error", ""}},
    {ErrorKind::kLoading, 503, 503, 503, 503, {0, "Unhealthy", "unavailable_error", ""}},
    {ErrorKind::kDraining, 503, 503, 503, 503, {0, "Unhealthy", "unavailable_error", ""}},
    {ErrorKind::kCancelled, 499, 499, 499, 499, {0, "Overloaded", "cancelled", ""}},
    {ErrorKind::kInternal, 500, 424, 500, 500, {0, "Backend", "server_error", ""}},
});

int status_in(const ErrorRow& row, Dialect dialect) {
  switch (dialect) {
    case Dialect::kOwn:
      return row.own;
    case Dialect::kTei:
      return row.tei;
    case Dialect::kHuggingFace:
      return row.hugging_face;
    case Dialect::kOpenAi:
    case Dialect::kKserve:
      break;
  }
  return row.strict;
}

const ErrorRow& row_of(ErrorKind kind) {
  const auto found = std::ranges::find(kErrors, kind, &ErrorRow::kind);
  return found == kErrors.end() ? kErrors.back() : *found;
}

ErrorNames names_of_status(int status) {
  if (status == 401) return {status, "Validation", kInvalidRequest, "invalid_api_key"};
  if (status == 429) return {status, "Overloaded", "rate_limit_error", ""};
  if (status == 503) return {status, "Unhealthy", "unavailable_error", ""};
  if (status >= 500) return {status, "Backend", "server_error", ""};
  return {status, "Validation", kInvalidRequest, ""};
}

void append_nested(JsonWriter& json, const ErrorNames& names, std::string_view message,
                   std::string_view field) {
  json.key("error").begin_object().key("message").string(message);
  json.key("type").string(names.openai).key("param");
  field.empty() ? json.null() : json.string(field);
  json.key("code");
  names.code.empty() ? json.null() : json.string(names.code);
  json.end_object();
}

HttpResponse response_of(Dialect dialect, const ErrorNames& names, std::string_view message,
                         std::string_view field) {
  JsonWriter json;
  json.begin_object();
  if (dialect == Dialect::kOwn || dialect == Dialect::kOpenAi) {
    append_nested(json, names, message, field);
  } else {
    json.key("error").string(message);
    if (dialect == Dialect::kTei) json.key("error_type").string(names.tei);
  }
  json.end_object();
  HttpResponse response;
  response.status = names.status;
  response.body = json.take();
  return response;
}

/// How long a client should wait before it comes again; 0: it should not.
std::chrono::milliseconds wait_of(const ServeError& error) {
  using std::chrono::milliseconds;
  const bool comes_again = error.kind == ErrorKind::kOverloaded ||
                           error.kind == ErrorKind::kLoading || error.kind == ErrorKind::kDraining;
  if (!comes_again) return milliseconds(0);
  // The openai client comes again for 0 to 120 s alone.
  return std::clamp(error.retry_after, milliseconds(1), milliseconds(120'000));
}

}  // namespace

int status_of(Dialect dialect, ErrorKind kind) {
  return status_in(row_of(kind), dialect);
}

HttpResponse error_response(Dialect dialect, const ServeError& error) {
  ErrorNames names = row_of(error.kind).names;
  names.status = status_of(dialect, error.kind);
  const bool prefixed = dialect == Dialect::kTei && names.tei == "Validation";
  HttpResponse response = response_of(
      dialect, names, prefixed ? "Input validation error: " + error.message : error.message,
      error.field);
  if (const auto wait = wait_of(error); wait.count() > 0) {
    response.headers.set("Retry-After", std::to_string((wait.count() + 999) / 1000));
    response.headers.set("retry-after-ms", std::to_string(wait.count()));
  }
  if (error.kind == ErrorKind::kDeadline) response.headers.set("x-should-retry", "false");
  return response;
}

HttpResponse error_response(Dialect dialect, int status, std::string_view message) {
  return response_of(dialect, names_of_status(status), message, "");
}

Dialect dialect_of(std::string_view path) {
  if (path == "/v1/answer" || path == "/v1/fill") return Dialect::kOwn;
  if (path == "/v2/rerank") return Dialect::kOpenAi;
  if (path == "/v2" || path.starts_with("/v2/")) return Dialect::kKserve;
  if (path.starts_with("/v1/") || path == "/embeddings" || path == "/models" ||
      path == "/classify") {
    return Dialect::kOpenAi;
  }
  if (path.starts_with("/models/")) return Dialect::kHuggingFace;
  return Dialect::kTei;
}

}  // namespace bertha::serve
