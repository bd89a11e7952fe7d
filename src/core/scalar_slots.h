#pragma once

#include <cstdint>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha {

/// Small values of a step (rates, norms, results) in one device buffer. Each slot holds at most
/// kAlignmentBytes and starts at an aligned address, so that a view of it can be any op's operand.
class ScalarSlots {
 public:
  ScalarSlots(Device& device, int64_t slots) : buffer_(device.allocate(slots * kAlignmentBytes)) {}

  /// The first `count` values of a slot.
  Tensor view(int64_t slot, int64_t count, DType dtype = DType::kF32) const {
    return Tensor(&buffer_, slot * kAlignmentBytes, dtype, {count});
  }

 private:
  Buffer buffer_;
};

}  // namespace bertha
