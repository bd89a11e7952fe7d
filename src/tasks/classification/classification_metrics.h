#pragma once

// The metrics of the GLUE benchmark (Wang et al. 2019), and those of several labels for a text.

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/hit_counts.h"

namespace bertha::tasks {

struct ClassificationScores {
  double accuracy = 0;
  double f1 = 0;                   ///< two classes: F1 of class 1; more classes: mean over classes
  double matthews = 0;             ///< correlation, for any number of classes (Gorodkin 2004)
  std::vector<int64_t> confusion;  ///< [true class, predicted class] numbers of rows
};

/// Scores classes from 0 to classes - 1. `predicted` and `truth` have the same size, at least 1. A
/// quotient 0/0 counts as 0, as in scikit-learn.
ClassificationScores score_classes(std::span<const int32_t> predicted,
                                   std::span<const int32_t> truth, int64_t classes);

struct LabelSetScores {
  std::vector<HitCounts> labels;  ///< of each label, without names
  HitCounts all;                  ///< over all labels (micro average)
  double subset_accuracy = 0;     ///< share of the rows whose labels are all right
};

/// Scores rows of several labels: [rows, labels] numbers that are not 0 where a label holds. There
/// is at least one row.
LabelSetScores score_label_sets(std::span<const uint8_t> predicted, std::span<const uint8_t> truth,
                                int64_t labels);

/// Pearson's correlation, or 0 if one side is constant.
double pearson(std::span<const double> a, std::span<const double> b);

/// Spearman's correlation: Pearson's of the ranks, where equal values share their mean rank. 0 if
/// one side is constant.
double spearman(std::span<const double> a, std::span<const double> b);

double mean_squared_error(std::span<const double> a, std::span<const double> b);

}  // namespace bertha::tasks
