#include "dataset/packing/nnls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"

// The matrix has one column per strategy: 22,102 for rows of 512 tokens and three slots, 24 million
// for five slots. It is never stored. The gradient of a column is a sum of prices, one per slot, so
// dynamic programming over the row's length finds the column with the largest gradient. Only the
// chosen columns (at most one per length) are kept, with the Cholesky factor of their normal
// equations.

namespace bertha::dataset {
namespace {

/// Gradients below this fraction of the first gradient are rounding errors.
constexpr double kGradientTolerance = 1e-10;
/// A column depends on the others if its part outside their span is smaller than this.
constexpr double kIndependence = 1e-6;
constexpr int64_t kStepsPerLength = 20;

/// Finds the strategy with the largest sum of prices.
class BestStrategy {
 public:
  BestStrategy(int64_t row_length, int64_t most_slots)
      : row_length_(static_cast<size_t>(row_length)),
        sums_(static_cast<size_t>(most_slots), std::vector<double>(row_length_ + 1)) {}

  /// `prices[l]` is the price of length l, for l in [1, row_length].
  std::pair<Strategy, double> find(const std::vector<double>& prices) {
    sums_[0] = prices;
    for (size_t slots = 1; slots + 1 < sums_.size(); ++slots) add_slot(prices, slots);
    if (sums_.size() > 1) {  // the last slot count needs only the total of a whole row
      const std::vector<double>& fewer = sums_[sums_.size() - 2];
      double& most = sums_.back()[row_length_];
      most = fewer[row_length_];
      for (size_t length = 1; length < row_length_; ++length) {
        most = std::max(most, prices[length] + fewer[row_length_ - length]);
      }
    }
    return {trace(prices), sums_.back()[row_length_]};
  }

 private:
  /// The best sums with one more slot than sums_[slots - 1], for all totals.
  void add_slot(const std::vector<double>& prices, size_t slots) {
    const std::vector<double>& fewer = sums_[slots - 1];
    std::vector<double>& sums = sums_[slots];
    sums = fewer;
    for (size_t length = 1; length < row_length_; ++length) {
      const double price = prices[length];
      const size_t first = slots == 1 ? length : 1;  // with two slots, either may be the longer one
      for (size_t rest = first; rest + length <= row_length_; ++rest) {
        const double sum = price + fewer[rest];
        sums[rest + length] = sum > sums[rest + length] ? sum : sums[rest + length];
      }
    }
  }

  /// The slots of the best sum. Repeating the same additions gives equal doubles.
  Strategy trace(const std::vector<double>& prices) const {
    Strategy slots;
    size_t left = row_length_;
    for (size_t level = sums_.size() - 1; level > 0; --level) {
      const double wanted = sums_[level][left];
      if (sums_[level - 1][left] == wanted) continue;
      size_t length = 1;
      while (prices[length] + sums_[level - 1][left - length] != wanted) ++length;
      slots.push_back(static_cast<int32_t>(length));
      left -= length;
    }
    slots.push_back(static_cast<int32_t>(left));
    std::ranges::sort(slots);
    return slots;
  }

  size_t row_length_;
  std::vector<std::vector<double>> sums_;  ///< [at most slots − 1][total length]
};

/// The active columns, and the upper triangular R with RᵀR = AᵀWA over them.
class Factor {
 public:
  explicit Factor(std::span<const double> weights) : weights_(weights) {}

  size_t size() const { return columns_.size(); }
  const Strategy& operator[](size_t i) const { return columns_[i]; }

  /// Returns false and changes nothing when the column depends on the active columns.
  bool append(const Strategy& column) {
    std::vector<double> products;
    for (const Strategy& other : columns_) products.push_back(product(other, column));
    const double norm = product(column, column);
    solve_transposed(products);
    double rest = norm;
    for (const double value : products) rest -= value * value;
    if (!(rest > norm * kIndependence * kIndependence)) return false;
    products.push_back(std::sqrt(rest));
    triangle_.push_back(std::move(products));
    columns_.push_back(column);
    return true;
  }

  /// Removes column `at`; Givens rotations make the factor triangular again.
  void remove(size_t at) {
    columns_.erase(columns_.begin() + static_cast<std::ptrdiff_t>(at));
    triangle_.erase(triangle_.begin() + static_cast<std::ptrdiff_t>(at));
    for (size_t row = at; row < size(); ++row) {
      const double top = triangle_[row][row];
      const double bottom = triangle_[row][row + 1];
      const double norm = std::hypot(top, bottom);
      for (size_t j = row; j < size(); ++j) {
        const double a = triangle_[j][row];
        const double b = triangle_[j][row + 1];
        triangle_[j][row] = (top * a + bottom * b) / norm;
        triangle_[j][row + 1] = (top * b - bottom * a) / norm;
      }
      triangle_[row].pop_back();
    }
  }

  /// AᵀW · `values`, indexed by length.
  std::vector<double> gradient(const std::vector<double>& values) const {
    std::vector<double> result;
    for (const Strategy& column : columns_) {
      double sum = 0;
      for (const int32_t slot : column) {
        sum += weights_[static_cast<size_t>(slot)] * values[static_cast<size_t>(slot)];
      }
      result.push_back(sum);
    }
    return result;
  }

  /// Solves RᵀR z = `values` in place.
  void solve(std::vector<double>& values) const {
    solve_transposed(values);
    for (size_t j = size(); j-- > 0;) {
      const std::vector<double>& column = triangle_[j];
      values[j] /= column[j];
      const double value = values[j];
      for (size_t i = 0; i < j; ++i) values[i] -= column[i] * value;
    }
  }

 private:
  void solve_transposed(std::vector<double>& values) const {
    for (size_t j = 0; j < size(); ++j) {
      const std::vector<double>& column = triangle_[j];
      double even = 0;
      double odd = 0;
      size_t i = 0;
      for (; i + 1 < j; i += 2) {
        even += column[i] * values[i];
        odd += column[i + 1] * values[i + 1];
      }
      if (i < j) even += column[i] * values[i];
      values[j] = (values[j] - even - odd) / column[j];
    }
  }

  double product(const Strategy& a, const Strategy& b) const {
    double sum = 0;
    for (const int32_t p : a) {
      for (const int32_t q : b) sum += p == q ? weights_[static_cast<size_t>(p)] : 0;
    }
    return sum;
  }

  std::span<const double> weights_;
  std::vector<Strategy> columns_;
  std::vector<std::vector<double>> triangle_;  ///< column j has j + 1 entries
};

class MixtureSolver {
 public:
  MixtureSolver(std::span<const double> wanted, std::span<const double> weights, int64_t most_slots)
      : wanted_(wanted.begin(), wanted.end()),
        weights_(weights),
        best_(std::ssize(wanted) - 1, most_slots),
        used_(weights) {}

  std::vector<WeightedStrategy> solve() {
    double first = 0;
    const int64_t most_steps = kStepsPerLength * std::ssize(wanted_);
    for (int64_t step = 0; step < most_steps; ++step) {
      std::vector<double> prices = residual();
      for (size_t l = 0; l < prices.size(); ++l) prices[l] *= weights_[l];
      const auto [strategy, gradient] = best_.find(prices);
      if (step == 0) first = gradient;
      if (!(gradient > first * kGradientTolerance) || !used_.append(strategy)) break;
      rows_.push_back(0);
      if (!settle()) break;
    }
    std::vector<WeightedStrategy> mixture;
    for (size_t i = 0; i < rows_.size(); ++i) mixture.push_back({used_[i], rows_[i]});
    return mixture;
  }

 private:
  std::vector<double> residual() const {
    std::vector<double> left = wanted_;
    for (size_t i = 0; i < rows_.size(); ++i) {
      for (const int32_t slot : used_[i]) left[static_cast<size_t>(slot)] -= rows_[i];
    }
    return left;
  }

  /// The least squares solution over the active columns. A second solve for the residual corrects
  /// for the squared condition number of the normal equations (Björck, "Stability analysis of the
  /// method of seminormal equations", 1987).
  std::vector<double> unconstrained() const {
    std::vector<double> solution = used_.gradient(wanted_);
    used_.solve(solution);
    std::vector<double> left = wanted_;
    for (size_t i = 0; i < solution.size(); ++i) {
      for (const int32_t slot : used_[i]) left[static_cast<size_t>(slot)] -= solution[i];
    }
    std::vector<double> correction = used_.gradient(left);
    used_.solve(correction);
    for (size_t i = 0; i < solution.size(); ++i) solution[i] += correction[i];
    return solution;
  }

  /// Moves to the solution over the active columns and drops columns that would turn negative.
  /// Returns false when the newest column would turn negative: then no improvement is left.
  bool settle() {
    bool first = true;
    while (true) {
      const std::vector<double> goal = unconstrained();
      if (first && !(goal.back() > 0)) {
        drop(rows_.size() - 1);
        return false;
      }
      first = false;
      double share = 1;
      size_t blocking = goal.size();
      for (size_t i = 0; i < goal.size(); ++i) {
        if (goal[i] > 0 || rows_[i] / (rows_[i] - goal[i]) >= share) continue;
        share = rows_[i] / (rows_[i] - goal[i]);
        blocking = i;
      }
      for (size_t i = 0; i < goal.size(); ++i) rows_[i] += share * (goal[i] - rows_[i]);
      if (blocking == goal.size()) return true;
      rows_[blocking] = 0;
      for (size_t i = rows_.size(); i-- > 0;) {
        if (!(rows_[i] > 0)) drop(i);
      }
    }
  }

  void drop(size_t at) {
    used_.remove(at);
    rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  std::vector<double> wanted_;
  std::span<const double> weights_;
  BestStrategy best_;
  Factor used_;
  std::vector<double> rows_;
};

}  // namespace

std::vector<WeightedStrategy> solve_mixture(std::span<const double> wanted,
                                            std::span<const double> weights, int64_t most_slots) {
  BERTHA_CHECK(wanted.size() > 1 && weights.size() == wanted.size() && most_slots > 0);
  return MixtureSolver(wanted, weights, most_slots).solve();
}

}  // namespace bertha::dataset
