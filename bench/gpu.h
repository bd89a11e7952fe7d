#pragma once

// Shared code of the benchmarks that run on a CPU or a GPU.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "backend/devices.h"
#include "core/context.h"
#include "core/error.h"
#include "core/philox.h"
#include "ops/linear.h"

namespace bertha::bench {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  BERTHA_CHECK(!values.empty());
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The median over steps of work done a second, with the work and the seconds of each step.
inline double median_rate(const std::vector<double>& work, const std::vector<double>& seconds) {
  BERTHA_CHECK(work.size() == seconds.size());
  std::vector<double> rates;
  for (size_t i = 0; i < work.size(); ++i) rates.push_back(work[i] / seconds[i]);
  return median(std::move(rates));
}

inline std::unique_ptr<Device> open_device(const std::string& name) {
  const DeviceEntry* const entry = find_device(name);
  if (entry == nullptr) fail("--device {}: expected {}", name, device_names());
  return entry->open(0);
}

/// GFLOP/s of a square matrix product on the GPU, the mean of ten. Steps are compared with it.
inline double gpu_ceiling(Device& device, DType dtype) {
  constexpr int64_t kSide = 8192;
  constexpr int kRounds = 10;
  Arena arena(device, 4 * kSide * kSide * size_of(dtype));
  Context context(device, arena);
  const Tensor x = context.make({kSide, kSide}, dtype);
  const Tensor w = context.make({kSide, kSide}, dtype);
  const Tensor y = context.make({kSide, kSide}, dtype);
  // Random bits of finite numbers: zeros would need less power and run faster.
  std::vector<uint16_t> values(static_cast<size_t>(x.size_bytes() / 2));
  PhiloxStream random(3, 0);
  for (uint16_t& value : values) {
    value = static_cast<uint16_t>(0x3f00U | (random.next_u32() & 0xffU));
  }
  device.write(out(x), values.data());
  device.write(out(w), values.data());
  const auto product = [&] { ops::linear(context, {.x = x, .w = w, .y = out(y)}); };
  for (int i = 0; i < 3; ++i) product();
  device.synchronize();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) product();
  device.synchronize();
  return kRounds * 2e-9 * static_cast<double>(kSide * kSide * kSide) / seconds_since(start);
}

}  // namespace bertha::bench
