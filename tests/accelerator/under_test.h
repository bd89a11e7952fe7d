#pragma once

#include "backend/devices.h"

namespace bertha::test {

/// The device that this test program is about. Each program of an accelerator defines it.
const DeviceEntry& accelerator();

}  // namespace bertha::test
