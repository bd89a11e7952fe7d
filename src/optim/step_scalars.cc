#include "optim/step_scalars.h"

#include <cmath>

#include "core/error.h"
#include "optim/gradient_clipping.h"

namespace bertha::optim {
namespace {

double correction(double beta, int64_t step) {
  return 1 / (1 - std::pow(beta, static_cast<double>(step)));
}

}  // namespace

std::array<float, ops::kStepScalars> step_scalars(const ops::AdamSettings& settings,
                                                  const StepInputs& inputs) {
  BERTHA_CHECK(inputs.step >= 1 && inputs.loss_scale > 0, "step {}, loss scale {}", inputs.step,
               inputs.loss_scale);
  const double norm = inputs.gradient_norm / inputs.loss_scale;
  const double scale = update_clip_factor(norm, inputs.max_norm) / inputs.loss_scale;
  const bool corrects = inputs.bias_correction;
  std::array<float, ops::kStepScalars> scalars{};
  scalars[ops::kRate] = static_cast<float>(inputs.rate);
  scalars[ops::kGradientScale] = static_cast<float>(scale);
  scalars[ops::kFirstCorrection] =
      corrects ? static_cast<float>(correction(settings.beta1, inputs.step)) : 1;
  scalars[ops::kSecondCorrection] =
      corrects ? static_cast<float>(correction(settings.beta2, inputs.step)) : 1;
  return scalars;
}

}  // namespace bertha::optim
