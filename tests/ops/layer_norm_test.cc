#include "ops/layer_norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "core/thread_pool.h"
#include "ops/cpu/layer_norm_kernels.h"
#include "ops/layer_norm_ref.h"
#include "support/compare.h"
#include "support/dual.h"
#include "support/host.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::Host;
using Values = std::vector<float>;
using Doubles = std::vector<double>;

constexpr float kEps = 1e-12F;
constexpr int64_t kSeed = 77;
constexpr int64_t kDraw = 5;
constexpr uint32_t kSite = 3;

struct Case {
  int64_t rows;
  int64_t columns;
  DType dtype;
  double dropout;
  bool residual;
};

std::string describe(const Case& c) {
  return fmt::format("{} x {} {}, dropout {}, residual {}", c.rows, c.columns, name_of(c.dtype),
                     c.dropout, c.residual);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int64_t columns : {1, 3, 17, 96, 768, 1024}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const double dropout : {0.0, 0.1}) {
        all.push_back({columns < 100 ? 101 : 37, columns, dtype, dropout, dropout > 0});
        all.push_back({7, columns, dtype, dropout, dropout == 0});
      }
    }
  }
  return all;
}

/// Inputs as the tensors hold them.
struct Inputs {
  explicit Inputs(const Case& c)
      : x(test::rounded_to(c.dtype, test::uniform_values(c.rows * c.columns, 1, 2))),
        residual(test::rounded_to(c.dtype, test::uniform_values(c.rows * c.columns, 2))),
        gamma(test::uniform_values(c.columns, 3)),
        beta(test::uniform_values(c.columns, 4)),
        d_y(test::rounded_to(c.dtype, test::uniform_values(c.rows * c.columns, 5))) {}
  Values x, residual, gamma, beta, d_y;
};

Doubles row_of(const Values& values, int64_t row, int64_t columns) {
  const auto begin = values.begin() + row * columns;
  return {begin, begin + columns};
}
Doubles widened(const Values& values) {
  return {values.begin(), values.end()};
}

/// The operands of both passes.
struct NormRun {
  NormRun(const Case& c, const Inputs& in)
      : dropout(make_dropout(c.dropout, kSite, host.seed(kSeed, kDraw))),
        z(host.tensor({c.rows, c.columns}, in.x, c.dtype)),
        residual(c.residual ? host.tensor({c.rows, c.columns}, in.residual, c.dtype) : Tensor()),
        gamma(host.tensor({c.columns}, in.gamma)),
        beta(host.tensor({c.columns}, in.beta)),
        y(host.filled({c.rows, c.columns}, NAN, c.dtype)),
        mean(host.filled({c.rows}, NAN)),
        rstd(host.filled({c.rows}, NAN)),
        d(host.tensor({c.rows, c.columns}, in.d_y, c.dtype)),
        d_x(c.dropout > 0 ? host.filled({c.rows, c.columns}, NAN, c.dtype) : Tensor()),
        d_gamma(host.filled({c.columns}, 0.5F)),
        d_beta(host.filled({c.columns}, -0.5F)) {}

  void forward() {
    layer_norm(host.context(), {.z = InOut(z),
                                .residual = residual,
                                .gamma = gamma,
                                .beta = beta,
                                .eps = kEps,
                                .dropout = dropout,
                                .y = Out(y),
                                .mean = Out(mean),
                                .rstd = Out(rstd)});
  }
  void backward() {
    layer_norm_backward(host.context(), {.z = z,
                                         .mean = mean,
                                         .rstd = rstd,
                                         .gamma = gamma,
                                         .dropout = dropout,
                                         .d = InOut(d),
                                         .d_x = Out(d_x),
                                         .d_gamma = InOut(d_gamma),
                                         .d_beta = InOut(d_beta)});
  }

  Host host;
  Dropout dropout;
  Tensor z, residual, gamma, beta, y, mean, rstd, d, d_x, d_gamma, d_beta;
};

double factor(const NormRun& run, int64_t element) {
  return reference::dropout_factor(run.dropout, kSeed, kDraw, element);
}

/// A result rounded to bf16 may differ by one rounding, about 2^-9 each.
double limit_of(const Case& c) {
  return test::tolerance(c.dtype, static_cast<double>(c.columns));
}

TEST(LayerNorm, FollowsTheReference) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(describe(c));
    const Inputs in(c);
    NormRun run(c, in);
    run.forward();
    Doubles z, y, mean, rstd;
    const Values stored = Host::values(run.z);
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t i = r * c.columns; i < (r + 1) * c.columns; ++i) {
        const auto at = static_cast<size_t>(i);
        z.push_back(in.x[at] * factor(run, i) + (c.residual ? in.residual[at] : 0));
      }
      // Statistics are those of z as it is stored, which the backward pass reads.
      const Doubles row = row_of(stored, r, c.columns);
      const auto statistics = reference::row_statistics(row, kEps);
      mean.push_back(statistics.mean);
      rstd.push_back(statistics.rstd);
      const Doubles norm =
          reference::layer_norm_row(row, widened(in.gamma), widened(in.beta), kEps);
      y.insert(y.end(), norm.begin(), norm.end());
    }
    test::expect_close(stored, z, limit_of(c), "z");
    test::expect_close(Host::values(run.y), y, limit_of(c), "y");
    test::expect_close(Host::values(run.mean), mean, 1e-6, "mean");
    if (c.columns > 1) test::expect_close(Host::values(run.rstd), rstd, 1e-5, "rstd");
  }
}

TEST(LayerNorm, DropsWhatTheRuleSays) {
  const Case c{64, 96, DType::kF32, 0.25, false};
  const Inputs in(c);
  NormRun run(c, in);
  run.forward();
  const Values z = Host::values(run.z);
  int64_t dropped = 0;
  for (int64_t i = 0; i < c.rows * c.columns; ++i) {
    const bool keeps = dropout_keeps(run.dropout, kSeed, kDraw, i);
    dropped += keeps ? 0 : 1;
    ASSERT_EQ(z[static_cast<size_t>(i)] != 0, keeps) << i;
  }
  EXPECT_GT(dropped, 64 * 96 / 5);
  EXPECT_LT(dropped, 64 * 96 / 3);
}

TEST(LayerNorm, BackwardFollowsTheReference) {
  for (const Case& c : cases()) {
    if (c.columns == 1) continue;  // one column has no variance, its gradient is rounding noise
    SCOPED_TRACE(describe(c));
    const Inputs in(c);
    NormRun run(c, in);
    run.forward();
    run.backward();
    Doubles d, d_x, d_gamma(in.gamma.size(), 0.5), d_beta(in.gamma.size(), -0.5);
    const Values z = Host::values(run.z);
    for (int64_t r = 0; r < c.rows; ++r) {
      const Doubles row = reference::layer_norm_row_backward(
          row_of(z, r, c.columns), widened(in.gamma), static_cast<double>(kEps),
          row_of(in.d_y, r, c.columns), d_gamma, d_beta);
      d.insert(d.end(), row.begin(), row.end());
    }
    for (size_t i = 0; i < d.size(); ++i) {
      d_x.push_back(d[i] * factor(run, static_cast<int64_t>(i)));
    }
    test::expect_close(Host::values(run.d), d, 4 * limit_of(c), "d_z");
    if (c.dropout > 0) test::expect_close(Host::values(run.d_x), d_x, 4 * limit_of(c), "d_x");
    test::expect_close(Host::values(run.d_gamma), d_gamma, 1e-5, "d_gamma");
    test::expect_close(Host::values(run.d_beta), d_beta, 1e-5, "d_beta");
  }
}

/// The row's loss Σ d_y y as a function of its residual-plus-dropout input and parameters.
Dual loss_of(const std::vector<Dual>& x, const Doubles& factors, const std::vector<Dual>& gamma,
             const std::vector<Dual>& beta, const Values& d_y) {
  std::vector<Dual> z(x.size());
  for (size_t c = 0; c < x.size(); ++c) z[c] = x[c] * Dual(factors[c]);
  const std::vector<Dual> y = reference::layer_norm_row(z, gamma, beta, 1e-12);
  Dual loss;
  for (size_t c = 0; c < x.size(); ++c) loss += y[c] * Dual(static_cast<double>(d_y[c]));
  return loss;
}

TEST(LayerNorm, BackwardIsTheDerivative) {
  for (const int64_t columns : {3, 17, 96}) {
    const Case c{1, columns, DType::kF32, 0.1, false};
    const Inputs in(c);
    NormRun run(c, in);
    run.forward();
    run.backward();
    Doubles factors, d_x, d_gamma, d_beta;
    for (int64_t i = 0; i < columns; ++i) factors.push_back(factor(run, i));
    std::vector<Dual> x(in.x.begin(), in.x.end()), gamma(in.gamma.begin(), in.gamma.end()),
        beta(in.beta.begin(), in.beta.end());
    const auto seed_each = [&](std::vector<Dual>& inputs, double start, Doubles& gradient) {
      for (Dual& input : inputs) {
        input.derivative = 1;
        gradient.push_back(start + loss_of(x, factors, gamma, beta, in.d_y).derivative);
        input.derivative = 0;
      }
    };
    seed_each(x, 0, d_x);
    seed_each(gamma, 0.5, d_gamma);
    seed_each(beta, -0.5, d_beta);
    test::expect_close(Host::values(run.d_x), d_x, 1e-5, "d_x");
    test::expect_close(Host::values(run.d_gamma), d_gamma, 1e-5, "d_gamma");
    test::expect_close(Host::values(run.d_beta), d_beta, 1e-5, "d_beta");
  }
}

TEST(LayerNorm, RowsWithoutVarianceAndNaNStayInTheirRow) {
  const Case c{3, 33, DType::kF32, 0, false};
  Inputs in(c);
  std::fill_n(in.x.begin(), 33, 4.25F);
  in.x[33 + 7] = NAN;
  NormRun run(c, in);
  run.forward();
  const Values y = Host::values(run.y);
  for (size_t i = 0; i < 33; ++i) {
    EXPECT_EQ(y[i], in.beta[i]);  // z - mean is exactly 0
    EXPECT_TRUE(std::isnan(y[33 + i]));
    EXPECT_TRUE(std::isfinite(y[66 + i]));
  }
  EXPECT_EQ(Host::values(run.rstd)[0], 1 / std::sqrt(kEps));
}

TEST(LayerNorm, ALargeMeanDoesNotEatTheVariance) {
  const Case c{2, 1024, DType::kF32, 0, false};
  Inputs in(c);
  for (float& x : in.x) x += 3000;
  NormRun run(c, in);
  run.forward();
  const auto statistics = reference::row_statistics(row_of(in.x, 0, 1024), kEps);
  EXPECT_NEAR(Host::values(run.rstd)[0], statistics.rstd, 1e-5 * statistics.rstd);
}

TEST(LayerNorm, BitsDoNotDependOnThreads) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Case c{1001, 96, dtype, 0.1, true};
    const Inputs in(c);
    std::vector<std::vector<Values>> results;
    for (const int threads : {1, 2, 3, 3}) {
      ThreadPool pool(threads);
      const PoolBinding binding(pool);
      NormRun run(c, in);
      run.forward();
      run.backward();
      results.push_back({Host::values(run.y), Host::values(run.d), Host::values(run.d_x),
                         Host::values(run.d_gamma), Host::values(run.d_beta)});
    }
    for (const auto& result : results) EXPECT_EQ(result, results.front());
  }
}

TEST(LayerNorm, RefusesWrongOperands) {
  const Case c{4, 8, DType::kF32, 0.1, true};
  const Inputs in(c);
  NormRun run(c, in);
  run.gamma = run.host.filled({7}, 1);
  EXPECT_THROW(run.forward(), LogicError);
  NormRun other(c, in);
  other.d_x = Tensor();
  EXPECT_THROW(other.backward(), LogicError);
}

TEST(LayerNorm, ADryRunMeasuresTheScratch) {
  cpu::CpuDevice device;
  Arena dry;
  Context context(device, dry);
  const Tensor rows = context.make({640, 16}, DType::kF32);
  const Tensor columns = context.make({16}, DType::kF32);
  const Tensor statistics = context.make({640}, DType::kF32);
  const int64_t before = dry.used_bytes();
  layer_norm_backward(context, {.z = rows,
                                .mean = statistics,
                                .rstd = statistics,
                                .gamma = columns,
                                .d = InOut(rows),
                                .d_gamma = InOut(columns),
                                .d_beta = InOut(columns)});
  EXPECT_EQ(dry.used_bytes(), before);
  EXPECT_EQ(dry.peak_bytes(), before + 20 * 2 * 16 * 4);
}

template <typename T>
std::vector<T> bits_of(const Values& values) {
  if constexpr (sizeof(T) == 4) {
    return values;
  } else {
    std::vector<T> bits;
    for (const float value : values) bits.push_back(BFloat16::round(value));
    return bits;
  }
}

/// Everything the row kernels write for one row, as floats.
template <typename T>
std::vector<std::vector<T>> outputs_of(const RowKernels<T>& kernels, int64_t columns) {
  const auto size = static_cast<size_t>(columns);
  const Values gamma = test::uniform_values(columns, 3), beta = test::uniform_values(columns, 4);
  const std::vector<uint64_t> keep((size + 63) / 64, 0x9f3355ccf0e1d2c3U);
  const RowDropout dropout{.keep = keep.data(), .scale = 1.25F};
  std::vector<T> z = bits_of<T>(test::uniform_values(columns, 6, 3)), y(size), d_x(size);
  std::vector<T> d = bits_of<T>(test::uniform_values(columns, 7)), sums(size);
  const std::vector<T> residual = bits_of<T>(test::uniform_values(columns, 8));
  Values d_gamma(size, 1), d_beta(size, 2), statistics(2), gathered(size, 3);
  kernels.add_residual(z.data(), residual.data(), dropout, columns);
  kernels.normalise(z.data(), gamma.data(), beta.data(), kEps, dropout,
                    {.y = y.data(), .mean = statistics.data(), .rstd = &statistics[1]}, columns);
  kernels.backward({z.data(), statistics[0], statistics[1], gamma.data(), d.data(), d_x.data(),
                    dropout, d_gamma.data(), d_beta.data()},
                   columns);
  kernels.add_three(gamma.data(), beta.data(), gamma.data(), sums.data(), columns);
  kernels.accumulate(d.data(), gathered.data(), columns);
  return {z,
          y,
          d,
          d_x,
          sums,
          bits_of<T>(d_gamma),
          bits_of<T>(d_beta),
          bits_of<T>(gathered),
          bits_of<T>(statistics)};
}

TEST(LayerNorm, KernelsOfAllInstructionSetsGiveTheSameBits) {
  if (cpu::best_isa() < cpu::Isa::kAvx512) GTEST_SKIP() << "no AVX-512 here";
  for (int64_t columns = 1; columns < 150; ++columns) {
    EXPECT_EQ(outputs_of(kLayerNormAvx2.f32, columns), outputs_of(kLayerNormAvx512.f32, columns));
    EXPECT_EQ(outputs_of(kLayerNormAvx2.bf16, columns), outputs_of(kLayerNormAvx512.bf16, columns));
  }
}

}  // namespace
}  // namespace bertha::ops
