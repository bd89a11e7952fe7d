#include "ops/linear.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tuple>
#include <utility>

#include "core/thread_pool.h"
#include "ops/kernels.h"
#include "ops/linear_ref.h"
#include "ops/weight_panels.h"
#include "support/compare.h"
#include "support/dual.h"
#include "workbench.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::expect_close;
using test::tolerance;
using test::Workbench;
using Values = std::vector<double>;

struct Sizes {
  int64_t tokens, inner, outer;
};

// dtype, activation, sizes
using Case = std::tuple<DType, Activation, Sizes>;

class Linear : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (kernels_of(bench_.device()).support(ops::Linear::kName, dtype_) == Support::kAbsent) {
      GTEST_SKIP() << "no " << name_of(dtype_) << " products on this processor";
    }
  }

  DType dtype_ = std::get<0>(GetParam());
  Activation activation_ = std::get<1>(GetParam());
  Sizes sizes_ = std::get<2>(GetParam());
  Workbench bench_;
  Values x_ = Workbench::random(sizes_.tokens * sizes_.inner, dtype_, 1);
  Values w_ = Workbench::random(sizes_.outer * sizes_.inner, dtype_, 2,
                                2 / std::sqrt(static_cast<double>(sizes_.inner)));
  Values b_ = Workbench::random(sizes_.outer, DType::kF32, 3);
  Tensor x_tensor_ = bench_.put(x_, {sizes_.tokens, sizes_.inner}, dtype_);
  Tensor w_tensor_ = bench_.put(w_, {sizes_.outer, sizes_.inner}, dtype_);
  Tensor b_tensor_ = bench_.put(b_, {sizes_.outer}, DType::kF32);
  Tensor y_ = bench_.context().make({sizes_.tokens, sizes_.outer}, dtype_);

  Values expected(Activation activation, const Values& b) {
    Values y(static_cast<size_t>(y_.size()));
    reference::linear<double>(x_, w_, b, activation, static_cast<size_t>(sizes_.inner), y);
    return y;
  }
  double limit() const { return tolerance(dtype_, static_cast<double>(sizes_.inner)); }
  void run(const Tensor& b, const Tensor& saved = Tensor()) {
    linear(bench_.context(), {.x = x_tensor_,
                              .w = w_tensor_,
                              .b = b,
                              .activation = activation_,
                              .y = out(y_),
                              .saved = out(saved)});
  }
};

TEST_P(Linear, MatchesTheReference) {
  run(b_tensor_);
  expect_close(bench_.get(y_), expected(activation_, b_), limit(), "with bias");
  run(Tensor());
  expect_close(bench_.get(y_), expected(activation_, {}), limit(), "without bias");
}

class LinearSaving : public Linear {};

TEST_P(LinearSaving, SavesWhatTheBackwardNeeds) {
  const Tensor saved = bench_.context().make({sizes_.tokens, sizes_.outer}, dtype_);
  run(b_tensor_, saved);
  expect_close(bench_.get(saved), expected(Activation::kNone, b_), limit(), "saved");
  expect_close(bench_.get(y_), expected(activation_, b_), limit(), "y");
}

TEST_P(Linear, RepeatsBitForBit) {
  run(b_tensor_);
  const Values first = bench_.get(y_);
  run(b_tensor_);
  EXPECT_EQ(bench_.get(y_), first);
}

TEST_P(Linear, SeesChangedWeights) {
  run(b_tensor_);
  w_ = Workbench::random(sizes_.outer * sizes_.inner, dtype_, 9);
  bench_.set(w_tensor_, w_);
  bench_.device().parameters_changed();
  run(b_tensor_);
  expect_close(bench_.get(y_), expected(activation_, b_), limit(), "y");
}

/// The gradients of the contract, in double, of tensors that hold `dtype` values.
struct Gradients {
  Values before, x, w, b;
};

Gradients gradients(const Sizes& s, const Values& x, const Values& w, const Values& d_before) {
  const auto g = reference::linear_backward<double>(x, w, d_before, static_cast<size_t>(s.inner));
  return {.before = d_before, .x = g.x, .w = g.w, .b = g.b};
}

class LinearBackward : public Linear {
 protected:
  Values d_y_ = Workbench::random(sizes_.tokens * sizes_.outer, dtype_, 4);
  Tensor d_y_tensor_ = bench_.put(d_y_, {sizes_.tokens, sizes_.outer}, dtype_);
  Values d_x_ = Workbench::random(sizes_.tokens * sizes_.inner, dtype_, 5);
  Tensor d_x_tensor_ = bench_.put(d_x_, {sizes_.tokens, sizes_.inner}, dtype_);
  Values d_w_ = Workbench::random(sizes_.outer * sizes_.inner, DType::kF32, 6);
  Tensor d_w_tensor_ = bench_.put(d_w_, {sizes_.outer, sizes_.inner}, DType::kF32);
  Values d_b_ = Workbench::random(sizes_.outer, DType::kF32, 7);
  Tensor d_b_tensor_ = bench_.put(d_b_, {sizes_.outer}, DType::kF32);

  /// What the forward pass keeps, rounded as it keeps it, and the gradient before the activation.
  Tensor saved_;
  Values run_forward() {
    const Values before = expected(Activation::kNone, b_);
    Values d_before = d_y_;
    if (activation_ == Activation::kNone) return d_before;
    saved_ = bench_.put(needs_input(activation_) ? before : expected(activation_, b_),
                        {sizes_.tokens, sizes_.outer}, dtype_);
    const Values saved = bench_.get(saved_);
    for (size_t i = 0; i < d_before.size(); ++i) {
      d_before[i] *= needs_input(activation_)
                         ? reference::activate(activation_, Dual(saved[i], 1)).derivative
                         : 1 - saved[i] * saved[i];
    }
    return d_before;
  }
  void run_backward(Write write, const Tensor& d_x) {
    linear_backward(bench_.context(), {.x = x_tensor_,
                                       .w = w_tensor_,
                                       .saved = saved_,
                                       .activation = activation_,
                                       .d_y = inout(d_y_tensor_),
                                       .d_x = inout(d_x),
                                       .d_x_write = write,
                                       .d_w = inout(d_w_tensor_),
                                       .d_b = inout(d_b_tensor_)});
  }
  static Values sum(const Values& a, Values b) {
    for (size_t i = 0; i < b.size(); ++i) b[i] += a[i];
    return b;
  }
  double limit_of_tokens() const { return tolerance(dtype_, static_cast<double>(sizes_.tokens)); }
};

TEST_P(LinearBackward, MatchesTheDerivative) {
  const Values d_before = run_forward();
  run_backward(Write::kSet, d_x_tensor_);
  const Gradients g = gradients(sizes_, x_, w_, d_before);
  expect_close(bench_.get(d_y_tensor_), g.before, 2 * tolerance(dtype_), "before the activation");
  const double outer = tolerance(dtype_, static_cast<double>(sizes_.outer));
  expect_close(bench_.get(d_x_tensor_), g.x, 2 * outer, "d_x");
  expect_close(bench_.get(d_w_tensor_), sum(d_w_, g.w), 2 * limit_of_tokens(), "d_w");
  expect_close(bench_.get(d_b_tensor_), sum(d_b_, g.b), 2 * limit_of_tokens(), "d_b");
}

TEST_P(LinearBackward, AddsToTheInputGradient) {
  const Gradients g = gradients(sizes_, x_, w_, run_forward());
  run_backward(Write::kAdd, d_x_tensor_);
  const double outer = tolerance(dtype_, static_cast<double>(sizes_.outer));
  expect_close(bench_.get(d_x_tensor_), sum(d_x_, g.x), 2 * outer, "d_x");
}

TEST_P(LinearBackward, LeavesAnUnwantedInputGradientOut) {
  const Gradients g = gradients(sizes_, x_, w_, run_forward());
  run_backward(Write::kSet, Tensor());
  expect_close(bench_.get(d_w_tensor_), sum(d_w_, g.w), 2 * limit_of_tokens(), "d_w");
  EXPECT_EQ(bench_.get(d_x_tensor_), d_x_);
}

TEST_P(LinearBackward, RepeatsBitForBit) {
  run_forward();
  run_backward(Write::kSet, d_x_tensor_);
  const Values d_x = bench_.get(d_x_tensor_);
  const Values d_w = bench_.get(d_w_tensor_);
  const Values d_b = bench_.get(d_b_tensor_);
  bench_.set(d_y_tensor_, d_y_);
  bench_.set(d_w_tensor_, d_w_);
  bench_.set(d_b_tensor_, d_b_);
  run_backward(Write::kSet, d_x_tensor_);
  EXPECT_EQ(bench_.get(d_x_tensor_), d_x);
  EXPECT_EQ(bench_.get(d_w_tensor_), d_w);
  EXPECT_EQ(bench_.get(d_b_tensor_), d_b);
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  const auto& [dtype, activation, s] = info.param;
  const char* names[] = {"none", "gelu", "tanh", "gelu_tanh", "relu", "silu"};
  return fmt::format("{}_{}_{}x{}x{}", name_of(dtype), names[static_cast<int>(activation)],
                     s.tokens, s.inner, s.outer);
}

const auto kDTypes = testing::Values(DType::kF32, DType::kBF16);
const auto kActivations =
    testing::Values(Activation::kNone, Activation::kGelu, Activation::kTanh, Activation::kGeluTanh,
                    Activation::kRelu, Activation::kSilu);
const auto kSaving =
    testing::Values(Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu);
const auto kSizes = testing::Values(Sizes{1, 1, 1}, Sizes{3, 17, 33}, Sizes{33, 3, 2},
                                    Sizes{17, 64, 1}, Sizes{65, 130, 97}, Sizes{1100, 40, 48});
const auto kCases = testing::Combine(kDTypes, kActivations, kSizes);
INSTANTIATE_TEST_SUITE_P(Sizes, Linear, kCases, name_of_case);
INSTANTIATE_TEST_SUITE_P(Sizes, LinearSaving, testing::Combine(kDTypes, kSaving, kSizes),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Sizes, LinearBackward, kCases, name_of_case);
// Weight gradients in several parts, and of more tokens than are packed at a time.
INSTANTIATE_TEST_SUITE_P(LargeSizes, LinearBackward,
                         testing::Combine(kDTypes, testing::Values(Activation::kNone),
                                          testing::Values(Sizes{37, 801, 290},
                                                          Sizes{4129, 33, 50})),
                         name_of_case);

/// The reference of the gradients against dual numbers, one input at a time.
TEST(LinearReference, GradientsAreTheDerivative) {
  const Sizes s{2, 3, 4};
  const Values x = Workbench::random(6, DType::kF32, 1);
  const Values w = Workbench::random(12, DType::kF32, 2);
  const Values d_y = Workbench::random(8, DType::kF32, 3);
  const Gradients g = gradients(s, x, w, d_y);
  std::vector<Dual> inputs(x.begin(), x.end());
  inputs.insert(inputs.end(), w.begin(), w.end());
  inputs.resize(inputs.size() + 4);
  Values all = g.x;
  all.insert(all.end(), g.w.begin(), g.w.end());
  all.insert(all.end(), g.b.begin(), g.b.end());
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].derivative = 1;
    const std::span<const Dual> in(inputs);
    std::vector<Dual> y(8);
    reference::linear<Dual>(in.subspan(0, 6), in.subspan(6, 12), in.subspan(18, 4),
                            Activation::kNone, 3, y);
    double derivative = 0;
    for (size_t j = 0; j < y.size(); ++j) derivative += y[j].derivative * d_y[j];
    EXPECT_NEAR(derivative, all[i], 1e-12) << i;
    inputs[i].derivative = 0;
  }
}

/// New weights that the system puts where freed ones lay are not taken for them.
TEST(LinearWeights, AreForgottenWhenFreed) {
  Workbench bench;
  if (kernels_of(bench.device()).support(ops::Linear::kName, DType::kBF16) == Support::kAbsent) {
    GTEST_SKIP() << "no bf16 products";
  }
  const Tensor x = bench.put(Values{1, 2}, {1, 2}, DType::kBF16);
  const Tensor y = bench.context().make({1, 1}, DType::kBF16);
  for (const double value : {1.0, 2.0, 3.0}) {
    const Buffer buffer = bench.device().allocate(4);
    const Tensor w(&buffer, 0, DType::kBF16, {1, 2});
    bench.set(w, Values{value, value});
    linear(bench.context(), {.x = x, .w = w, .y = out(y)});
    EXPECT_EQ(bench.get(y), Values{3 * value});
  }
}

/// Operands of one product and of its gradients, with a bias and GELU.
struct Product {
  Workbench bench;
  Tensor x, w, b, y, saved, d_y, d_x, d_w, d_b;

  Product(const Sizes& s, DType dtype) {
    x = random({s.tokens, s.inner}, dtype, 1);
    w = random({s.outer, s.inner}, dtype, 2);
    b = random({s.outer}, DType::kF32, 3);
    y = bench.context().make({s.tokens, s.outer}, dtype);
    saved = bench.context().make({s.tokens, s.outer}, dtype);
    d_y = random({s.tokens, s.outer}, dtype, 4);
    d_x = random({s.tokens, s.inner}, dtype, 5);
    d_w = random({s.outer, s.inner}, DType::kF32, 6);
    d_b = random({s.outer}, DType::kF32, 7);
  }
  Tensor random(const Shape& shape, DType dtype, uint64_t stream) {
    return bench.put(Workbench::random(shape.size(), dtype, stream), shape, dtype);
  }
  /// y of the first `tokens` tokens.
  Values forward(int64_t tokens) {
    linear(bench.context(), {.x = x.rows(0, tokens),
                             .w = w,
                             .b = b,
                             .activation = Activation::kGelu,
                             .y = out(y.rows(0, tokens)),
                             .saved = out(saved.rows(0, tokens))});
    return bench.get(y.rows(0, tokens));
  }
  std::vector<Values> forward_and_backward() {
    const Values result = forward(x.dim(0));
    linear_backward(bench.context(), {.x = x,
                                      .w = w,
                                      .saved = saved,
                                      .activation = Activation::kGelu,
                                      .d_y = inout(d_y),
                                      .d_x = inout(d_x),
                                      .d_x_write = Write::kAdd,
                                      .d_w = inout(d_w),
                                      .d_b = inout(d_b)});
    return {result, bench.get(d_x), bench.get(d_w), bench.get(d_b)};
  }
};

class LinearBits : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    Workbench bench;
    if (kernels_of(bench.device()).support(ops::Linear::kName, GetParam()) == Support::kAbsent) {
      GTEST_SKIP() << "no " << name_of(GetParam()) << " products on this processor";
    }
  }
};

TEST_P(LinearBits, DoNotDependOnThreads) {
  // Few tokens, whose products read kept copies of the weights, and more than are packed at a time.
  for (const Sizes& sizes : {Sizes{37, 130, 210}, Sizes{1100, 50, 101}}) {
    std::vector<std::vector<Values>> results;
    for (const int threads : {1, 2, 5, 5}) {
      ThreadPool pool(threads);
      const PoolBinding binding(pool);
      results.push_back(Product(sizes, GetParam()).forward_and_backward());
    }
    for (const auto& result : results) EXPECT_EQ(result, results.front()) << sizes.tokens;
  }
}

/// A token's result is the same alone and in any batch.
TEST_P(LinearBits, DoNotDependOnOtherTokens) {
  if (GetParam() == DType::kBF16 && cpu::best_isa() == cpu::Isa::kAmx) {
    GTEST_SKIP() << "oneDNN chooses its kernels by the number of tokens";
  }
  Product product({300, 72, 101}, GetParam());
  const Values whole = product.forward(300);
  for (const int64_t tokens : {1, 5, 8, 100, 255, 256, 299}) {
    const Values some = product.forward(tokens);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), whole.begin())) << tokens << " tokens";
  }
}

/// For inference, products of many tokens read kept copies of the weights too.
TEST_P(LinearBits, DoNotDependOnKeptCopies) {
  if (GetParam() == DType::kBF16 && cpu::best_isa() == cpu::Isa::kAmx) {
    GTEST_SKIP() << "oneDNN keeps copies of its own";
  }
  Product product({300, 72, 101}, GetParam());
  Device& device = product.bench.device();
  const Values packed_in_blocks = product.forward(300);
  device.expect_inference();
  EXPECT_EQ(product.forward(300), packed_in_blocks);
  device.zero(out(product.w));
  EXPECT_EQ(product.forward(300), packed_in_blocks) << "no copy was kept";
  device.parameters_changed();
  EXPECT_NE(product.forward(300), packed_in_blocks) << "the copy is stale";
}

/// Weights in panels give the bits that rows give, and no copy of them is made.
TEST_P(LinearBits, DoNotDependOnTheFormOfTheWeights) {
  Product product({300, 72, 101}, GetParam());
  const int64_t width = kernels_of(product.bench.device()).panel_channels(GetParam());
  if (width == 0) GTEST_SKIP() << "products take rows alone";
  const Tensor panels =
      product.bench.context().make(panel_shape(GetParam(), 101, 72, width), GetParam());
  const std::vector<float> rows = product.bench.values(product.w);
  const auto fill = [&](auto elements) {
    write_panels(std::span(rows), {.first = 0, .inputs = 72}, width, std::span(elements));
    product.bench.device().write(out(panels), elements.data());
  };
  const auto size = static_cast<size_t>(panels.size());
  if (GetParam() == DType::kF32) {
    fill(std::vector<float>(size));
  } else {
    fill(std::vector<BFloat16>(size));
  }
  for (const int64_t tokens : {1, 8, 255, 300}) {
    const Values from_rows = product.forward(tokens);
    const Tensor kept = std::exchange(product.w, panels);
    EXPECT_EQ(product.forward(tokens), from_rows) << tokens << " tokens";
    product.w = kept;
  }
  const Values before = product.forward(300);
  product.bench.device().zero(out(panels));
  product.w = panels;
  EXPECT_NE(product.forward(300), before) << "a copy was read";
}

INSTANTIATE_TEST_SUITE_P(DTypes, LinearBits, kDTypes,
                         [](const auto& bits) { return std::string(name_of(bits.param)); });

TEST(LinearChecks, RefuseWhatDoesNotFit) {
  Workbench bench;
  const Tensor x = bench.context().make({4, 3}, DType::kF32);
  const Tensor w = bench.context().make({5, 2}, DType::kF32);
  const Tensor y = bench.context().make({4, 5}, DType::kF32);
  const ops::Linear wrong_w = {.x = x, .w = w, .y = out(y)};
  EXPECT_THROW(linear(bench.context(), wrong_w), LogicError);
  const Tensor fits = bench.context().make({5, 3}, DType::kF32);
  const ops::Linear saves_without_gelu = {.x = x, .w = fits, .y = out(y), .saved = out(y)};
  EXPECT_THROW(linear(bench.context(), saves_without_gelu), LogicError);
}

}  // namespace
}  // namespace bertha::ops
