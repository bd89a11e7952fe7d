#pragma once

// A curve that gets a point a step over a run of any length, in memory that does not grow with it.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runlog/loss_plot.h"

namespace bertha::runlog {

class ThinnedCurve {
 public:
  /// More than a picture shows, so that the picture of a shorter run is drawn from all its points.
  static constexpr size_t kMostPoints = 4096;

  /// Adds a step after those before. When there would be more than kMostPoints points, each two
  /// neighbours become one first, and from then on a point stands for twice as many steps.
  void add(double step, double loss);
  /// At most kMostPoints, in ascending order of step.
  const std::vector<LossPoint>& points() const { return points_; }

 private:
  void join_neighbours();

  std::vector<LossPoint> points_;
  int64_t width_ = 1;    ///< steps that a point stands for
  int64_t in_last_ = 1;  ///< steps that were added to the last point
};

}  // namespace bertha::runlog
