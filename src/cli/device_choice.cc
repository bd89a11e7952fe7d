#include "cli/device_choice.h"

#include <spdlog/spdlog.h>

#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "core/error.h"

namespace bertha::cli {

void DeviceChoice::declare(Options& options) {
  options.heading("device and arithmetic");
  options.value("device", device, "cpu or cuda");
  options.flag("use_habana", use_habana,
               "use the best accelerator present, as the recipe's command lines ask; without one "
               "the CPU is used and said");
  options.flag("strict-device", strict, "a missing accelerator is an error");
  options.flag("autocast", autocast,
               "bf16 products with fp32 weights and sums, where the device has bf16");
  options.flag("hmp", hmp, "the same as --autocast (the recipe's older name)");
  options.value("precision", precision,
                "fp32 or bf16; the same as leaving out or giving --autocast");
  for (const char* name : {"hmp_bf16", "hmp_fp32"}) {
    options.accepted(name, true, "which operations run in bf16 is fixed here; the file is not read",
                     "''");
  }
  options.accepted("hmp_opt_level", true, "which operations run in bf16 is fixed here", "'O1'");
  options.accepted("hmp_verbose", false, "there is no list of operations to print");
  options.accepted("use_lazy_mode", true, "there is no lazy mode: every step is a fixed program",
                   "True");
  options.accepted("no_cuda", false, "--device says which device is used");
}

std::unique_ptr<Device> DeviceChoice::open(int64_t card) const {
  if (device != "cpu" && device != "cuda") fail("--device {}: expected cpu or cuda", device);
  const std::string why_no_cuda = cuda::absence(card);
  std::unique_ptr<Device> result;
  if (device == "cuda") {
    if (!why_no_cuda.empty()) fail("--device cuda: {}", why_no_cuda);
    result = cuda::open_device(card);
  } else if (use_habana && why_no_cuda.empty()) {
    result = cuda::open_device(card);
    spdlog::warn("--use_habana: there is no Gaudi backend; the NVIDIA card is used");
  } else {
    if (use_habana && strict) {
      fail("--use_habana --strict-device: no accelerator is present ({})", why_no_cuda);
    }
    if (use_habana) {
      spdlog::warn("--use_habana: no accelerator is present ({}); running on the CPU", why_no_cuda);
    }
    result = std::make_unique<cpu::CpuDevice>();
  }
  spdlog::info("device: {}", result->description());
  return result;
}

bool DeviceChoice::bf16(const Device& on) const {
  if (!precision.empty() && precision != "fp32" && precision != "bf16") {
    fail("--precision {}: expected fp32 or bf16", precision);
  }
  if (autocast && hmp) fail("--autocast and --hmp exclude each other; both mean bf16 here");
  if (precision == "fp32" && (autocast || hmp)) {
    fail("--precision fp32 and --{} exclude each other", autocast ? "autocast" : "hmp");
  }
  if (!autocast && !hmp && precision != "bf16") return false;
  if (!on.has_bf16()) {
    spdlog::warn("bf16 was asked for, but this device has no bf16 products: computing in fp32");
    return false;
  }
  return true;
}

}  // namespace bertha::cli
