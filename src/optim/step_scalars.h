#pragma once

// The device scalars that change from step to step. The host computes them between two segments.

#include <array>
#include <cstdint>

#include "ops/optimizer_steps.h"

namespace bertha::optim {

struct StepInputs {
  int64_t step = 1;          ///< t, the number of this update, from 1
  double rate = 0;           ///< learning_rate()
  double gradient_norm = 0;  ///< of the buffer, which holds gradients times loss_scale
  double max_norm = 1;       ///< of the gradients without loss_scale; 0: no clipping
  double loss_scale = 1;     ///< factor of the loss, and so of the gradients in the buffer
  bool bias_correction = true;
};

/// The f32 [4] scalars of lamb and adamw, indexed by StepScalar, computed in double. The caller
/// must skip a step whose norm is not finite.
std::array<float, ops::kStepScalars> step_scalars(const ops::AdamSettings& settings,
                                                  const StepInputs& inputs);

}  // namespace bertha::optim
