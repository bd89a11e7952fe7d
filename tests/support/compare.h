#pragma once

// Comparison of tensors. relative_error is the norm of the error divided by the norm of the
// reference: one wrong sign, one NaN or two swapped rows change it clearly, and it tolerates single
// elements that cancel almost to zero. Use expect_each_close where every element matters.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

#include "core/dtype.h"

namespace bertha::test {

/// ‖actual − expected‖ / ‖expected‖ in double, or infinity when the sizes differ or a value is not
/// finite. If ‖expected‖ is 0, returns the absolute norm of the error.
template <typename A, typename E>
double relative_error(std::span<const A> actual, std::span<const E> expected) {
  if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = static_cast<double>(static_cast<float>(actual[i]));
    const auto e = static_cast<double>(expected[i]);
    error += (a - e) * (a - e);
    norm += e * e;
  }
  if (!std::isfinite(error) || !std::isfinite(norm)) return std::numeric_limits<double>::infinity();
  return norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
}

/// Relative tolerance of an op whose result sums `terms` products of `dtype`: rounding errors of
/// independent sign grow as the square root of their number.
inline double tolerance(DType dtype, double terms = 1) {
  const double epsilon = dtype == DType::kBF16 ? 0x1p-8 : 0x1p-23;
  return dtype == DType::kBF16 ? 2 * epsilon : epsilon * (4 + std::sqrt(terms));
}

template <typename A, typename E>
void expect_close(const A& actual, const E& expected, double limit, const std::string& what) {
  const double error = relative_error(std::span<const typename A::value_type>(actual),
                                      std::span<const typename E::value_type>(expected));
  EXPECT_LE(error, limit) << what << ": relative error of " << actual.size() << " elements";
}

/// Checks that every |actual − expected| is at most absolute + relative · |expected|.
template <typename A, typename E>
void expect_each_close(const A& actual, const E& expected, double absolute, double relative,
                       const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = static_cast<double>(static_cast<float>(actual[i]));
    const auto e = static_cast<double>(expected[i]);
    ASSERT_TRUE(std::abs(a - e) <= absolute + relative * std::abs(e))
        << what << "[" << i << "]: " << a << ", expected " << e;
  }
}

}  // namespace bertha::test
