#pragma once

// What changes from step to step, computed on the host between two segments.

#include <array>
#include <cstdint>

#include "ops/optimizer.h"

namespace bertha::optim {

enum class ClipRule : uint8_t {
  kDivide,       ///< by norm / max_norm when norm > max_norm: LAMB
  kWithEpsilon,  ///< times min(1, max_norm / (norm + 1e-6)): SQuAD, torch's clip_grad_norm_
};

struct StepInputs {
  int64_t step = 1;          ///< t, the number of this update, from 1
  double rate = 0;           ///< learning_rate()
  double gradient_norm = 0;  ///< of the buffer as it is, times loss_scale
  double max_norm = 1;       ///< of the gradients proper; 0: no clipping
  double loss_scale = 1;     ///< what the loss, and so the buffer, was multiplied by
  ClipRule clip = ClipRule::kDivide;
  bool bias_correction = true;
};

/// The f32 [4] scalars of lamb and adamw, by StepScalar, computed in double. A norm that is not
/// finite clips nothing or all: such a step is the caller's to skip.
std::array<float, ops::kStepScalars> step_scalars(const ops::AdamSettings& settings,
                                                  const StepInputs& inputs);

}  // namespace bertha::optim
