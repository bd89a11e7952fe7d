#include "cli/device_choice.h"

#include <spdlog/spdlog.h>

#include "backend/devices.h"
#include "core/error.h"

namespace bertha::cli {

std::vector<std::string> device_words() {
  std::vector<std::string> words;
  for (const DeviceEntry& entry : devices()) words.emplace_back(entry.name);
  return words;
}

void DeviceChoice::declare(Options& options) {
  options.heading("device and arithmetic");
  options.choice("device", device, device_words(), "device to compute on");
  options.flag("use_habana", use_habana,
               "use the best accelerator that is present, as the recipe's command lines ask; if "
               "there is none, the CPU is used and a warning says so");
  options.flag("strict-device", strict, "make a missing accelerator an error");
  options.flag(
      "autocast", autocast,
      "compute matrix products in bf16, with fp32 weights and sums, if the device has bf16");
  options.flag("hmp", hmp, "the same as --autocast (the recipe's older name)").hidden();
  options.choice(
      "precision", precision, {"fp32", "bf16", "int8", "fp8"},
      "arithmetic of matrix products; bf16 is the same as --autocast; int8, for "
      "predictions alone, keeps the weights of the encoder as 8-bit integers, a quarter "
      "of their size; fp8, for pre-training alone, rounds what the encoder multiplies to "
      "8-bit floats, with everything else as in bf16");
  for (const char* name : {"hmp_bf16", "hmp_fp32"}) {
    options.accepted(name, true, "Bertha fixes which operations run in bf16; the file is not read",
                     "''");
  }
  options.accepted("hmp_opt_level", true, "Bertha fixes which operations run in bf16", "'O1'");
  options.accepted("hmp_verbose", false, "there is no list of operations to print");
  options.accepted("use_lazy_mode", true, "there is no lazy mode: every step is a fixed program",
                   "True");
  options.accepted("no_cuda", false, "--device says which device is used");
}

namespace {

/// The best accelerator that can be used, for --use_habana; null when there is none, with the
/// reasons in `why`.
const DeviceEntry* best_accelerator(int64_t number, std::string& why) {
  for (const DeviceEntry& entry : devices()) {
    if (!entry.accelerator) continue;
    const std::string absence = entry.absence(number);
    if (absence.empty()) return &entry;
    why += (why.empty() ? "" : "; ") + absence;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Device> DeviceChoice::open(int64_t number) const {
  const DeviceEntry* entry = find_device(device);
  if (entry == nullptr) fail("--device {}: expected {}", device, device_names());
  if (use_habana && !entry->accelerator) {
    std::string why;
    if (const DeviceEntry* best = best_accelerator(number, why); best != nullptr) {
      entry = best;
      if (!why.empty()) spdlog::warn("--use-habana: {}; the {} device is used", why, entry->name);
    } else if (strict) {
      fail("--use-habana --strict-device: no accelerator can be used ({})", why);
    } else {
      spdlog::warn("--use-habana: no accelerator can be used ({}); running on the CPU", why);
    }
  } else if (const std::string why = entry->absence(number); !why.empty()) {
    fail("--device {}: {}", device, why);
  }
  std::unique_ptr<Device> result = entry->open(number);
  spdlog::debug("device: {}", result->description());
  return result;
}

infer::Arithmetic DeviceChoice::arithmetic(const Device& on, bool trains) const {
  if (fp8()) fail("--precision fp8: pre-training alone runs in fp8; expected fp32, bf16 or int8");
  if (precision != "int8" || trains) return {.compute = bf16(on) ? DType::kBF16 : DType::kF32};
  if (autocast || hmp) {
    fail("--precision int8 and --{} exclude each other", autocast ? "autocast" : "hmp");
  }
  // Attention takes half the time in bf16, and the vectors are as close to those of fp32.
  return {.compute = on.has_bf16() ? DType::kBF16 : DType::kF32, .products = bert::Products::kInt8};
}

bool DeviceChoice::bf16(const Device& on) const {
  if (precision == "int8") {
    fail("--precision int8: training needs fp32 or bf16; int8 is for predictions");
  }
  if (autocast && hmp) fail("--autocast and --hmp exclude each other; both mean bf16 here");
  if (precision == "fp32" && (autocast || hmp)) {
    fail("--precision fp32 and --{} exclude each other", autocast ? "autocast" : "hmp");
  }
  if (!autocast && !hmp && precision != "bf16" && !fp8()) return false;
  if (!on.has_bf16()) {
    spdlog::warn("bf16 was asked for, but this device has no bf16 products: computing in fp32");
    return false;
  }
  return true;
}

}  // namespace bertha::cli
