#pragma once

// Errors as each API's clients expect them. One table says the status of each kind of error in each
// dialect, and its name there.

#include <cstdint>
#include <string>
#include <string_view>

#include "serve/http/http_message.h"
#include "serve/serve_error.h"

namespace bertha::serve {

/// Whose conventions a route follows.
enum class Dialect : uint8_t {
  kOwn,          ///< bertha's routes: OpenAI's body, 422 for wrong values
  kTei,          ///< text-embeddings-inference: {"error","error_type"}
  kOpenAi,       ///< {"error":{"message","type","param","code"}}, 400 for wrong values
  kKserve,       ///< {"error"}, 400 for wrong values
  kHuggingFace,  ///< {"error"}, 422 for wrong values
};

/// The status of an error of the service.
int status_of(Dialect dialect, ErrorKind kind);

/// The whole answer, with Retry-After where the client should come again.
HttpResponse error_response(Dialect dialect, const ServeError& error);
/// The same for what is known by its status alone: syntax, routes, and what the transport refuses.
HttpResponse error_response(Dialect dialect, int status, std::string_view message);

/// The dialect of a path, for errors that come before a route is found.
Dialect dialect_of(std::string_view path);

}  // namespace bertha::serve
