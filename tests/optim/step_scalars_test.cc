#include "optim/step_scalars.h"

#include <gtest/gtest.h>

#include <array>

#include "core/error.h"

namespace bertha::optim {
namespace {

std::array<float, ops::kStepScalars> scalars_of(const StepInputs& inputs) {
  return step_scalars(ops::AdamSettings{}, inputs);
}

float gradient_scale(const StepInputs& inputs) {
  return scalars_of(inputs)[ops::kGradientScale];
}

TEST(StepScalars, BiasCorrectionsEqualPython) {
  // 1 / (1 - beta ** t) printed by CPython for beta 0.9 and 0.999.
  struct Expected {
    int64_t step;
    double first, second;
  };
  for (const Expected& e : {Expected{1, 0x1.4000000000001p+3, 0x1.f3ffffffffff8p+9},
                            Expected{2, 0x1.50d79435e50d9p+2, 0x1.f44008323382cp+8},
                            Expected{10, 0x1.890c09af90d23p+0, 0x1.91cda52d38693p+6},
                            Expected{7038, 1, 0x1.0039617838913p+0}}) {
    const auto scalars = scalars_of({.step = e.step, .rate = 0.006});
    EXPECT_EQ(scalars[ops::kRate], 0.006F);
    EXPECT_EQ(scalars[ops::kFirstCorrection], static_cast<float>(e.first));
    EXPECT_EQ(scalars[ops::kSecondCorrection], static_cast<float>(e.second));
  }
  const auto uncorrected = scalars_of({.step = 1, .bias_correction = false});
  EXPECT_EQ(uncorrected[ops::kFirstCorrection], 1);
  EXPECT_EQ(uncorrected[ops::kSecondCorrection], 1);
}

TEST(StepScalars, NormAboveTheLimitIsDividedOut) {
  EXPECT_EQ(gradient_scale({.gradient_norm = 4}), 0.25F);
  EXPECT_EQ(gradient_scale({.gradient_norm = 1}), 1);
  EXPECT_EQ(gradient_scale({.gradient_norm = 0.5}), 1);
  EXPECT_EQ(gradient_scale({.gradient_norm = 0}), 1);
  EXPECT_EQ(gradient_scale({.gradient_norm = 4, .max_norm = 2}), 0.5F);
  EXPECT_EQ(gradient_scale({.gradient_norm = 4, .max_norm = 0}), 1) << "no clipping";
}

TEST(StepScalars, LossScaleIsDividedOut) {
  // The buffer's norm of 4096 is a gradient norm of 4: clipped to 1, and divided by the scale.
  EXPECT_EQ(gradient_scale({.gradient_norm = 4096, .loss_scale = 1024}), 0.25F / 1024);
  EXPECT_EQ(gradient_scale({.gradient_norm = 512, .loss_scale = 1024}), 1.0F / 1024);
  EXPECT_THROW(scalars_of({.loss_scale = 0}), LogicError);
  EXPECT_THROW(scalars_of({.step = 0}), LogicError);
}

}  // namespace
}  // namespace bertha::optim
