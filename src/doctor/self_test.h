#pragma once

// What computes: each op against its reference, and the speed of a product.

#include <span>

#include "backend/devices.h"
#include "doctor/report.h"

namespace bertha::doctor {

/// Runs every check of op_checks.h on the CPU, and on each accelerator that is present.
Fact fact_of_ops();
/// On those of these devices that are present.
Fact fact_of_ops(std::span<const DeviceEntry> entries);
/// A square product in f32 and, where the processor has it, in bf16, beside the speed of
/// multiply-adds in registers. Takes about a second.
Fact fact_of_speed();

/// Adds both, where the memory that is free allows it; otherwise a note.
void add_self_test(Report& report);

}  // namespace bertha::doctor
