#pragma once

// What the GLUE benchmark (Wang et al. 2019) measures.

#include <cstdint>
#include <span>

namespace bertha::tasks {

struct ClassificationScores {
  double accuracy = 0;
  double f1 = 0;        ///< two classes: of class 1; more: mean over classes
  double matthews = 0;  ///< correlation, for any number of classes (Gorodkin 2004)
};

/// Classes from 0 to classes - 1, as many predicted as true; at least one. A quotient of 0 by 0
/// counts as 0, as in scikit-learn.
ClassificationScores score_classes(std::span<const int32_t> predicted,
                                   std::span<const int32_t> truth, int64_t classes);

/// Pearson's correlation; 0 where one side does not vary.
double pearson(std::span<const double> a, std::span<const double> b);

}  // namespace bertha::tasks
