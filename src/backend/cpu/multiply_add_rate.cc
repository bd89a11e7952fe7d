#include "backend/cpu/multiply_add_rate.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "core/parallel_for.h"

namespace bertha::cpu {

double multiply_add_rate() {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kRounds = 2'000'000;
  constexpr int kTries = 8;
  const bool wide = best_isa() >= Isa::kAvx512;
  const int64_t threads = thread_count();
  std::vector<float> kept(static_cast<size_t>(threads));
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) {
    const auto start = Clock::now();
    parallel_items(threads, [&](int64_t thread) {
      kept[static_cast<size_t>(thread)] =
          wide ? multiply_add_avx512(kRounds) : multiply_add_avx2(kRounds);
    });
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  const double flops = 2.0 * 12 * (wide ? 16 : 8) * static_cast<double>(kRounds);
  return flops * static_cast<double>(threads) / best * 1e-9;
}

}  // namespace bertha::cpu
