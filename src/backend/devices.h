#pragma once

// The table of devices. A device that this program was built without has a row too, which says so.
// The kernels of each device are attached in ops/device_kernels.cc, because ops lies above backend.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/device.h"

namespace bertha {

struct DeviceEntry {
  std::string_view name;  ///< as --device takes it
  bool accelerator;       ///< a candidate when a user asks for the best device present
  /// Why the device of this number cannot be used, as the end of a sentence; empty when it can.
  std::string (*absence)(int64_t number);
  /// Opens the device of this number. Throws Error with the reason when it is absent.
  std::unique_ptr<Device> (*open)(int64_t number);
};

/// All devices. Among the accelerators, the preferred one comes first.
std::span<const DeviceEntry> devices();
/// The row of this name; null when there is none.
const DeviceEntry* find_device(std::string_view name);
/// "cpu, gaudi or cuda", for messages.
std::string device_names();

}  // namespace bertha
