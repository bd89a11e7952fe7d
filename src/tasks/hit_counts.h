#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace bertha::tasks {

/// How often a class, or spans of one type, are true, predicted, and both. A quotient 0/0 counts as
/// 0, as in scikit-learn and seqeval.
struct HitCounts {
  std::string name{};
  int64_t truth = 0;
  int64_t predicted = 0;
  int64_t right = 0;  ///< true and predicted

  double precision() const;
  double recall() const;
  double f1() const;
  void add(const HitCounts& other);
};

/// The mean of the F1 of all.
double macro_f1(std::span<const HitCounts> counts);

}  // namespace bertha::tasks
