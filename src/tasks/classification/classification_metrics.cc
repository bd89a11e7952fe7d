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

/// The counts of class `c` in a confusion matrix.
HitCounts counts_of(std::span<const int64_t> confusion, size_t c, size_t classes) {
  HitCounts counts;
  counts.right = confusion[c * classes + c];
  for (size_t other = 0; other < classes; ++other) {
    counts.truth += confusion[c * classes + other];
    counts.predicted += confusion[other * classes + c];
  }
  return counts;
}

/// Matthews correlation of `total` rows, from the counts of the classes.
double matthews(std::span<const HitCounts> classes, double total) {
  double right = 0;
  double cross = 0;
  double predicted_squares = 0;
  double truth_squares = 0;
  for (const HitCounts& counts : classes) {
    const auto predicted = static_cast<double>(counts.predicted);
    const auto truth = static_cast<double>(counts.truth);
    right += static_cast<double>(counts.right);
    cross += predicted * truth;
    predicted_squares += predicted * predicted;
    truth_squares += truth * truth;
  }
  const double spread =
      std::sqrt((total * total - predicted_squares) * (total * total - truth_squares));
  return quotient(right * total - cross, spread);
}

}  // namespace

ClassificationScores score_classes(std::span<const int32_t> predicted,
                                   std::span<const int32_t> truth, int64_t classes) {
  BERTHA_CHECK(predicted.size() == truth.size() && !truth.empty() && classes >= 1);
  const auto size = static_cast<size_t>(classes);
  ClassificationScores scores;
  scores.confusion.resize(size * size);
  for (size_t i = 0; i < truth.size(); ++i) {
    const auto p = static_cast<size_t>(predicted[i]);
    const auto t = static_cast<size_t>(truth[i]);
    BERTHA_CHECK(p < size && t < size, "class {} or {} of {}", p, t, size);
    ++scores.confusion[t * size + p];
  }
  std::vector<HitCounts> counts;
  HitCounts all;
  for (size_t c = 0; c < size; ++c) {
    counts.push_back(counts_of(scores.confusion, c, size));
    all.add(counts.back());
  }
  const auto total = static_cast<double>(truth.size());
  scores.accuracy = static_cast<double>(all.right) / total;
  scores.f1 = classes == 2 ? counts[1].f1() : macro_f1(counts);
  scores.matthews = matthews(counts, total);
  return scores;
}

LabelSetScores score_label_sets(std::span<const uint8_t> predicted, std::span<const uint8_t> truth,
                                int64_t labels) {
  const auto size = static_cast<size_t>(labels);
  BERTHA_CHECK(labels >= 1 && predicted.size() == truth.size() && !truth.empty() &&
               truth.size() % size == 0);
  LabelSetScores scores;
  scores.labels.resize(size);
  for (size_t i = 0; i < truth.size(); ++i) {
    HitCounts& counts = scores.labels[i % size];
    counts.truth += truth[i] != 0 ? 1 : 0;
    counts.predicted += predicted[i] != 0 ? 1 : 0;
    counts.right += truth[i] != 0 && predicted[i] != 0 ? 1 : 0;
  }
  for (const HitCounts& counts : scores.labels) scores.all.add(counts);
  double exact = 0;
  for (size_t row = 0; row < truth.size(); row += size) {
    const auto found = predicted.subspan(row, size);
    exact += std::equal(found.begin(), found.end(), truth.subspan(row, size).begin()) ? 1 : 0;
  }
  const size_t rows = truth.size() / size;
  scores.subset_accuracy = exact / static_cast<double>(rows);
  return scores;
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
