#pragma once

// The loops of optimizer_kernels.h, compiled once an instruction set. Products and sums are rounded
// one by one, as the reference and torch do.

#include "ops/cpu/lanes.h"
#include "ops/cpu/optimizer_kernels.h"

namespace bertha::ops {
namespace {

/// AdamFactors in every lane.
struct AdamLanes {
  explicit AdamLanes(const AdamFactors& f)
      : beta1(Lanes::all(f.beta1)),
        rest1(Lanes::all(f.rest1)),
        beta2(Lanes::all(f.beta2)),
        rest2(Lanes::all(f.rest2)),
        eps(Lanes::all(f.eps)),
        decay(Lanes::all(f.decay)),
        gradient_scale(Lanes::all(f.gradient_scale)),
        first_correction(Lanes::all(f.first_correction)),
        second_correction(Lanes::all(f.second_correction)) {}

  Lanes beta1, rest1, beta2, rest2, eps, decay, gradient_scale, first_correction, second_correction;
};

/// Writes the moments of sixteen elements and returns m c1 / (√(v c2) + eps) + decay w. Lanes that
/// are not loaded are 0, and so is their result but for eps = 0.
template <typename Width>
Lanes adam_update(const AdamRun& run, const AdamLanes& f, const Lanes& weights, int64_t i,
                  Width lanes) {
  const Lanes g = Lanes::load(run.gradients + i, lanes) * f.gradient_scale;
  const Lanes m = Lanes::load(run.exp_avg + i, lanes) * f.beta1 + g * f.rest1;
  const Lanes v = Lanes::load(run.exp_avg_sq + i, lanes) * f.beta2 + g * g * f.rest2;
  m.store(run.exp_avg + i, lanes);
  v.store(run.exp_avg_sq + i, lanes);
  const Lanes u = m * f.first_correction / (sqrt(v * f.second_correction) + f.eps);
  return only(u + weights * f.decay, lanes);
}

template <typename Width>
void store_weights(const AdamRun& run, const Lanes& weights, int64_t i, Width lanes) {
  weights.store(run.weights + i, lanes);
  if (run.bf16_weights != nullptr) weights.store(run.bf16_weights + i, lanes);
}

double sum_squares(const float* values, int64_t size) {
  SquareSums squares;
  for_lanes(size, [&](int64_t i, auto lanes) { squares.add(Lanes::load(values + i, lanes)); });
  return sum(squares);
}

void scale(float* values, float factor, int64_t size) {
  const Lanes by = Lanes::all(factor);
  for_lanes(size, [&](int64_t i, auto lanes) {
    (Lanes::load(values + i, lanes) * by).store(values + i, lanes);
  });
}

SquaredNorms lamb_update(const AdamRun& run, const AdamFactors& factors) {
  const AdamLanes f(factors);
  SquareSums weight_squares;
  SquareSums update_squares;
  for_lanes(run.size, [&](int64_t i, auto lanes) {
    const Lanes weights = Lanes::load(run.weights + i, lanes);
    const Lanes u = adam_update(run, f, weights, i, lanes);
    u.store(run.gradients + i, lanes);
    weight_squares.add(weights);
    update_squares.add(u);
  });
  return {.weights = sum(weight_squares), .update = sum(update_squares)};
}

void lamb_apply(const AdamRun& run, float step) {
  const Lanes by = Lanes::all(step);
  for_lanes(run.size, [&](int64_t i, auto lanes) {
    const Lanes u = Lanes::load(run.gradients + i, lanes);
    store_weights(run, Lanes::load(run.weights + i, lanes) - u * by, i, lanes);
  });
}

void adamw(const AdamRun& run, const AdamFactors& factors) {
  const AdamLanes f(factors);
  const Lanes rate = Lanes::all(factors.rate);
  for_lanes(run.size, [&](int64_t i, auto lanes) {
    const Lanes weights = Lanes::load(run.weights + i, lanes);
    const Lanes u = adam_update(run, f, weights, i, lanes);
    store_weights(run, weights - u * rate, i, lanes);
  });
}

template <typename From, typename To>
void copy(const From* from, To* to, int64_t size) {
  for_lanes(size,
            [&](int64_t i, auto lanes) { Lanes::load(from + i, lanes).store(to + i, lanes); });
}

constexpr OptimizerKernels optimizer_kernel_table() {
  return {.sum_squares = sum_squares,
          .scale = scale,
          .lamb_update = lamb_update,
          .lamb_apply = lamb_apply,
          .adamw = adamw,
          .narrow = copy<float, uint16_t>,
          .widen = copy<uint16_t, float>};
}

}  // namespace
}  // namespace bertha::ops
