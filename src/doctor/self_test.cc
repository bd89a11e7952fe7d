#include "doctor/self_test.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/multiply_add_rate.h"
#include "backend/devices.h"
#include "core/error.h"
#include "core/free_memory.h"
#include "core/strings.h"
#include "doctor/machine_facts.h"
#include "doctor/op_checks.h"
#include "doctor/product_speed.h"

namespace bertha::doctor {
namespace {

/// Runs the checks on one device and adds them to the fact.
void add_ops(const DeviceEntry& entry, Fact& fact) {
  const std::unique_ptr<Device> device = entry.open(0);
  std::vector<std::string> wrong;
  double largest = 0;
  const std::vector<OpResult> results = check_ops(*device);
  for (const OpResult& result : results) {
    largest = std::max(largest, result.deviation);
    if (result.right()) continue;
    const std::string why = result.error.empty()
                                ? fmt::format("{:.3g} times the rounding errors", result.deviation)
                                : result.error;
    wrong.push_back(fmt::format("{} in {} ({})", result.op, result.dtype, why));
  }
  fact.values[std::string(entry.name)] = {
      {"checks", results.size()}, {"largest_deviation", largest}, {"wrong", wrong}};
  fact.text += fact.text.empty() ? "" : "; ";
  if (wrong.empty()) {
    fact.text += fmt::format("{}: {} checks of {} ops agree with their references", entry.name,
                             results.size(), op_checks().size());
  } else {
    fact.state = State::kProblem;
    fact.text += fmt::format("{}: wrong results of {}", entry.name, join(wrong, ", "));
  }
}

}  // namespace

Fact fact_of_ops() {
  return fact_of_ops(devices());
}

Fact fact_of_ops(std::span<const DeviceEntry> entries) {
  Fact fact{.name = "ops"};
  for (const DeviceEntry& entry : entries) {
    try {
      if (entry.absence(0).empty()) add_ops(entry, fact);
    } catch (const std::exception& error) {
      fact.state = State::kProblem;
      fact.text += fmt::format("{}: {}", entry.name, error.what());
    }
  }
  return fact;
}

Fact fact_of_speed() {
  Fact fact{.name = "speed"};
  try {
    const std::unique_ptr<Device> device = find_device("cpu")->open(0);
    const double ceiling = cpu::multiply_add_rate();
    const double f32 = product_gflops(*device, DType::kF32);
    fact.text = fmt::format(
        "a product in f32 runs at {:.0f} GFLOP/s, {:.0f} % of the {:.0f} of multiply-adds in "
        "registers",
        f32, 100 * f32 / ceiling, ceiling);
    fact.values = {{"f32_gflops", f32}, {"ceiling_gflops", ceiling}};
    if (device->has_bf16()) {
      const double bf16 = product_gflops(*device, DType::kBF16);
      fact.text += fmt::format("; in bf16 at {:.0f}", bf16);
      fact.values["bf16_gflops"] = bf16;
    }
    if (f32 < 0.2 * ceiling) fact.state = State::kNote;
  } catch (const std::exception& error) {
    fact.state = State::kProblem;
    fact.text = error.what();
  }
  return fact;
}

void add_self_test(Report& report) {
  constexpr double kNeeded = 48 << 20;
  if (const FreeMemory free = free_memory(); free.bytes < kNeeded) {
    report.facts.push_back({.name = "self-test",
                            .state = State::kNote,
                            .text = fmt::format("not run: it needs {}, and {} are free",
                                                format_bytes(kNeeded), format_bytes(free.bytes))});
    return;
  }
  report.facts.push_back(fact_of_ops());
  report.facts.push_back(fact_of_speed());
}

}  // namespace bertha::doctor
