// Requests to a served model without HTTP: requests a second and their latency, for one client and
// for many, each of which asks again as soon as it is answered.  A text longer than the model takes
// is cut.
//
//   serve_bench MODEL_FOLDER [fp32|bf16] [SECONDS]

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "backend/devices.h"
#include "serve/model_service.h"

namespace {

using namespace bertha;
using std::chrono::steady_clock;

/// Clients of one text each, in a closed loop.
class Clients {
 public:
  Clients(serve::InferenceService& service, std::string text)
      : service_(service), text_(std::move(text)) {}

  void run(int clients, double seconds) {
    end_ = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                     std::chrono::duration<double>(seconds));
    live_ = clients;
    for (int i = 0; i < clients; ++i) ask();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return live_ == 0; });
  }
  std::vector<double>& milliseconds() { return milliseconds_; }
  double tokenize_us() const { return tokenize_us_ / static_cast<double>(milliseconds_.size()); }

 private:
  void ask() {
    const auto begin = steady_clock::now();
    service_.embed("", {.inputs = {text_}}, {}, [this, begin](const auto& result) {
      const auto now = steady_clock::now();
      {
        const std::lock_guard lock(mutex_);
        milliseconds_.push_back(std::chrono::duration<double, std::milli>(now - begin).count());
        if (result.ok()) {
          tokenize_us_ += static_cast<double>(result.value().work.tokenize.count());
        }
        if (now >= end_) {
          --live_;
          done_.notify_all();
          return;
        }
      }
      ask();
    });
  }

  serve::InferenceService& service_;
  std::string text_;
  steady_clock::time_point end_;
  std::mutex mutex_;
  std::condition_variable done_;
  int live_ = 0;
  std::vector<double> milliseconds_;
  double tokenize_us_ = 0;
};

void measure(serve::InferenceService& service, int64_t tokens, int clients, double seconds) {
  std::string text;
  for (int64_t i = 0; i < tokens - 2; ++i) text += "house ";
  Clients loop(service, text);
  const auto begin = steady_clock::now();
  loop.run(clients, seconds);
  const std::chrono::duration<double> taken = steady_clock::now() - begin;
  std::vector<double>& all = loop.milliseconds();
  std::sort(all.begin(), all.end());
  const auto quantile = [&](double q) {
    return all[static_cast<size_t>(q * static_cast<double>(all.size() - 1))];
  };
  fmt::print(
      "{:4} tokens {:3} clients: {:8.1f} requests/s, p50 {:7.2f} ms, p99 {:7.2f} ms, "
      "tokenize {:.0f} us\n",
      tokens, clients, static_cast<double>(all.size()) / taken.count(), quantile(0.5),
      quantile(0.99), loop.tokenize_us());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print("serve_bench MODEL_FOLDER [fp32|bf16] [SECONDS]\n");
    return 2;
  }
  const bool bf16 = argc > 2 && std::string(argv[2]) == "bf16";
  const double seconds = argc > 3 ? std::atof(argv[3]) : 5;
  serve::ModelServiceOptions options;
  options.models.push_back(serve::parse_model_spec(argv[1]));
  options.open_device = [] { return find_device("cpu")->open(0); };
  options.arithmetic = [bf16](const Device&) {
    return infer::Arithmetic{.compute = bf16 ? DType::kBF16 : DType::kF32};
  };
  const auto service = serve::make_model_service(std::move(options));
  service->load();
  for (const int64_t tokens : {16, 128, 384}) {
    for (const int clients : {1, 32}) measure(*service, tokens, clients, seconds);
  }
  return 0;
}
