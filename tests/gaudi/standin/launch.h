#pragma once

// The launch of a recipe: binds its persistent tensors to memory and queues the execution.

#include <cstdint>
#include <memory>
#include <span>

#include "gaudi/standin/runtime.h"

namespace bertha::standin {

/// Needs the runtime's lock. Throws Refusal where the binding breaks a rule.
void launch(Runtime& runtime, Stream& stream, std::shared_ptr<const Recipe> recipe,
            std::span<const LaunchTensor> tensors, uint64_t workspace, bool by_name);

}  // namespace bertha::standin
