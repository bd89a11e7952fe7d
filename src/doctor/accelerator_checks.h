#pragma once

// What shows that an accelerator works beyond single operations: copies that are complete when a
// wait returns, training that follows the CPU, and speed.

#include <vector>

#include "backend/devices.h"
#include "doctor/report.h"

namespace bertha::doctor {

/// Reads results back many times behind queued work, into memory that holds another value at both
/// ends. A wait that returns too early leaves that value.
Fact fact_of_waits(Device& device);
/// Trains a tiny model with dropout for 20 steps on the device and on the CPU, and compares the
/// losses.
Fact fact_of_training(Device& device);
/// Speed of a product in f32 and in bf16.
Fact fact_of_products(Device& device);

/// Everything that the device can show: operations, waits, training, products.
std::vector<Fact> facts_of_accelerator(const DeviceEntry& entry);

}  // namespace bertha::doctor
