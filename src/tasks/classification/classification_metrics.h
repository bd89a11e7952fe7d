#pragma once

// The metrics of the GLUE benchmark (Wang et al. 2019).

#include <cstdint>
#include <span>

namespace bertha::tasks {

struct ClassificationScores {
  double accuracy = 0;
  double f1 = 0;        ///< two classes: F1 of class 1; more classes: mean over classes
  double matthews = 0;  ///< correlation, for any number of classes (Gorodkin 2004)
};

/// Scores classes from 0 to classes - 1. `predicted` and `truth` have the same size, at least 1. A
/// quotient 0/0 counts as 0, as in scikit-learn.
ClassificationScores score_classes(std::span<const int32_t> predicted,
                                   std::span<const int32_t> truth, int64_t classes);

/// Pearson's correlation, or 0 if one side is constant.
double pearson(std::span<const double> a, std::span<const double> b);

/// Spearman's correlation: Pearson's of the ranks, where equal values share their mean rank. 0 if
/// one side is constant.
double spearman(std::span<const double> a, std::span<const double> b);

double mean_squared_error(std::span<const double> a, std::span<const double> b);

}  // namespace bertha::tasks
