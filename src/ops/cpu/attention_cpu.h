#pragma once

#include "backend/cpu/cpu_device.h"
#include "ops/attention.h"

namespace bertha::ops {

/// The ops of attention.h in host memory with the kernels of `isa`, which is at most best_isa().
void attention_cpu(const Attention& op, cpu::Isa isa);
void attention_backward_cpu(const AttentionBackward& op, cpu::Isa isa);

}  // namespace bertha::ops
