#include <cmath>
#include <numbers>

#include "backend/gaudi/synapse_abi.h"
#include "core/error.h"
#include "ops/gaudi/column_sums_gaudi.h"
#include "ops/gaudi/gaudi_kernels.h"

namespace bertha::ops {
namespace {

namespace abi = gaudi::abi;

/// 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, of f32.
Value sigmoid(const NodeBuilder& nodes, const Value& x) {
  const Value half = nodes.constant(0.5F);
  return nodes.mult(nodes.add(nodes.tanh(nodes.mult(x, half)), nodes.constant(1)), half);
}

Value positive(const NodeBuilder& nodes, const Value& x) {
  return nodes.greater(x, nodes.constant(0));
}

/// exp(-x² / 2) and the normal distribution function, of f32.
struct Normal {
  Value bell;
  Value distribution;
};

/// exp(a) = s / (1 - s) with s the sigmoid of a. The distribution is (1 + erf(x / √2)) / 2, with
/// erf by formula 7.1.26 of Abramowitz and Stegun, which is off by up to 1.5e-7.
Normal normal_by_arithmetic(const NodeBuilder& nodes, const Value& x) {
  const Value one = nodes.constant(1);
  const Value half = nodes.constant(0.5F);
  const Value square = nodes.mult(x, x);
  const Value s = sigmoid(nodes, nodes.mult(square, nodes.constant(-0.5F)));
  const Value bell = nodes.div(s, nodes.sub(one, s));
  const Value size =
      nodes.mult(nodes.sqrt(square), nodes.constant(0.3275911F / std::numbers::sqrt2_v<float>));
  const Value t = nodes.div(one, nodes.add(one, size));
  Value sum = nodes.constant(1.061405429F);
  for (const float factor : {-1.453152027F, 1.421413741F, -0.284496736F, 0.254829592F}) {
    sum = nodes.add(nodes.mult(sum, t), nodes.constant(factor));
  }
  const Value tail = nodes.mult(nodes.mult(nodes.mult(sum, t), bell), half);
  return {.bell = bell,
          .distribution = nodes.where(positive(nodes, x), nodes.sub(one, tail), tail)};
}

struct Gelu {
  Value y;
  Value retained;  ///< what the kernel of the backward pass takes
};

Gelu gelu_by_kernel(const NodeBuilder& nodes, const Value& x) {
  const std::string name = fmt::format("gelu of {}", x.id);
  if (const Value retained = nodes.recorder().recall(name); !retained.empty()) {
    return {.y = nodes.recorder().recall(name + ", y"), .retained = retained};
  }
  const std::vector<Value> made = nodes.recorder().node(
      kernel_name("gelu_fwd", x.type), {x}, {{x.type, x.sizes}, {x.type, x.sizes}},
      abi::GeluParameters{.approximation = false});
  nodes.recorder().remember(name, made[1]);
  nodes.recorder().remember(name + ", y", made[0]);
  return {.y = made[0], .retained = made[1]};
}

Value gelu_by_arithmetic(const NodeBuilder& nodes, const Value& x) {
  const Value wide = nodes.f32(x);
  return nodes.mult(wide, normal_by_arithmetic(nodes, wide).distribution);
}

Value gelu(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& x) {
  const auto probe = [&](const auto& way) {
    return [&way, type = x.type](const NodeBuilder& on) {
      on.recorder().keep(way(on, probe_operand(on, "x", type, {128, 64})));
    };
  };
  const auto by_kernel = [](const NodeBuilder& on, const Value& of) {
    return gelu_by_kernel(on, of).y;
  };
  const int way = candidates.choose(
      fmt::format("GELU in {}", gaudi::suffix(x.type)),
      {{"gelu_fwd", probe(by_kernel)}, {"arithmetic", probe(gelu_by_arithmetic)}});
  return way == 0 ? by_kernel(nodes, x) : nodes.cast(gelu_by_arithmetic(nodes, x), x.type);
}

Value gelu_backward(const NodeBuilder& nodes, const Value& x, const Value& d) {
  return nodes.recorder()
      .node(kernel_name("gelu_bwd", x.type), {d, x, gelu_by_kernel(nodes, x).retained},
            {{x.type, x.sizes}})
      .front();
}

Value gelu_backward_complex(const NodeBuilder& nodes, const Value& x, const Value& d) {
  return nodes.recorder()
      .node(kernel_name("cgelu_bwd", x.type), {d, x}, {{x.type, x.sizes}},
            abi::GeluParameters{.approximation = false})
      .front();
}

/// d times the derivative Φ(x) + x exp(-x² / 2) / √(2π), of f32.
Value gelu_backward_by_arithmetic(const NodeBuilder& nodes, const Value& x, const Value& d) {
  const Normal normal = normal_by_arithmetic(nodes, x);
  const auto factor = static_cast<float>(1 / std::sqrt(2 * std::numbers::pi));
  const Value density = nodes.mult(normal.bell, nodes.constant(factor));
  return nodes.mult(d, nodes.add(normal.distribution, nodes.mult(x, density)));
}

/// The inner part of the tanh form: tanh(√(2/π) (x + 0.044715 x³)), of f32.
Value gelu_tanh(const NodeBuilder& nodes, const Value& x) {
  const Value cubic = nodes.mult(nodes.mult(nodes.mult(x, x), x), nodes.constant(0.044715F));
  const auto factor = static_cast<float>(std::sqrt(2 / std::numbers::pi));
  return nodes.tanh(nodes.mult(nodes.add(x, cubic), nodes.constant(factor)));
}

/// The activation of x. tanh is a kernel, and GELU if it can be; the others are composed in f32.
Value activate(const NodeBuilder& nodes, KernelCandidates& candidates, Activation activation,
               const Value& x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return gelu(nodes, candidates, x);
    case Activation::kTanh:
      return nodes.tanh(x);
    case Activation::kGeluTanh: {
      const Value wide = nodes.f32(x);
      const Value outer = nodes.add(gelu_tanh(nodes, wide), nodes.constant(1));
      return nodes.mult(nodes.mult(wide, nodes.constant(0.5F)), outer);
    }
    case Activation::kRelu: {
      const Value wide = nodes.f32(x);
      return nodes.where(positive(nodes, wide), wide, nodes.constant(0));
    }
    case Activation::kSilu: {
      const Value wide = nodes.f32(x);
      return nodes.mult(wide, sigmoid(nodes, wide));
    }
  }
  BERTHA_CHECK(false, "activation {}", static_cast<int>(activation));
}

/// d times the derivative of the tanh form of GELU: with t the inner tanh, (1 + t) / 2 +
/// x / 2 (1 - t²) √(2/π) (1 + 3 · 0.044715 x²).
Value gelu_tanh_backward(const NodeBuilder& nodes, const Value& x, const Value& d) {
  const auto factor = static_cast<float>(std::sqrt(2 / std::numbers::pi));
  const Value one = nodes.constant(1);
  const Value half = nodes.constant(0.5F);
  const Value t = gelu_tanh(nodes, x);
  const Value square = nodes.mult(nodes.mult(x, x), nodes.constant(3 * 0.044715F));
  const Value inner = nodes.mult(nodes.add(square, one), nodes.constant(factor));
  const Value steep =
      nodes.mult(nodes.mult(x, half), nodes.mult(inner, nodes.sub(one, nodes.mult(t, t))));
  return nodes.mult(d, nodes.add(nodes.mult(nodes.add(one, t), half), steep));
}

/// d times the derivative of x sigmoid(x): s + x s (1 - s).
Value silu_backward(const NodeBuilder& nodes, const Value& x, const Value& d) {
  const Value s = sigmoid(nodes, x);
  const Value slope = nodes.mult(nodes.mult(x, s), nodes.sub(nodes.constant(1), s));
  return nodes.mult(d, nodes.add(s, slope));
}

Value chosen_gelu_backward(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& x,
                           const Value& d) {
  const auto probe = [&](const auto& way) {
    return [&way, type = x.type](const NodeBuilder& on) {
      const Sizes sizes = {128, 64};
      on.recorder().keep(
          way(on, probe_operand(on, "x", type, sizes), probe_operand(on, "d", type, sizes)));
    };
  };
  const int way =
      candidates.choose(fmt::format("the gradient of GELU in {}", gaudi::suffix(x.type)),
                        {{"gelu_bwd", probe(gelu_backward)},
                         {"cgelu_bwd", probe(gelu_backward_complex)},
                         {"arithmetic", probe(gelu_backward_by_arithmetic)}});
  if (way == 2) return gelu_backward_by_arithmetic(nodes, x, d);
  return way == 0 ? gelu_backward(nodes, x, d) : gelu_backward_complex(nodes, x, d);
}

/// The gradient of x wᵀ + b from that of the activation's result, of the type of d.
Value activation_backward(const NodeBuilder& nodes, KernelCandidates& candidates,
                          Activation activation, const Value& saved, const Value& d) {
  const auto in_f32 = [&](const auto& way) {
    return nodes.cast(way(nodes, nodes.f32(saved), nodes.f32(d)), d.type);
  };
  switch (activation) {
    case Activation::kNone:
      return d;
    case Activation::kGelu:
      // What the kernel retains is rounded to its type.
      return in_f32([&](const NodeBuilder& on, const Value& x, const Value& of_y) {
        return chosen_gelu_backward(on, candidates, x, of_y);
      });
    case Activation::kTanh:  // `saved` is the result
      return nodes.recorder()
          .node(kernel_name("tanh_bwd", d.type), {d, saved}, {{d.type, d.sizes}})
          .front();
    case Activation::kGeluTanh:
      return in_f32(gelu_tanh_backward);
    case Activation::kRelu:
      return in_f32([](const NodeBuilder& on, const Value& x, const Value& of_y) {
        return on.where(positive(on, x), of_y, on.constant(0));
      });
    case Activation::kSilu:
      return in_f32(silu_backward);
  }
  BERTHA_CHECK(false, "activation {}", static_cast<int>(activation));
}

}  // namespace

void GaudiKernels::run(const Linear& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const Value x = nodes.read(op.x);
    const ElementType type = op.b.empty() ? x.type : ElementType::kF32;
    Value sum = nodes.gemm(x, nodes.read(op.w), {.b = true}, type);
    if (!op.b.empty()) sum = nodes.add(sum, nodes.read(op.b, {op.b.size(), 1}));
    sum = nodes.cast(sum, x.type);
    if (!op.saved.empty()) nodes.write(op.saved.tensor(), sum);
    nodes.write(op.y.tensor(), activate(nodes, candidates_, op.activation, sum));
  });
}

void GaudiKernels::run(const LinearBackward& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const Value d_y = nodes.read(op.d_y.tensor());
    Value d = d_y;
    if (op.activation != Activation::kNone) {
      d = activation_backward(nodes, candidates_, op.activation, nodes.read(op.saved), d_y);
      nodes.write(op.d_y.tensor(), d);
    }
    if (!op.d_x.empty()) {
      const bool adds = op.d_x_write == Write::kAdd;
      const Value d_x = nodes.gemm(d, nodes.read(op.w), {}, adds ? ElementType::kF32 : d.type);
      if (adds) {
        nodes.add_to(op.d_x.tensor(), d_x);
      } else {
        nodes.write(op.d_x.tensor(), d_x);
      }
    }
    const Value d_w = nodes.gemm(d, nodes.read(op.x), {.a = true}, ElementType::kF32);
    if (op.d_w_write == Write::kSet) {
      nodes.write(op.d_w.tensor(), d_w);
    } else {
      nodes.add_to(op.d_w.tensor(), d_w);
    }
    if (!op.d_b.empty()) nodes.add_to(op.d_b.tensor(), column_sums(nodes, candidates_, d));
  });
}

namespace {

[[noreturn]] void fail_without_nodes(std::string_view op, const Tensor& x) {
  fail("Gaudi: \"{}\" of {} tokens has no nodes yet; use --precision bf16 or fp32", op, x.dim(0));
}

}  // namespace

void GaudiKernels::run(const Int8Linear& op, const Scratch& /*scratch*/) {
  fail_without_nodes(Int8Linear::kName, op.x);
}

void GaudiKernels::run(const Fp8Linear& op, const Scratch& /*scratch*/) {
  fail_without_nodes(Fp8Linear::kName, op.linear.x);
}

void GaudiKernels::run(const Fp8LinearBackward& op, const Scratch& /*scratch*/) {
  fail_without_nodes(Fp8LinearBackward::kName, op.linear.x);
}

}  // namespace bertha::ops
