#include "runlog/thinned_curve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "runlog/pretraining_record.h"

namespace bertha::runlog {
namespace {

TEST(ThinnedCurve, AShortCurveKeepsEachPoint) {
  ThinnedCurve curve;
  for (size_t i = 0; i < ThinnedCurve::kMostPoints; ++i) {
    curve.add(static_cast<double>(i), 1.0 / static_cast<double>(i + 1));
  }
  ASSERT_EQ(curve.points().size(), ThinnedCurve::kMostPoints);
  for (size_t i = 0; i < ThinnedCurve::kMostPoints; ++i) {
    EXPECT_EQ(curve.points()[i].step, static_cast<double>(i));
    EXPECT_EQ(curve.points()[i].loss, 1.0 / static_cast<double>(i + 1));
    EXPECT_EQ(curve.points()[i].steps, 1);
  }
}

TEST(ThinnedCurve, AMillionStepsKeepTheirMeanAndTheirExtremes) {
  constexpr int64_t kSteps = 1000003;
  ThinnedCurve curve;
  for (int64_t step = 1; step <= kSteps; ++step) {
    const double outlier = step == 123456 ? 50 : step == 654321 ? -50 : 0;
    curve.add(static_cast<double>(step), 1.0 + static_cast<double>(step % 2) + outlier);
  }
  ASSERT_LE(curve.points().size(), ThinnedCurve::kMostPoints);
  EXPECT_GT(curve.points().size(), ThinnedCurve::kMostPoints / 4);
  double steps = 0;
  double losses = 0;
  LossPoint extremes = curve.points().front();
  double before = 0;
  for (const LossPoint& point : curve.points()) {
    EXPECT_GT(point.step, before);
    before = point.step;
    steps += point.steps;
    losses += point.loss * point.steps;
    extremes.least = std::min(extremes.least, point.least);
    extremes.greatest = std::max(extremes.greatest, point.greatest);
  }
  EXPECT_EQ(steps, kSteps);
  EXPECT_NEAR(losses / steps, 1.5, 1e-5);
  EXPECT_EQ(extremes.greatest, 51);
  EXPECT_EQ(extremes.least, -48);
}

// One loss that is not finite does not blank the steps beside it; a stretch of them is a gap.
TEST(ThinnedCurve, LossesThatAreNotFiniteLeaveAGapWhereThereIsNoOther) {
  ThinnedCurve curve;
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  for (int64_t step = 0; step < 4 * int64_t{ThinnedCurve::kMostPoints}; ++step) {
    const bool gap = step == 5 || (step >= 8000 && step < 8100);
    curve.add(static_cast<double>(step), gap ? nan : 2);
  }
  bool in_gap = false;
  for (const LossPoint& point : curve.points()) {
    if (point.step >= 8000 && point.step < 8100) {
      EXPECT_TRUE(std::isnan(point.loss)) << point.step;
      in_gap = true;
    } else {
      EXPECT_EQ(point.loss, 2) << point.step;
      EXPECT_EQ(point.greatest, 2) << point.step;
    }
  }
  EXPECT_TRUE(in_gap);
}

TEST(PretrainingCurves, OfALongRunThePictureIsBoundedAndEachEvaluationIsThere) {
  PretrainingCurves curves;
  for (int64_t step = 1; step <= 200000; ++step) {
    curves.add({.phase = step <= 150000 ? 1 : 2, .step = step, .masked = 5, .next_sentence = 0.5});
    if (step % 50000 == 0) curves.add({.step = step, .held_out = true, .masked = 4});
  }
  const LossPlot plot = curves.plot();
  ASSERT_EQ(plot.curves.size(), 3U);
  EXPECT_LE(plot.curves[0].points.size(), ThinnedCurve::kMostPoints);
  EXPECT_LE(plot.curves[1].points.size(), ThinnedCurve::kMostPoints);
  EXPECT_EQ(plot.curves[2].points.size(), 4U);
  ASSERT_EQ(plot.phases.size(), 2U);
  EXPECT_EQ(plot.phases[0].end_step, 150000);
  EXPECT_EQ(plot.phases[1].end_step, 200000);
  EXPECT_EQ(curves.evaluations().rows.size(), 4U);
}

}  // namespace
}  // namespace bertha::runlog
