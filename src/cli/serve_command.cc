// bertha serve: options, and how the parts of src/serve become one server.

#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/device_choice.h"
#include "cli/options.h"
#include "cli/rank_options.h"
#include "cli/sandbox.h"
#include "core/error.h"
#include "serve/http/access_log.h"
#include "serve/http/http_server.h"
#include "serve/life_cycle.h"
#include "serve/metrics.h"
#include "serve/model_service.h"
#include "serve/routes/openapi.h"
#include "serve/routes/route_lists.h"
#include "serve/routes/router.h"

namespace bertha::cli {
namespace {

using std::chrono::milliseconds;

struct ServeOptions {
  std::vector<std::string> models;
  DeviceChoice device;
  serve::HttpServerOptions http;
  int64_t port = 8080;
  int64_t io_threads = 1;
  bool no_page = false;
  SandboxChoice sandbox;
  bool list_routes = false;
  std::string access_log = "text";
  double request_timeout = 30;
  int64_t max_queue_ms = 2000;
  double drain_delay = 5;
  double grace = 20;
  serve::ModelServiceOptions service;
  serve::RouterOptions router;
};

void declare_address(Options& table, ServeOptions& o) {
  table.heading("address");
  table.value("host", o.http.host, "address or name to listen on; \"::\" is IPv4 and IPv6");
  table.value("port", o.port, "port; 0: the system chooses, and the log says it");
  table.file("unix", o.http.unix_path, "listen on a unix socket of this path in place of a port");
  table.file("tls-cert", o.http.tls_cert_file, "certificate chain (PEM): the server speaks HTTPS");
  table.file("tls-key", o.http.tls_key_file, "private key of the certificate (PEM)");
  table.file("api-key-file", o.http.key_file,
             "file of keys, one a line: requests need one of them. SIGHUP reads it again");
  table.values("cors-origin", o.http.cors_origins,
               "origins whose web pages may call the server; *: all");
  table.flag("no-page", o.no_page, "do not serve the page for browsers at /");
}

void declare_limits(Options& table, ServeOptions& o) {
  serve::HttpLimits& http = o.http.limits;
  serve::ServiceLimits& service = o.service.limits;
  table.heading("limits");
  table.value("max-body-bytes", http.body_bytes, "larger requests are refused with 413");
  table.value("max-connections", http.connections, "connections that are open at the same time");
  table.value("max-texts", service.max_texts, "texts of a request");
  table.value("max-windows", service.max_windows,
              "windows of a request: a long passage is read in several");
  table.value("max-queue-requests", service.max_queue_requests,
              "requests that wait or run; more are refused with 429");
  table.value("max-queue-ms", o.max_queue_ms,
              "milliseconds: a request that would wait longer is refused with 429");
  table.value("request-timeout-s", o.request_timeout,
              "seconds after which a request that no batch has taken is given up");
}

void declare_computing(Options& table, ServeOptions& o) {
  o.device.declare(table);
  table.heading("computing");
  table.value("lanes", o.service.lanes,
              "batches that run at the same time; each lane holds its own weights");
  table.value("max-batch-tokens", o.service.max_batch_tokens,
              "tokens of a batch; 0: the smallest that runs at full speed, measured at the start");
  table.value("io-threads", o.io_threads, "threads that read and write connections");
  table.flag("accept-token-ids", o.router.accept_token_ids,
             "take arrays of token ids on the routes of OpenAI too");
}

void declare_life(Options& table, ServeOptions& o) {
  table.heading("life and log");
  table.value("drain-delay-s", o.drain_delay,
              "seconds between SIGTERM, when the server says that it is not ready any more, and "
              "the end of accepting");
  table.value("grace-s", o.grace, "seconds that requests in progress have to finish");
  table.choice("access-log", o.access_log, {"text", "json", "off"},
               "a line for each request on standard error, without its texts");
  o.sandbox.declare(table);
  table.flag("list-routes", o.list_routes,
             "print all routes and their fields as Markdown, and end");
}

Options declare(ServeOptions& o) {
  Options table("bertha serve",
                "Serves models over HTTP: answers to questions, masked words, vectors, labels, "
                "ranks and entities. Clients of OpenAI, Hugging Face, TEI, KServe, "
                "Triton, Cohere and Infinity work unchanged. At / is a page to try the models.");
  table.example("bertha serve --model qa=answers",
                "Answers of the model that bertha squad wrote to the folder answers");
  table.example(
      "bertha serve --model qa=answers --model embed=all-MiniLM-L6-v2 --autocast "
      "--port=8080",
      "Two models in one process, in bf16");
  table.heading("models");
  table.values("model", o.models,
               "NAME=FOLDER[:TASK], repeatable. The heads of the weights decide the task: answer, "
               "fill, embed, classify, rerank or tag");
  declare_address(table, o);
  declare_computing(table, o);
  declare_limits(table, o);
  declare_life(table, o);
  return table;
}

void check_range(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  throw UsageError(fmt::format("--{} {}: expected {} to {}", name, value, least, most));
}

milliseconds seconds_option(const char* name, double seconds) {
  constexpr double kDay = 86400;
  if (!(seconds >= 0 && seconds <= kDay)) {
    throw UsageError(fmt::format("--{} {}: expected 0 to {} seconds", name, seconds, kDay));
  }
  return milliseconds(std::llround(seconds * 1000));
}

void check_limits(const ServeOptions& o) {
  constexpr int64_t kMany = std::numeric_limits<int32_t>::max();
  check_range("port", o.port, 0, std::numeric_limits<uint16_t>::max());
  check_range("io-threads", o.io_threads, 1, 64);
  check_range("lanes", o.service.lanes, 1, 64);
  check_range("max-batch-tokens", o.service.max_batch_tokens, 0, kMany);
  check_range("max-body-bytes", o.http.limits.body_bytes, 1, int64_t{1} << 30);
  check_range("max-connections", o.http.limits.connections, 1, kMany);
  check_range("max-texts", o.service.limits.max_texts, 1, kMany);
  check_range("max-windows", o.service.limits.max_windows, 1, kMany);
  check_range("max-queue-requests", o.service.limits.max_queue_requests, 1, kMany);
  check_range("max-queue-ms", o.max_queue_ms, 0, 86'400'000);
}

void settle_service(ServeOptions& o) {
  if (o.models.empty()) {
    throw UsageError(
        "bertha serve: no model is given; --model NAME=FOLDER serves a folder that bertha squad, "
        "classify or convert wrote, or one of Hugging Face");
  }
  for (const std::string& typed : o.models) {
    o.service.models.push_back(serve::parse_model_spec(typed));
  }
  o.service.limits.max_queue_time = milliseconds(o.max_queue_ms);
  o.service.open_device = [device = o.device] { return device.open(); };
  o.service.arithmetic = [device = o.device](const Device& on) { return device.arithmetic(on); };
}

void settle_http(ServeOptions& o, serve::Metrics& metrics) {
  o.http.port = static_cast<uint16_t>(o.port);
  o.http.io_threads = static_cast<int>(o.io_threads);
  o.http.limits.total_body_bytes =
      std::max(o.http.limits.total_body_bytes, 4 * o.http.limits.body_bytes);
  if (o.http.tls_cert_file.empty() != o.http.tls_key_file.empty()) {
    throw UsageError("--tls-cert and --tls-key belong together");
  }
  o.http.error_body = serve::route_error;
  o.http.metrics = &metrics;
  if (o.access_log == "off") return;
  o.http.access_log = [json = o.access_log == "json"](const serve::AccessRecord& record) {
    if (serve::is_probe(record)) return;
    if (json) {
      const std::string line = serve::access_json(record, std::chrono::system_clock::now()) + "\n";
      std::fwrite(line.data(), 1, line.size(), stderr);
    } else {
      spdlog::info("{}", serve::access_line(record));
    }
  };
}

/// Drivers of accelerators open files and connections while they run.
void settle_sandbox(ServeOptions& o) {
  if (o.device.device == "cpu" && !o.device.use_habana) return;
  if (o.sandbox.mode == "on") fail("--sandbox on goes with --device cpu");
  o.sandbox.mode = "off";
}

/// Before the first thread starts: the others inherit it.
void confine_files(const ServeOptions& o) {
  FileRights rights;
  if (!o.http.unix_path.empty()) {
    rights.socket_folders = {std::filesystem::absolute(o.http.unix_path).parent_path().string()};
  }
  if (o.sandbox.confine_files(rights)) return;
  spdlog::warn("this kernel does not confine files (Landlock): the server runs without");
}

void confine_calls(const ServeOptions& o) {
  if (o.sandbox.confine_calls()) return;
  spdlog::warn("this kernel has no filter of system calls (seccomp): the server runs without");
}

int serve_models(ServeOptions& o) {
  check_limits(o);
  settle_service(o);
  serve::Metrics metrics;
  serve::add_process_metrics(metrics);
  settle_http(o, metrics);
  o.router.request_timeout = seconds_option("request-timeout-s", o.request_timeout);
  o.router.page = !o.no_page;
  o.router.version = BERTHA_VERSION;
  const serve::LifeOptions life = {.drain_delay = seconds_option("drain-delay-s", o.drain_delay),
                                   .grace = seconds_option("grace-s", o.grace),
                                   .warmed = [&o] { confine_calls(o); }};
  settle_sandbox(o);
  confine_files(o);
  const serve::SignalWatch signals;
  std::unique_ptr<serve::ModelService> service = serve::make_model_service(o.service);
  serve::DrainGate gate(serve::make_router(*service, metrics, o.router), serve::route_error);
  serve::HttpServer server(o.http,
                           [&gate](serve::HttpRequest request, const serve::Respond& respond) {
                             gate.handle(std::move(request), respond);
                           });
  const int status = serve::run_server(signals, server, *service, gate, life);
  service.reset();  // its last callbacks need the router
  return status;
}

}  // namespace

int run_serve(Arguments arguments) {
  ServeOptions o;
  Options table = declare(o);
  table.parse(arguments);
  if (o.list_routes) {
    std::fputs(serve::routes_page(serve::all_routes()).c_str(), stdout);
    return 0;
  }
  return serve_models(o);
}

}  // namespace bertha::cli
