#include "doctor/product_speed.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/context.h"
#include "ops/linear.h"

namespace bertha::doctor {
namespace {

constexpr int64_t kHostSize = 768;
// An accelerator gets larger products until one takes long enough to show its speed.
constexpr int64_t kSmallestSize = 256;
constexpr int64_t kLargestSize = 8192;
constexpr double kEnoughSeconds = 2e-3;

/// The best of several calls, in seconds: the time when nothing else runs.
template <typename Body>
double shortest(const Body& body) {
  using Clock = std::chrono::steady_clock;
  constexpr double kEnough = 0.25;
  double best = 1e9;
  double total = 0;
  for (int i = 0; i < 3 || (total < kEnough && i < 100); ++i) {
    const auto start = Clock::now();
    body();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (i > 0) best = std::min(best, seconds);  // the first call prepares
    total += seconds;
  }
  return best;
}

double seconds_of_product(Device& device, DType dtype, int64_t size) {
  Arena arena(device, 4 * 3 * size * size + (1 << 20));
  Context context(device, arena);
  const Tensor x = context.make({size, size}, dtype);
  const Tensor w = context.make({size, size}, dtype);
  const Tensor y = context.make({size, size}, dtype);
  const std::vector<float> halves(static_cast<size_t>(size * size), 0.5F);
  for (const Tensor& operand : {x, w}) {
    // Read as bf16, the bytes of 0.5 are the numbers 0 and 0.5.
    device.write(Out(operand), halves.data());
  }
  return shortest([&] {
    ops::linear(context, {.x = x, .w = w, .y = Out(y)});
    device.synchronize();
  });
}

}  // namespace

double product_gflops(Device& device, DType dtype) {
  const bool is_host = device.memory() == Memory::kHost;
  int64_t size = is_host ? kHostSize : kSmallestSize;
  double seconds = seconds_of_product(device, dtype, size);
  while (!is_host && seconds < kEnoughSeconds && size < kLargestSize) {
    size *= 2;
    seconds = seconds_of_product(device, dtype, size);
  }
  return 2e-9 * static_cast<double>(size * size * size) / seconds;
}

}  // namespace bertha::doctor
