#pragma once

// Facts about accelerators and their drivers.

#include <cstdint>
#include <string>
#include <vector>

#include "doctor/report.h"

namespace bertha::doctor {

/// A fact for each accelerator of backend/devices.h: its devices, or why there are none.
std::vector<Fact> facts_of_accelerators();
/// The NVIDIA driver that Linux has loaded, "580.65.06", or an empty text.
std::string nvidia_driver(const std::string& root = "");
/// Devices of Habana Labs on the PCI bus.
int64_t gaudi_devices(const std::string& root = "");

}  // namespace bertha::doctor
