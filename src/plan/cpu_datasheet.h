#pragma once

#include "core/device.h"
#include "plan/datasheets.h"
#include "plan/training_job.h"

namespace bertha::plan {

/// This machine's CPU as a data sheet: the rates that a few steps of the job's model reach here,
/// with fewer rows than the job's micro-batch has, and the memory of the machine. It takes the
/// memory of such a step. Throws Error where there is less.
Datasheet measure_cpu(Device& device, const TrainingJob& job);

}  // namespace bertha::plan
