#include "tasks/classification/classification_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace bertha::tasks {
namespace {

double quotient(double a, double b) {
  return b == 0 ? 0 : a / b;
}

/// How often each class was predicted, was true, and both.
struct Counts {
  std::vector<double> predicted, truth, both;
};

double f1_of(const Counts& counts, size_t c) {
  return quotient(2 * counts.both[c], counts.predicted[c] + counts.truth[c]);
}

}  // namespace

ClassificationScores score_classes(std::span<const int32_t> predicted,
                                   std::span<const int32_t> truth, int64_t classes) {
  BERTHA_CHECK(predicted.size() == truth.size() && !truth.empty() && classes >= 1);
  const auto size = static_cast<size_t>(classes);
  Counts counts{std::vector<double>(size), std::vector<double>(size), std::vector<double>(size)};
  double right = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const auto p = static_cast<size_t>(predicted[i]);
    const auto t = static_cast<size_t>(truth[i]);
    BERTHA_CHECK(p < size && t < size, "class {} or {} of {}", p, t, size);
    counts.predicted[p] += 1;
    counts.truth[t] += 1;
    if (p != t) continue;
    counts.both[p] += 1;
    right += 1;
  }
  const auto total = static_cast<double>(truth.size());
  double cross = 0;
  double predicted_squares = 0;
  double truth_squares = 0;
  double f1_sum = 0;
  for (size_t c = 0; c < size; ++c) {
    cross += counts.predicted[c] * counts.truth[c];
    predicted_squares += counts.predicted[c] * counts.predicted[c];
    truth_squares += counts.truth[c] * counts.truth[c];
    f1_sum += f1_of(counts, c);
  }
  const double spread =
      std::sqrt((total * total - predicted_squares) * (total * total - truth_squares));
  return {.accuracy = right / total,
          .f1 = classes == 2 ? f1_of(counts, 1) : f1_sum / static_cast<double>(classes),
          .matthews = quotient(right * total - cross, spread)};
}

double pearson(std::span<const double> a, std::span<const double> b) {
  BERTHA_CHECK(a.size() == b.size() && !a.empty());
  double mean_a = 0;
  double mean_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / static_cast<double>(a.size());
    mean_b += b[i] / static_cast<double>(b.size());
  }
  double cross = 0;
  double squares_a = 0;
  double squares_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    cross += (a[i] - mean_a) * (b[i] - mean_b);
    squares_a += (a[i] - mean_a) * (a[i] - mean_a);
    squares_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return quotient(cross, std::sqrt(squares_a * squares_b));
}

namespace {

std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double shared = (static_cast<double>(begin) + static_cast<double>(end - 1)) / 2;
    for (; begin < end; ++begin) ranks[order[begin]] = shared;
  }
  return ranks;
}

}  // namespace

double spearman(std::span<const double> a, std::span<const double> b) {
  BERTHA_CHECK(a.size() == b.size() && !a.empty());
  return pearson(ranks(a), ranks(b));
}

double mean_squared_error(std::span<const double> a, std::span<const double> b) {
  BERTHA_CHECK(a.size() == b.size() && !a.empty());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

}  // namespace bertha::tasks
