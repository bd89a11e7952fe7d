#include "backend/devices.h"

#include <algorithm>
#include <array>

#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "backend/gaudi/gaudi_device.h"

namespace bertha {
namespace {

std::string always_present(int64_t /*number*/) {
  return "";
}

std::unique_ptr<Device> open_cpu(int64_t /*number*/) {
  return std::make_unique<cpu::CpuDevice>();
}

constexpr std::array kDevices = {
    DeviceEntry{.name = "cpu", .accelerator = false, .absence = always_present, .open = open_cpu},
    DeviceEntry{.name = "gaudi",
                .accelerator = true,
                .absence = gaudi::absence,
                .open = gaudi::open_device},
    DeviceEntry{
        .name = "cuda", .accelerator = true, .absence = cuda::absence, .open = cuda::open_device}};

}  // namespace

std::span<const DeviceEntry> devices() {
  return kDevices;
}

const DeviceEntry* find_device(std::string_view name) {
  const auto* const found = std::ranges::find(kDevices, name, &DeviceEntry::name);
  return found == kDevices.end() ? nullptr : found;
}

std::string device_names() {
  std::string names;
  for (const DeviceEntry& entry : kDevices) {
    if (!names.empty()) names += &entry == &kDevices.back() ? " or " : ", ";
    names += entry.name;
  }
  return names;
}

}  // namespace bertha
