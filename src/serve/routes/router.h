#pragma once

// From requests to routes: the handler that the HTTP server calls.

#include "serve/http/http_message.h"
#include "serve/inference_service.h"
#include "serve/metrics.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

/// The handler of all routes. The service and the metrics outlive it, and it outlives the calls
/// that the service has in progress: end the service's work, then destroy the handler. It makes all
/// series of the metrics at once.
Handler make_router(InferenceService& service, Metrics& metrics, const RouterOptions& options);

/// The bodies of errors that come before a route is found, in the dialect of the path.
HttpResponse route_error(int status, std::string_view message, std::string_view path);

}  // namespace bertha::serve
