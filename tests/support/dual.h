#pragma once

// Dual numbers in double: f(x + ε) = f(x) + f'(x) ε gives a derivative without a step size. The
// reference templates of ops accept float, double or Dual. A backward pass is checked by setting
// the derivative of one input at a time.

#include <cmath>

namespace bertha::test {

struct Dual {
  double value = 0;
  double derivative = 0;

  Dual() = default;
  Dual(double v, double d = 0) : value(v), derivative(d) {}  // NOLINT: constants convert to duals

  Dual& operator+=(const Dual& o) { return *this = *this + o; }
  Dual& operator-=(const Dual& o) { return *this = *this - o; }
  Dual& operator*=(const Dual& o) { return *this = *this * o; }
  Dual& operator/=(const Dual& o) { return *this = *this / o; }

  friend Dual operator-(const Dual& a) { return {-a.value, -a.derivative}; }
  friend Dual operator+(const Dual& a, const Dual& b) {
    return {a.value + b.value, a.derivative + b.derivative};
  }
  friend Dual operator-(const Dual& a, const Dual& b) {
    return {a.value - b.value, a.derivative - b.derivative};
  }
  friend Dual operator*(const Dual& a, const Dual& b) {
    return {a.value * b.value, a.derivative * b.value + a.value * b.derivative};
  }
  friend Dual operator/(const Dual& a, const Dual& b) {
    const double q = a.value / b.value;
    return {q, (a.derivative - q * b.derivative) / b.value};
  }
  friend bool operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
  friend bool operator>(const Dual& a, const Dual& b) { return a.value > b.value; }
  friend bool operator==(const Dual& a, const Dual& b) { return a.value == b.value; }
};

inline Dual exp(const Dual& x) {
  const double e = std::exp(x.value);
  return {e, e * x.derivative};
}
inline Dual log(const Dual& x) {
  return {std::log(x.value), x.derivative / x.value};
}
inline Dual sqrt(const Dual& x) {
  const double s = std::sqrt(x.value);
  return {s, x.derivative / (2 * s)};
}
inline Dual tanh(const Dual& x) {
  const double t = std::tanh(x.value);
  return {t, (1 - t * t) * x.derivative};
}
inline Dual erf(const Dual& x) {
  constexpr double kTwoOverRootPi = 1.1283791670955126;
  return {std::erf(x.value), kTwoOverRootPi * std::exp(-x.value * x.value) * x.derivative};
}

}  // namespace bertha::test
