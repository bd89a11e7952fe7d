// Time to load a model from its file into memory, ready to predict: load_bench WEIGHTS CONFIG. The
// first pass brings the file into the page cache, and the best of several passes counts.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

#include "backend/cpu/cpu_device.h"
#include "bert/weights.h"
#include "core/error.h"

namespace {

constexpr int kPasses = 5;

double wall_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void measure(const std::string& weights, const bertha::bert::Config& config) {
  using namespace bertha;
  cpu::CpuDevice device;
  double wall = 1e30;
  double cpu = 1e30;
  int64_t parameters = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double wall_start = wall_seconds();
    const double cpu_start = cpu_seconds();
    bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, false);
    bert::load_weights(weights, store, {.config = config});
    wall = std::min(wall, wall_seconds() - wall_start);
    cpu = std::min(cpu, cpu_seconds() - cpu_start);
    parameters = store.table().parameter_count();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} parameters: {:.3f} s, {:.3f} CPU seconds; at most {} MB in memory\n", parameters,
             wall, cpu, usage.ru_maxrss / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) bertha::fail("usage: load_bench WEIGHTS CONFIG");
    measure(argv[1], bertha::bert::load_config(argv[2]).padded());
  } catch (const std::exception& error) {
    fmt::print(stderr, "load_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
