#include "runlog/thinned_curve.h"

#include <algorithm>
#include <cmath>

namespace bertha::runlog {
namespace {

/// A point that stands for the steps of both. A loss that is not finite counts as no step, unless
/// the other is not finite either.
LossPoint joined(const LossPoint& a, const LossPoint& b) {
  if (!std::isfinite(b.loss)) return a;
  if (!std::isfinite(a.loss)) return b;
  const double steps = a.steps + b.steps;
  return {.step = (a.step * a.steps + b.step * b.steps) / steps,
          .loss = (a.loss * a.steps + b.loss * b.steps) / steps,
          .least = std::min(a.least, b.least),
          .greatest = std::max(a.greatest, b.greatest),
          .steps = steps};
}

}  // namespace

void ThinnedCurve::add(double step, double loss) {
  if (!points_.empty() && in_last_ < width_) {
    points_.back() = joined(points_.back(), {step, loss});
    ++in_last_;
    return;
  }
  if (points_.size() == kMostPoints) join_neighbours();
  points_.push_back({step, loss});
  in_last_ = 1;
}

void ThinnedCurve::join_neighbours() {
  for (size_t i = 0; i < kMostPoints / 2; ++i) {
    points_[i] = joined(points_[2 * i], points_[2 * i + 1]);
  }
  points_.resize(kMostPoints / 2);
  width_ *= 2;
}

}  // namespace bertha::runlog
