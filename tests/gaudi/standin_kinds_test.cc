// The arithmetic of the stand-in's nodes, each against an expectation that is written down or
// computed in another way.

#include <cmath>
#include <functional>
#include <limits>

#include "gaudi/standin_program.h"

namespace bertha::standin::test {
namespace {

using Numbers = std::vector<double>;

const std::vector<std::byte> kNone;

Array f32(std::vector<uint64_t> sizes, Numbers data = {}) {
  return {.type = kF32, .sizes = std::move(sizes), .data = std::move(data)};
}
Array bf16(std::vector<uint64_t> sizes, Numbers data = {}) {
  return {.type = kBf16, .sizes = std::move(sizes), .data = std::move(data)};
}
Array i32(std::vector<uint64_t> sizes, Numbers data = {}) {
  return {.type = kI32, .sizes = std::move(sizes), .data = std::move(data)};
}
Array i8(std::vector<uint64_t> sizes, Numbers data = {}) {
  return {.type = kI8, .sizes = std::move(sizes), .data = std::move(data)};
}

void expect_near(const Numbers& actual, const Numbers& expected, double limit) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(std::abs(actual[i] - expected[i]) <= limit)
        << "element " << i << ": " << actual[i] << ", expected " << expected[i];
  }
}

/// Numbers without a pattern in [-1, 1].
Numbers some(size_t count, double first) {
  Numbers numbers;
  for (size_t i = 0; i < count; ++i)
    numbers.push_back(std::sin(first + 2.3 * static_cast<double>(i)));
  return numbers;
}

/// The derivative of sum(weights * f(x)) by central differences.
Numbers numeric_gradient(const std::function<Numbers(const Numbers&)>& f, const Numbers& x,
                         const Numbers& weights) {
  const double step = 1e-5;
  const auto weighted = [&](const Numbers& at) {
    const Numbers y = f(at);
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
    return sum;
  };
  Numbers gradient;
  for (size_t i = 0; i < x.size(); ++i) {
    Numbers up = x;
    Numbers down = x;
    up[i] += step;
    down[i] -= step;
    gradient.push_back((weighted(up) - weighted(down)) / (2 * step));
  }
  return gradient;
}

/// Runs one node in a child and hands the outputs to `check`.
void expect_outputs(const std::string& guid, const std::vector<std::byte>& values,
                    const std::vector<Array>& inputs, const std::vector<Array>& outputs,
                    const std::function<void(const std::vector<Numbers>&)>& check) {
  SCOPED_TRACE(guid);
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "0"}}, [&] {
    const Program program;
    check(run_node(program, guid, values, inputs, outputs));
  });
}

/// Expects the outputs of a node with a single output, whose data is the expectation.
void expect_output(const std::string& guid, const std::vector<std::byte>& values,
                   const std::vector<Array>& inputs, const Array& expected, double limit = 1e-6) {
  const Array empty{.type = expected.type, .sizes = expected.sizes};
  expect_outputs(guid, values, inputs, {empty},
                 [&](const auto& outputs) { expect_near(outputs[0], expected.data, limit); });
}

void expect_refused(const std::string& guid, const std::vector<std::byte>& values,
                    const std::vector<Array>& inputs, const std::vector<Array>& outputs,
                    const std::string& rule) {
  SCOPED_TRACE(guid);
  run_in_child({{"BERTHA_STANDIN_DELAY_US", "0"}}, [&] {
    const Program program;
    EXPECT_THROW(run_node(program, guid, values, inputs, outputs), Error);
    EXPECT_NE(program.line().find("[" + rule + "]"), std::string::npos) << program.line();
  });
}

TEST(StandinMatrix, Gemm) {
  // A of 2 rows and 3 columns, B of 3 rows and 2 columns.
  const Numbers a = {1, 2, 3, 4, 5, 6};
  const Numbers a_transposed = {1, 4, 2, 5, 3, 6};
  const Numbers b = {7, 8, 9, 10, 11, 12};
  const Numbers b_transposed = {7, 9, 11, 8, 10, 12};
  const Array c = f32({2, 2}, {58, 64, 139, 154});
  expect_output("gemm", parameters(false, false), {f32({3, 2}, a), f32({2, 3}, b)}, c);
  expect_output("gemm", parameters(true, false), {f32({2, 3}, a_transposed), f32({2, 3}, b)}, c);
  expect_output("gemm", parameters(false, true), {f32({3, 2}, a), f32({3, 2}, b_transposed)}, c);
  expect_output("gemm", parameters(false, false),
                {f32({3, 2}, a), f32({2, 3}, b), f32({2}, {1, -1})},
                f32({2, 2}, {59, 63, 140, 153}));
  expect_refused("gemm", parameters(false, false), {f32({3, 2}, a), f32({3, 2}, b)}, {f32({2, 2})},
                 "operands");
}

TEST(StandinMatrix, GemmRoundsTheSumOnce) {
  // 1 + 2^-9 + 2^-9 is a bf16 only when the sum is rounded at its end.
  const Numbers a = {1, 0x1p-8, 0x1p-8};
  const Numbers ones = {1, 1, 1};
  expect_output("gemm", parameters(false, true), {bf16({3, 1}, a), bf16({3, 1}, ones)},
                bf16({1, 1}, {1 + 0x1p-7}), 0);
  expect_output("gemm", parameters(false, true), {bf16({3, 1}, {1, 0x1p-9, 0}), bf16({3, 1}, ones)},
                f32({1, 1}, {1 + 0x1p-9}), 0);
}

TEST(StandinMatrix, BatchGemmRepeatsABatchOfOne) {
  expect_output("batch_gemm", parameters(false, false),
                {f32({2, 1, 3}, {1, 2, 3, 4, 5, 6}), f32({1, 2, 1}, {10, 100})},
                f32({1, 1, 3}, {210, 430, 650}));
  expect_refused("batch_gemm", parameters(false, false), {f32({2, 1}, {1, 2}), f32({1, 2}, {1, 2})},
                 {f32({1, 1})}, "operands");
}

TEST(StandinMatrix, MaskedBatchGemmAddsTheProductOfTheMasks) {
  // [K=1,M=2,A=2,R=1] times [N=1,K=1,A=2,R=1]; masks [Km=1,2,1,1] and [1,1,1,1].
  expect_output("masked_batch_gemm", parameters(false, false),
                {f32({1, 2, 2, 1}, {1, 2, 3, 4}), f32({1, 1, 2, 1}, {10, 100}),
                 f32({1, 2, 1, 1}, {0, 1}), f32({1, 1, 1, 1}, {-10000})},
                f32({1, 2, 2, 1}, {10, -9980, 300, -9600}));
}

TEST(StandinMatrix, LinearAndItsGradients) {
  const Array x = f32({2, 1}, {1, 2});
  const Array w = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_output("linear_fwd_f32", kNone, {x, w, f32({3}, {1, 0, -1})}, f32({3, 1}, {6, 11, 16}));
  expect_outputs("linear_temp_bwd_f32", parameters(true), {x, f32({3, 1}, {1, -1, 2}), w},
                 {f32({2, 1}), f32({2, 3}), f32({3})}, [](const auto& outputs) {
                   EXPECT_EQ(outputs[0], (Numbers{8, 10}));
                   EXPECT_EQ(outputs[1], (Numbers{1, 2, -1, -2, 2, 4}));
                   EXPECT_EQ(outputs[2], (Numbers{1, -1, 2}));
                 });
}

TEST(StandinElementwise, BroadcastsSizesOfOne) {
  const Array rows = f32({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_output("add_fwd_f32", kNone, {rows, f32({3}, {10, 20, 30})},
                f32({3, 2}, {11, 22, 33, 14, 25, 36}));
  expect_output("sub_fwd_f32", kNone, {rows, f32({1, 2}, {1, 4})}, f32({3, 2}, {0, 1, 2, 0, 1, 2}));
  expect_output("mult_fwd_f32", kNone, {f32({1}, {2}), rows}, f32({3, 2}, {2, 4, 6, 8, 10, 12}));
  expect_output("div_fwd_f32", kNone, {f32({3, 1}, {1, 2, 3}), f32({1, 2}, {1, 2})},
                f32({3, 2}, {1, 2, 3, 0.5, 1, 1.5}));
  expect_refused("add_fwd_f32", kNone, {rows, f32({2}, {1, 2})}, {f32({3, 2})}, "operands");
}

TEST(StandinElementwise, RoundsToBf16) {
  expect_output("add_fwd_bf16", kNone,
                {bf16({3}, {1, 1, -1}), bf16({3}, {0x1p-8, 0x1.8p-8, -0x1p-9})},
                bf16({3}, {1, 1 + 0x1p-7, -1}), 0);
}

TEST(StandinElementwise, MoreFunctions) {
  const Array x = f32({2}, {4, 0.25});
  expect_output("sqrt_fwd_f32", kNone, {x}, f32({2}, {2, 0.5}));
  expect_output("rsqrt_fwd_f32", kNone, {x}, f32({2}, {0.5, 2}));
  expect_output("reciprocal_fwd_f32", kNone, {x}, f32({2}, {0.25, 4}));
  expect_output("exp_fwd_f32", kNone, {f32({2}, {0, 1})}, f32({2}, {1, 2.718281828}));
  expect_output("log_fwd_f32", kNone, {f32({2}, {1, 7.389056099})}, f32({2}, {0, 2}));
  expect_output("abs_fwd_f32", kNone, {f32({2}, {-3, 3})}, f32({2}, {3, 3}));
  expect_output("neg_fwd_f32", kNone, {f32({2}, {-3, 3})}, f32({2}, {3, -3}));
  expect_output("pow_fwd_f32", kNone, {x, f32({1}, {1.5})}, f32({2}, {8, 0.125}));
  expect_output("max_fwd_f32", kNone, {x, f32({1}, {1})}, f32({2}, {4, 1}));
  expect_output("min_fwd_f32", kNone, {x, f32({1}, {1})}, f32({2}, {1, 0.25}));
  expect_output("add_fwd_i32", kNone, {i32({2}, {1, -5}), i32({1}, {2})}, i32({2}, {3, -3}));
}

TEST(StandinElementwise, ComparesAndSelects) {
  const Array x = f32({3}, {-1, 0, 1});
  const Array zero = f32({1}, {0});
  expect_output("greater_fwd_f32", kNone, {x, zero}, i8({3}, {0, 0, 1}));
  expect_output("greater_equal_fwd_f32", kNone, {x, zero}, i8({3}, {0, 1, 1}));
  expect_output("less_fwd_f32", kNone, {x, zero}, i8({3}, {1, 0, 0}));
  expect_output("less_equal_fwd_f32", kNone, {x, zero}, i8({3}, {1, 1, 0}));
  expect_output("equal_fwd_i32", kNone, {i32({3}, {1, 2, 1}), i32({1, 2}, {1, 2})},
                i8({3, 2}, {1, 0, 1, 0, 1, 0}));
  expect_output("not_equal_fwd_f32", kNone, {x, zero}, i8({3}, {1, 0, 1}));
  expect_output("where_fwd_f32", kNone, {i8({3}, {1, 0, 1}), x, f32({1}, {9})},
                f32({3}, {-1, 9, 1}));
  expect_output("not_fwd_i8", kNone, {i8({2}, {1, 0})}, i8({2}, {0, 1}));
}

TEST(StandinElementwise, ConstantsAndCasts) {
  expect_output("constant_f32", parameters(-10000.0F), {}, f32({1}, {-10000}));
  expect_output("constant_i32", parameters(int32_t{7}), {}, i32({1}, {7}));
  expect_output(
      "cast_f32_to_bf16", parameters(int32_t{0}), {f32({3}, {1 + 0x1p-8, 1 + 0x1.8p-8, 1e30})},
      bf16({3}, {1, 1 + 0x1p-7, static_cast<double>(static_cast<float>(BFloat16(1e30F)))}), 0);
  expect_output("cast_bf16_to_f32", kNone, {bf16({1}, {1.5})}, f32({1}, {1.5}), 0);
  expect_output("cast_i8_to_bf16", kNone, {i8({2}, {1, -3})}, bf16({2}, {1, -3}), 0);
  expect_output("cast_i32_to_f32", kNone, {i32({1}, {77})}, f32({1}, {77}), 0);
  expect_refused("cast_f32_to_i32", kNone, {f32({1}, {1.5})}, {i32({1})}, "operands");
  expect_refused("cast_f32_to_bf16", parameters(int32_t{3}), {f32({1}, {1})}, {bf16({1})},
                 "operands");
}

TEST(StandinReduction, Sums) {
  const Array x = f32({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_output("reduce_sum_fwd_f32", parameters(uint32_t{0}), {x}, f32({1, 2}, {6, 15}));
  expect_output("reduce_sum_fwd_f32", parameters(uint32_t{1}), {x}, f32({3}, {5, 7, 9}));
  expect_output("reduce_sum_multi_dim_fwd_f32", parameters(uint32_t{2}, uint32_t{1}), {x},
                f32({3, 1}, {5, 7, 9}));
  expect_output("reduce_sum_multi_dim_fwd_f32", parameters(uint32_t{0}, uint32_t{0}), {x},
                f32({1}, {21}));
  expect_output("reduce_sum_square_multi_dim_fwd_f32", parameters(uint32_t{0}, uint32_t{0}), {x},
                f32({1}, {91}));
  expect_output("frobenius_norm_fwd", kNone, {f32({2, 1}, {3, 4})}, f32({1}, {5}));
  expect_refused("reduce_sum_fwd_f32", parameters(uint32_t{2}), {x}, {f32({1})}, "operands");
}

TEST(StandinShape, MovesElements) {
  const Array x = f32({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_output("identity", kNone, {x}, x);
  expect_output("memcpy", kNone, {x}, x);
  expect_output("memset", kNone, {}, f32({2}, {0, 0}));
  expect_output("reshape", kNone, {x}, f32({1, 6}, x.data));
  expect_output("expand_dims", parameters(uint32_t{1}), {x}, f32({3, 1, 2}, x.data));
  expect_output("squeeze", parameters(uint32_t{0}), {f32({1, 6}, x.data)}, f32({6}, x.data));
  expect_output("broadcast", kNone, {f32({1, 2}, {1, 2})}, f32({3, 2}, {1, 1, 1, 2, 2, 2}));
  expect_output("reinterpret_cast", kNone, {f32({1}, {1})}, i32({1}, {0x3F800000}));
  expect_refused("reshape", kNone, {x}, {f32({5})}, "operands");
}

TEST(StandinShape, Transposes) {
  expect_output("transpose", parameters(1U, 0U, 0U, 0U, 0U, 2U), {f32({3, 2}, {1, 2, 3, 4, 5, 6})},
                f32({2, 3}, {1, 4, 2, 5, 3, 6}));
  // [2,3,4] by {2,0,1} is [4,2,3]: element (a,b,c) goes to (c,a,b).
  Numbers from(24);
  Numbers to(24);
  for (uint64_t c = 0; c < 4; ++c) {
    for (uint64_t b = 0; b < 3; ++b) {
      for (uint64_t a = 0; a < 2; ++a) {
        const double value = static_cast<double>(100 * a + 10 * b + c);
        from[a + 2 * b + 6 * c] = value;
        to[c + 4 * a + 8 * b] = value;
      }
    }
  }
  std::vector<std::byte> many = parameters(3U, 2U, 0U, 1U);
  many.resize(104);
  expect_output("transpose", many, {f32({2, 3, 4}, from)}, f32({4, 2, 3}, to));
  expect_refused("transpose", parameters(1U, 1U, 0U, 0U, 0U, 2U), {f32({2, 2}, {1, 2, 3, 4})},
                 {f32({2, 2})}, "operands");
}

TEST(StandinShape, ConcatSplitSlice) {
  const Array left = f32({1, 2}, {1, 2});
  const Array right = f32({2, 2}, {3, 4, 5, 6});
  const Array whole = f32({3, 2}, {1, 3, 4, 2, 5, 6});
  expect_output("concat", parameters(0U), {left, right}, whole);
  expect_output("concat", parameters(1U), {f32({2, 1}, {1, 2}), right},
                f32({2, 3}, {1, 2, 3, 4, 5, 6}));
  expect_outputs("split", parameters(0U), {whole}, {f32({1, 2}), f32({2, 2})},
                 [&](const auto& outputs) {
                   EXPECT_EQ(outputs[0], left.data);
                   EXPECT_EQ(outputs[1], right.data);
                 });
  const std::vector<std::byte> cut = parameters(0U, 1U, 0U, 0U, 0U,   // axes
                                                0U, 1U, 0U, 0U, 0U,   // starts
                                                3U, 2U, 0U, 0U, 0U,   // ends
                                                2U, 1U, 0U, 0U, 0U);  // steps
  expect_output("slice", cut, {whole}, f32({2, 1}, {2, 6}));
  expect_refused("concat", parameters(1U), {left, right}, {f32({3, 2})}, "operands");
}

Numbers layer_norm(const Numbers& x, const Numbers& gamma, const Numbers& beta, double eps) {
  const size_t width = gamma.size();
  Numbers y;
  for (size_t row = 0; row < x.size() / width; ++row) {
    double sum = 0;
    double squares = 0;
    for (size_t c = 0; c < width; ++c) {
      sum += x[row * width + c];
      squares += x[row * width + c] * x[row * width + c];
    }
    const double mean = sum / static_cast<double>(width);
    const double variance = squares / static_cast<double>(width) - mean * mean;
    for (size_t c = 0; c < width; ++c) {
      y.push_back((x[row * width + c] - mean) / std::sqrt(variance + eps) * gamma[c] + beta[c]);
    }
  }
  return y;
}

TEST(StandinNormalization, LayerNormAndItsGradients) {
  const Numbers x = some(10, 1);
  const Numbers gamma = some(5, 2);
  const Numbers beta = some(5, 3);
  const Numbers d_y = some(10, 4);
  const double eps = 0.1;
  const std::vector<std::byte> values = parameters(uint32_t{1}, static_cast<float>(eps));
  Numbers mean;
  Numbers rstd;
  for (size_t row = 0; row < 2; ++row) {
    double m = 0;
    double v = 0;
    for (size_t c = 0; c < 5; ++c) m += x[row * 5 + c] / 5;
    for (size_t c = 0; c < 5; ++c) v += std::pow(x[row * 5 + c] - m, 2) / 5;
    mean.push_back(m);
    rstd.push_back(1 / std::sqrt(v + eps));
  }
  expect_outputs(
      "layer_norm_fwd_f32", values, {f32({5, 1, 1, 2}, x), f32({5}, beta), f32({5}, gamma)},
      {f32({5, 1, 1, 2}), f32({1, 1, 1, 2}), f32({1, 1, 1, 2})}, [&](const auto& outputs) {
        expect_near(outputs[0], layer_norm(x, gamma, beta, eps), 1e-6);
        expect_near(outputs[1], mean, 1e-6);
        expect_near(outputs[2], rstd, 1e-6);
      });
  expect_outputs(
      "layer_norm_bwd_f32", parameters(uint32_t{0}, 0.0F),
      {f32({5, 1, 1, 2}, x), f32({5, 1, 1, 2}, d_y), f32({1, 1, 1, 2}, mean),
       f32({1, 1, 1, 2}, rstd), f32({5}, gamma)},
      {f32({5, 1, 1, 2}), f32({5}), f32({5})}, [&](const auto& outputs) {
        expect_near(
            outputs[0],
            numeric_gradient([&](const Numbers& at) { return layer_norm(at, gamma, beta, eps); }, x,
                             d_y),
            1e-5);
        expect_near(
            outputs[1],
            numeric_gradient([&](const Numbers& at) { return layer_norm(x, gamma, at, eps); }, beta,
                             d_y),
            1e-5);
        expect_near(
            outputs[2],
            numeric_gradient([&](const Numbers& at) { return layer_norm(x, at, beta, eps); }, gamma,
                             d_y),
            1e-5);
      });
  expect_refused("layer_norm_fwd_f32", values, {f32({5, 2}, x), f32({5}, beta), f32({5}, gamma)},
                 {f32({5, 2}), f32({1, 2}), f32({1, 2})}, "operands");
}

/// Along the fastest dimension of rows of `width`.
Numbers softmax(const Numbers& x, size_t width) {
  Numbers y;
  for (size_t i = 0; i < x.size(); ++i) {
    double sum = 0;
    for (size_t c = 0; c < width; ++c) sum += std::exp(x[i / width * width + c]);
    y.push_back(std::exp(x[i]) / sum);
  }
  return y;
}

Numbers logarithms(Numbers x) {
  for (double& element : x) element = std::log(element);
  return x;
}

TEST(StandinNormalization, SoftmaxAndItsGradient) {
  const Numbers x = some(6, 5);
  const Numbers d_y = some(6, 6);
  expect_output("softmax_fwd_f32", parameters(0), {f32({3, 2}, x)}, f32({3, 2}, softmax(x, 3)));
  expect_output(
      "softmax_fwd_f32", parameters(1), {f32({2, 3}, {x[0], 1, x[1], 1, x[2], 1})},
      f32({2, 3}, {softmax({x[0], x[1], x[2]}, 3)[0], 1.0 / 3, softmax({x[0], x[1], x[2]}, 3)[1],
                   1.0 / 3, softmax({x[0], x[1], x[2]}, 3)[2], 1.0 / 3}));
  expect_output("softmax_fwd_f32", parameters(0), {f32({2}, {-10000, 1})}, f32({2}, {0, 1}));
  expect_output(
      "softmax_bwd_f32", parameters(0), {f32({3, 2}, softmax(x, 3)), f32({3, 2}, d_y)},
      f32({3, 2}, numeric_gradient([](const Numbers& at) { return softmax(at, 3); }, x, d_y)),
      1e-5);
  expect_refused("softmax_fwd_f32", parameters(0), {f32({3, 2}, x), f32({3, 2}, x)}, {f32({3, 2})},
                 "operands");
}

TEST(StandinNormalization, LogSoftmaxAndItsGradient) {
  const Numbers x = some(6, 7);
  const Numbers d_y = some(6, 8);
  const auto log_softmax = [](const Numbers& at) { return logarithms(softmax(at, 3)); };
  expect_output("logsoftmax_fwd_f32", parameters(0), {f32({3, 2}, x)}, f32({3, 2}, log_softmax(x)));
  expect_output("logsoftmax_bwd_data_f32", parameters(0),
                {f32({3, 2}, d_y), f32({3, 2}, log_softmax(x))},
                f32({3, 2}, numeric_gradient(log_softmax, x, d_y)), 1e-5);
}

Numbers gelu(Numbers x) {
  for (double& element : x) element *= (1 + std::erf(element / std::sqrt(2.0))) / 2;
  return x;
}

/// q, k and v of [D=2,S=3,A=1,R=2], one after the other in `qkv`, and a mask of [3,1,1,2].
Numbers attention(const Numbers& qkv, const Numbers& mask, double scale) {
  Numbers o(12, 0);
  for (size_t row = 0; row < 2; ++row) {
    for (size_t i = 0; i < 3; ++i) {
      const auto at = [&](size_t part, size_t token, size_t d) {
        return qkv[part * 12 + row * 6 + token * 2 + d];
      };
      Numbers scores(3);
      for (size_t j = 0; j < 3; ++j) {
        scores[j] =
            (at(0, i, 0) * at(1, j, 0) + at(0, i, 1) * at(1, j, 1)) * scale + mask[row * 3 + j];
      }
      const Numbers p = softmax(scores, 3);
      for (size_t j = 0; j < 3; ++j) {
        for (size_t d = 0; d < 2; ++d) o[row * 6 + i * 2 + d] += p[j] * at(2, j, d);
      }
    }
  }
  return o;
}

TEST(StandinAttention, AndItsGradients) {
  const Numbers qkv = some(36, 20);
  const Numbers mask = {0, -1, -10000, 0, 0, 0.5};
  const Numbers d_o = some(12, 21);
  const std::vector<uint64_t> sizes = {2, 3, 1, 2};
  const auto part = [&](size_t i) {
    const auto begin = qkv.begin() + static_cast<std::ptrdiff_t>(12 * i);
    return f32(sizes, Numbers(begin, begin + 12));
  };
  const Array masks = f32({3, 1, 1, 2}, mask);
  const std::vector<std::byte> values = parameters(0.5F, 0U, 0.0F, 0U, 0U, 0U);
  const Numbers gradient =
      numeric_gradient([&](const Numbers& at) { return attention(at, mask, 0.5); }, qkv, d_o);
  const auto expect_gradients = [&](const std::vector<Numbers>& outputs) {
    Numbers all;
    for (const Numbers& output : outputs) all.insert(all.end(), output.begin(), output.end());
    expect_near(all, gradient, 1e-5);
  };
  const std::vector<Array> three = {f32(sizes), f32(sizes), f32(sizes)};
  run_in_child({}, [&] {
    const Program program;
    const auto kept = run_node(program, "sdpa_fwd_f32", values, {part(0), part(1), part(2), masks},
                               {f32(sizes), f32({3, 3, 1, 2})});
    expect_near(kept[0], attention(qkv, mask, 0.5), 1e-6);
    expect_gradients(
        run_node(program, "sdpa_bwd_f32", values,
                 {f32(sizes, d_o), part(0), part(1), part(2), f32({3, 3, 1, 2}, kept[1])}, three));
    const Array sums = f32({1, 3, 1, 2});
    const auto again =
        run_node(program, "sdpa_recomp_fwd_f32", values, {part(0), part(1), part(2), masks},
                 {f32(sizes), sums, sums, i32({1})});
    expect_near(again[0], attention(qkv, mask, 0.5), 1e-6);
    expect_gradients(run_node(program, "sdpa_recomp_bwd_f32", values,
                              {f32(sizes, d_o), part(0), part(1), part(2), masks,
                               f32({1, 3, 1, 2}, again[1]), f32({1, 3, 1, 2}, again[2])},
                              three));
  });
}

TEST(StandinActivation, GeluAndItsGradients) {
  const Numbers x = {-3, -0.5, 0, 0.5, 3};
  const Numbers d_y = some(5, 9);
  const Numbers gradient = numeric_gradient(gelu, x, d_y);
  run_in_child({}, [&] {
    const Program program;
    const auto forward =
        run_node(program, "gelu_fwd_f32", parameters(false), {f32({5}, x)}, {f32({5}), f32({5})});
    expect_near(forward[0], gelu(x), 1e-6);
    const auto backward = run_node(program, "gelu_bwd_f32", kNone,
                                   {f32({5}, d_y), f32({5}, x), f32({5}, forward[1])}, {f32({5})});
    expect_near(backward[0], gradient, 1e-5);
  });
  expect_output("cgelu_bwd_f32", parameters(false), {f32({5}, d_y), f32({5}, x)},
                f32({5}, gradient), 1e-5);
  expect_refused("gelu_fwd_f32", parameters(true), {f32({5}, x)}, {f32({5}), f32({5})}, "operands");
}

TEST(StandinActivation, TanhAndItsGradient) {
  const Numbers x = {-2, 0, 0.5};
  const Numbers y = {std::tanh(-2.0), 0, std::tanh(0.5)};
  expect_output("tanh_fwd_f32", kNone, {f32({3}, x)}, f32({3}, y));
  expect_output("tanh_bwd_f32", kNone, {f32({3}, {1, 2, 3}), f32({3}, y)},
                f32({3}, {1 - y[0] * y[0], 2, 3 * (1 - y[2] * y[2])}));
}

TEST(StandinDropout, KeepsTheExpectationAndGivesItsMask) {
  const size_t count = 4096;
  const Array x = f32({64, 64}, Numbers(count, 3));
  const std::vector<std::byte> values = parameters(0.25F, uint32_t{0});
  run_in_child({}, [&] {
    const Program program;
    const auto one = run_node(program, "dropout_fwd_f32", values, {x, i32({1}, {1})},
                              {f32({64, 64}), i8({64, 64})});
    const auto two = run_node(program, "dropout_fwd_f32", values, {x, i32({1}, {2})},
                              {f32({64, 64}), i8({64, 64})});
    EXPECT_NE(one[1], two[1]);
    double kept = 0;
    for (size_t i = 0; i < count; ++i) {
      kept += one[1][i];
      EXPECT_EQ(one[0][i], one[1][i] * 4);
    }
    // 3072 are expected, with a standard deviation of 27.7.
    EXPECT_NEAR(kept, 3072, 5 * 27.7);
    const auto backward =
        run_node(program, "dropout_bwd_f32", values, {x, i8({64, 64}, one[1])}, {f32({64, 64})});
    EXPECT_EQ(backward[0], one[0]);
  });
}

TEST(StandinDropout, UniformNumbers) {
  expect_outputs("philox_random_uniform_f32", parameters(2.0F, 4.0F, uint32_t{5}), {},
                 {f32({4096})}, [](const auto& outputs) {
                   double sum = 0;
                   for (const double value : outputs[0]) {
                     EXPECT_TRUE(value >= 2 && value < 4);
                     sum += value / 4096;
                   }
                   EXPECT_NEAR(sum, 3, 5 * 2 / std::sqrt(12.0 * 4096));
                 });
}

TEST(StandinLoss, SoftmaxCrossEntropy) {
  const Numbers logits = some(6, 10);
  const Numbers p = softmax(logits, 3);
  const Array labels = i32({2}, {2, 0});
  const auto loss = [](const Numbers& at) {
    const Numbers q = softmax(at, 3);
    return Numbers{-(std::log(q[2]) + std::log(q[3])) / 2};
  };
  expect_outputs("softmax_cross_entropy_fwd_f32", parameters(int32_t{1}, int32_t{2}),
                 {f32({3, 2}, logits), labels}, {f32({1}), f32({3, 2})}, [&](const auto& outputs) {
                   expect_near(outputs[0], loss(logits), 1e-6);
                   expect_near(outputs[1], logarithms(p), 1e-6);
                 });
  expect_output("softmax_cross_entropy_bwd_f32", parameters(int32_t{1}, int32_t{2}),
                {f32({3, 2}, logarithms(p)), labels},
                f32({3, 2}, numeric_gradient(loss, logits, {1})), 1e-5);
  expect_refused("softmax_cross_entropy_fwd_f32", parameters(int32_t{1}, int32_t{2}),
                 {f32({3, 2}, logits), i32({2}, {2, -1})}, {f32({1}), f32({3, 2})}, "index-range");
}

TEST(StandinLoss, NegativeLogLikelihoodWithAnIgnoredLabel) {
  const Numbers scores = {-1, -2, -3, -4, -5, -6};
  const Array labels = i32({3}, {1, -1, 0});
  const std::vector<std::byte> mean = parameters(int32_t{0}, int32_t{-1});
  expect_output("nll_loss_fwd_f32", mean, {f32({2, 3}, scores), labels}, f32({1}, {3.5}));
  expect_output("nll_loss_fwd_f32", parameters(int32_t{1}, int32_t{-1}),
                {f32({2, 3}, scores), labels}, f32({1}, {7}));
  expect_output("nll_loss_fwd_f32", parameters(int32_t{2}, int32_t{-1}),
                {f32({2, 3}, scores), labels}, f32({3}, {2, 0, 5}));
  expect_output("nll_loss_bwd_f32", mean, {f32({1}, {3}), labels},
                f32({2, 3}, {0, -1.5, 0, 0, -1.5, 0}));
}

TEST(StandinLookup, Rows) {
  const Array table = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_output("gather_fwd_f32", parameters(int32_t{1}), {table, i32({2}, {2, 0})},
                f32({2, 2}, {5, 6, 1, 2}));
  expect_output("gather_fwd_f32", parameters(int32_t{0}, int32_t{0}), {table, i32({1}, {1})},
                f32({1, 3}, {2, 4, 6}));
  expect_output("embedding_pt_fwd_f32", kNone, {table, i32({2}, {2, 0})},
                f32({2, 2}, {5, 6, 1, 2}));
  expect_refused("gather_fwd_f32", parameters(int32_t{1}), {table, i32({1}, {3})}, {f32({2, 1})},
                 "index-range");
}

TEST(StandinLookup, SumsOfRows) {
  const Array d_rows = f32({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Array ids = i32({4}, {1, 0, 1, 2});
  expect_output("embedding_dense_pt_bwd_f32", parameters(int32_t{3}, int32_t{-1}, uint32_t{0}),
                {d_rows, ids}, f32({2, 3}, {3, 4, 6, 8, 7, 8}));
  expect_output("embedding_dense_pt_bwd_f32", parameters(int32_t{3}, int32_t{2}, uint32_t{0}),
                {d_rows, ids}, f32({2, 3}, {3, 4, 6, 8, 0, 0}));
}

}  // namespace
}  // namespace bertha::standin::test
