#pragma once

// Activations of a vector. As vector_math.h, for files built for one instruction set only.

#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

struct Identity {
  static Floats of(Floats x) { return x; }
};
struct Relu {
  static Floats of(Floats x) {
    // max gives its second operand where the first is NaN.
    return max(Floats::all(0.0F), x);
  }
};
struct Tanh {
  static Floats of(Floats x) { return tanh(x); }
};
struct Silu {
  static Floats of(Floats x) { return x / (Floats::all(1.0F) + exp(Floats::all(0.0F) - x)); }
};
struct GeluTanh {
  static Floats of(Floats x) {
    const Floats cube = x * x * x;
    const Floats inner = Floats::all(0.7978845608F) * fma(Floats::all(0.044715F), cube, x);
    return x * fma(Floats::all(0.5F), tanh(inner), Floats::all(0.5F));
  }
};
/// x Φ(x).
struct GeluExact {
  static Floats of(Floats x) { return x * normal(x).cdf; }
};

}  // namespace
}  // namespace bertha::ops
