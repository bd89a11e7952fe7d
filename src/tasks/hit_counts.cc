#include "tasks/hit_counts.h"

namespace bertha::tasks {
namespace {

double quotient(int64_t a, int64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

}  // namespace

double HitCounts::precision() const {
  return quotient(right, predicted);
}

double HitCounts::recall() const {
  return quotient(right, truth);
}

double HitCounts::f1() const {
  return quotient(2 * right, truth + predicted);
}

void HitCounts::add(const HitCounts& other) {
  truth += other.truth;
  predicted += other.predicted;
  right += other.right;
}

double macro_f1(std::span<const HitCounts> counts) {
  double sum = 0;
  for (const HitCounts& one : counts) sum += one.f1();
  return counts.empty() ? 0 : sum / static_cast<double>(counts.size());
}

}  // namespace bertha::tasks
