// bertha load: measures a server with requests at the times of a Poisson process.

#include <cstdio>
#include <sstream>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "io/whole_file.h"
#include "serve/load_generator.h"

namespace bertha::cli {
namespace {

struct LoadChoice {
  std::vector<std::string> urls;
  std::string bodies_file;
  std::vector<std::string> headers;
  int64_t seed = 1;
  serve::LoadOptions load;
};

void declare(Options& table, LoadChoice& o) {
  table.positional("URL", o.urls, 1, "http://HOST:PORT/PATH");
  table.file("bodies", o.bodies_file,
             "file of request bodies, a JSON object on each line, of which each request takes one "
             "at random; without it the requests are GET");
  table.value("rate", o.load.rate,
              "requests a second, at random times; 0: each connection asks again when it has its "
              "answer, which finds the highest rate");
  table.value("connections", o.load.connections, "maximum number of connections");
  table.value("seconds", o.load.seconds, "time of the requests that count");
  table.value("warm_seconds", o.load.warm_seconds, "time of requests before them");
  table.value("timeout_s", o.load.timeout_seconds, "maximum wait for the last answers");
  table.value("seed", o.seed, "seed of the times and of the choice of bodies");
  table.values("header", o.headers, "header fields, as \"Authorization: Bearer KEY\"");
}

void read_bodies(LoadChoice& o) {
  if (o.bodies_file.empty()) return;
  constexpr int64_t kMostBytes = int64_t{1} << 30;
  std::istringstream file(io::read_whole_file(o.bodies_file, "the file of bodies", kMostBytes));
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) o.load.bodies.push_back(line);
  }
  if (o.load.bodies.empty()) fail("{}: the file has no body; expected one a line", o.bodies_file);
}

void read_headers(LoadChoice& o) {
  for (const std::string& typed : o.headers) {
    const size_t colon = typed.find(": ");
    if (colon == std::string::npos || typed.find_first_of("\r\n") != std::string::npos) {
      throw UsageError(fmt::format("--header {}: expected \"Name: value\"", typed));
    }
    o.load.headers.emplace_back(typed.substr(0, colon), typed.substr(colon + 2));
  }
}

void check(const LoadChoice& o) {
  if (o.urls.size() > 1) throw UsageError("bertha load: expected one URL");
  if (o.load.rate < 0 || o.load.seconds <= 0 || o.load.warm_seconds < 0 ||
      o.load.timeout_seconds < 0 || o.load.connections < 1) {
    throw UsageError("bertha load: times, rate and connections must be positive");
  }
}

}  // namespace

int run_load(Arguments arguments) {
  LoadChoice o;
  Options table("bertha load",
                "Sends requests to a server and prints how it answered, as one line of JSON: "
                "statuses, requests a second, and latencies in milliseconds from the scheduled "
                "time, so that a server that falls behind is measured as its users see it.");
  table.example("bertha load http://127.0.0.1:8080/embed --bodies=texts.jsonl --rate=100",
                "100 requests a second for ten seconds");
  table.example("bertha load http://127.0.0.1:8080/embed --bodies=texts.jsonl --connections=16",
                "The highest rate that 16 clients reach");
  declare(table, o);
  table.parse(arguments);
  check(o);
  read_bodies(o);
  read_headers(o);
  o.load.url = o.urls.front();
  o.load.seed = static_cast<uint64_t>(o.seed);
  const serve::LoadReport report = serve::run_load(o.load);
  std::printf("%s\n", serve::load_report_json(o.load, report).c_str());
  return report.statuses.empty() ? 1 : 0;
}

}  // namespace bertha::cli
