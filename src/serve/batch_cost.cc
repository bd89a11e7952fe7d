#include "serve/batch_cost.h"

#include <algorithm>

namespace bertha::serve {
namespace {

constexpr double kLeastTokenSeconds = 1e-9;

}  // namespace

BatchCost BatchCost::fit(std::span<const BatchTiming> timings) {
  // Minimises Σ ((a + b T) / t - 1)²: the normal equations of 1/t and T/t against 1.
  double aa = 0;
  double ab = 0;
  double bb = 0;
  double a1 = 0;
  double b1 = 0;
  for (const BatchTiming& timing : timings) {
    const double u = 1 / timing.seconds;
    const double v = static_cast<double>(timing.tokens) / timing.seconds;
    aa += u * u;
    ab += u * v;
    bb += v * v;
    a1 += u;
    b1 += v;
  }
  const double determinant = aa * bb - ab * ab;
  double fixed = determinant > 1e-9 * aa * bb ? (a1 * bb - b1 * ab) / determinant : 0;
  fixed = std::max(fixed, 0.0);
  const double token = bb > 0 ? (b1 - fixed * ab) / bb : kLeastTokenSeconds;
  return {fixed, std::max(token, kLeastTokenSeconds)};
}

void BatchCost::observe(const BatchTiming& timing) {
  constexpr double kWeight = 0.1;
  const double predicted = seconds(timing.tokens);
  if (predicted <= 0 || timing.seconds <= 0) return;
  const double ratio = std::clamp(timing.seconds / predicted, 0.1, 10.0);
  factor_ = std::clamp(factor_ * (1 + kWeight * (ratio - 1)), 0.01, 100.0);
}

int64_t smallest_fast_batch(std::span<const BatchTiming> timings) {
  constexpr double kFast = 0.97;
  const auto rate = [](const BatchTiming& timing) {
    return static_cast<double>(timing.tokens) / timing.seconds;
  };
  const double greatest = rate(*std::ranges::max_element(timings, {}, rate));
  int64_t least = INT64_MAX;
  for (const BatchTiming& timing : timings) {
    if (rate(timing) >= kFast * greatest) least = std::min(least, timing.tokens);
  }
  return least;
}

}  // namespace bertha::serve
