#pragma once

// The devices this program knows. A device that it was built without has a row as well, which says
// so. What runs the ops on a device is ops' to know: ops/device_kernels.cc.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/device.h"

namespace bertha {

struct DeviceEntry {
  std::string_view name;  ///< as --device takes it
  bool accelerator;       ///< taken where a user asks for the best device present
  /// Why the device of this number cannot be used, as the end of a sentence; empty when it can.
  std::string (*absence)(int64_t number);
  /// Opens the device of this number. Throws Error with the reason when it is absent.
  std::unique_ptr<Device> (*open)(int64_t number);
};

/// All devices; of the accelerators the better one first.
std::span<const DeviceEntry> devices();
/// The row of this name; null when there is none.
const DeviceEntry* find_device(std::string_view name);
/// "cpu or cuda", for messages.
std::string device_names();

}  // namespace bertha
