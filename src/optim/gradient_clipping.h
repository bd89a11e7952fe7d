#pragma once

// Gradient clipping by the global norm: when it happens, and by which factor. Its ops are
// ops::GlobalNorm, ops::ClipNorm and ops::ClipNormEach (ops/optimizer_steps.h).

#include <cstdint>

namespace bertha::optim {

/// When gradients are clipped by their global norm.
enum class GradientClipping : uint8_t {
  /// update() divides them by norm / max_gradient_norm where the norm is larger (NVLAMB). With
  /// ZeRO-1 update() needs only this rank's partition of the summed gradients.
  kInUpdate,
  /// clip_gradients() scales the buffer (torch's clip_grad_norm_, op ClipNorm) whenever the caller
  /// asks, as run_squad.py does after every micro-batch. All ranks hold the whole summed gradients.
  kInPlace,
};

/// The factor of kInUpdate: max_norm / norm where the norm is larger, else 1. A max_norm of 0 means
/// no clipping.
double update_clip_factor(double norm, double max_norm);

}  // namespace bertha::optim
