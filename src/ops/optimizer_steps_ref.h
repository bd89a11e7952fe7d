#pragma once

// LAMB and AdamW for one parameter as optimizer_steps.h writes them, for float or double.

#include <cmath>
#include <cstddef>
#include <vector>

#include "ops/optimizer_steps.h"

namespace bertha::ops::reference {

template <typename S>
struct AdamState {
  std::vector<S> weights, gradients, exp_avg, exp_avg_sq;
};

/// The scalars of StepScalar.
template <typename S>
struct StepScalars {
  S rate = 0, gradient_scale = 1, first_correction = 1, second_correction = 1;
};

/// Writes the moments and returns u.
template <typename S>
std::vector<S> adam_update(AdamState<S>& state, const AdamSettings& settings, bool decay,
                           const StepScalars<S>& step) {
  std::vector<S> update(state.weights.size());
  for (size_t i = 0; i < update.size(); ++i) {
    const S g = state.gradients[i] * step.gradient_scale;
    S& m = state.exp_avg[i];
    S& v = state.exp_avg_sq[i];
    m = m * static_cast<S>(settings.beta1) + g * static_cast<S>(1 - settings.beta1);
    v = v * static_cast<S>(settings.beta2) + g * g * static_cast<S>(1 - settings.beta2);
    update[i] = m * step.first_correction /
                (std::sqrt(v * step.second_correction) + static_cast<S>(settings.eps));
    if (decay) update[i] += state.weights[i] * static_cast<S>(settings.weight_decay);
  }
  return update;
}

template <typename S>
double norm(const std::vector<S>& values) {
  double squares = 0;
  for (const S value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

/// One LAMB step; returns the trust ratio.
template <typename S>
S lamb(AdamState<S>& state, const AdamSettings& settings, bool decay, const StepScalars<S>& step) {
  const std::vector<S> update = adam_update(state, settings, decay, step);
  const double weight_norm = norm(state.weights);
  const double update_norm = norm(update);
  S ratio = 1;
  if (decay && settings.weight_decay != 0 && weight_norm > 0 && update_norm > 0) {
    ratio = static_cast<S>(weight_norm / update_norm);
  }
  for (size_t i = 0; i < update.size(); ++i) state.weights[i] -= update[i] * (step.rate * ratio);
  return ratio;
}

template <typename S>
void adamw(AdamState<S>& state, const AdamSettings& settings, bool decay,
           const StepScalars<S>& step) {
  const std::vector<S> update = adam_update(state, settings, decay, step);
  for (size_t i = 0; i < update.size(); ++i) state.weights[i] -= update[i] * step.rate;
}

}  // namespace bertha::ops::reference
