// The routes behind HTTP: any bytes as the body of any route, with any of the headers that routes
// read, get one answer whose body is whole, and nothing is thrown. The first byte chooses the
// route, the second says how many of the body's bytes are JSON before the tensors of KServe.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/fake_service.h"
#include "serve/routes/request_json.h"
#include "serve/routes/route_lists.h"

namespace {

using namespace bertha::serve;

/// Requests to all routes that take a body, with models in place of the paths' parameters.
std::vector<HttpRequest> requests() {
  std::vector<HttpRequest> all;
  for (const char* model : {"qa", "mlm", "mini", "mood", "cross", "names"}) {
    for (const Route& route : all_routes().routes()) {
      if (route.method != "POST") continue;
      HttpRequest request;
      request.method = route.method;
      request.path = route.path;
      const auto put = [&](std::string_view name, std::string_view value) {
        const size_t at = request.path.find(name);
        if (at != std::string::npos) request.path.replace(at, name.size(), value);
      };
      put("{model}", model);
      put("{version}", "1");
      put("{task}", "token-classification");
      all.push_back(std::move(request));
    }
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static test::RouterFixture server;
  static const std::vector<HttpRequest> kRequests = requests();
  if (size < 2) return 0;
  HttpRequest request = kRequests[data[0] % kRequests.size()];
  request.body.assign(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[1] != 0) {
    request.headers.set("Inference-Header-Content-Length", std::to_string(data[1]));
  }
  const HttpResponse response = server.send(std::move(request));
  if (response.status < 200 || response.status > 599) std::abort();
  // What is JSON is whole: the server's own reader takes it.
  if (response.content_type == "application/json" && !response.body.empty()) {
    parse_request_json(response.body);
  }
  return 0;
}
