#include "ops/embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/thread_pool.h"
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
constexpr int64_t kSeed = 9;
constexpr int64_t kDraw = 2;
constexpr int64_t kWords = 29;
constexpr int64_t kPositions = 16;

struct Case {
  int64_t tokens;
  int64_t columns;
  DType dtype;
  double dropout;
};

std::string describe(const Case& c) {
  return fmt::format("{} x {} {}, dropout {}", c.tokens, c.columns, name_of(c.dtype), c.dropout);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int64_t columns : {3, 17, 96, 768}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      all.push_back({71, columns, dtype, 0.1});
      all.push_back({5, columns, dtype, 0});
    }
  }
  return all;
}

/// Ids repeat: 71 tokens share 29 words, 16 positions and 2 segments.
struct Inputs {
  explicit Inputs(const Case& c)
      : word(test::uniform_values(kWords * c.columns, 1)),
        position(test::uniform_values(kPositions * c.columns, 2)),
        segment(test::uniform_values(2 * c.columns, 3)),
        gamma(test::uniform_values(c.columns, 4)),
        beta(test::uniform_values(c.columns, 5)),
        d_y(test::rounded_to(c.dtype, test::uniform_values(c.tokens * c.columns, 6))) {
    for (int64_t t = 0; t < c.tokens; ++t) {
      words.push_back(static_cast<float>(t % 7 == 0 ? 4 : t * t % kWords));
      positions.push_back(static_cast<float>(t % kPositions));
      segments.push_back(static_cast<float>(t / 8 % 2));
    }
  }
  Values word, position, segment, gamma, beta, d_y, words, positions, segments;
};

struct EmbeddingRun {
  EmbeddingRun(const Case& c, const Inputs& in)
      : dropout(make_dropout(c.dropout, 1, host.seed(kSeed, kDraw))),
        ids({.word = host.tensor({c.tokens}, in.words, DType::kI32),
             .position = host.tensor({c.tokens}, in.positions, DType::kI32),
             .segment = host.tensor({c.tokens}, in.segments, DType::kI32)}),
        tables({.word = host.tensor({kWords, c.columns}, in.word),
                .position = host.tensor({kPositions, c.columns}, in.position),
                .segment = host.tensor({2, c.columns}, in.segment)}),
        d_tables({.word = InOut(host.filled({kWords, c.columns}, 0.25F)),
                  .position = InOut(host.filled({kPositions, c.columns}, 0.25F)),
                  .segment = InOut(host.filled({2, c.columns}, 0.25F))}),
        gamma(host.tensor({c.columns}, in.gamma)),
        beta(host.tensor({c.columns}, in.beta)),
        z(host.filled({c.tokens, c.columns}, NAN, c.dtype)),
        y(host.filled({c.tokens, c.columns}, NAN, c.dtype)),
        mean(host.filled({c.tokens}, NAN)),
        rstd(host.filled({c.tokens}, NAN)),
        d(host.tensor({c.tokens, c.columns}, in.d_y, c.dtype)),
        d_gamma(host.filled({c.columns}, 0)),
        d_beta(host.filled({c.columns}, 0)) {}

  void forward() {
    embedding(host.context(), {.ids = ids,
                               .tables = tables,
                               .gamma = gamma,
                               .beta = beta,
                               .eps = kEps,
                               .dropout = dropout,
                               .z = Out(z),
                               .y = Out(y),
                               .mean = Out(mean),
                               .rstd = Out(rstd)});
  }
  void backward() {
    embedding_backward(host.context(), {.ids = ids,
                                        .z = z,
                                        .mean = mean,
                                        .rstd = rstd,
                                        .gamma = gamma,
                                        .dropout = dropout,
                                        .d = InOut(d),
                                        .d_tables = d_tables,
                                        .d_gamma = InOut(d_gamma),
                                        .d_beta = InOut(d_beta)});
  }
  double factor(int64_t element) const {
    return reference::dropout_factor(dropout, kSeed, kDraw, element);
  }

  Host host;
  Dropout dropout;
  EmbeddingIds ids;
  EmbeddingTables tables;
  EmbeddingTableGradients d_tables;
  Tensor gamma, beta, z, y, mean, rstd, d, d_gamma, d_beta;
};

/// The sum of token t's three table rows.
template <typename S, typename Table>
std::vector<S> sum_of_rows(const Inputs& in, const Table& word, const Table& position,
                           const Table& segment, int64_t t, int64_t columns) {
  const auto token = static_cast<size_t>(t);
  const auto at = [&](const Table& table, float row, int64_t c) {
    return S(table[static_cast<size_t>(static_cast<int64_t>(row) * columns + c)]);
  };
  std::vector<S> z;
  for (int64_t c = 0; c < columns; ++c) {
    z.push_back(at(word, in.words[token], c) + at(position, in.positions[token], c) +
                at(segment, in.segments[token], c));
  }
  return z;
}

TEST(Embedding, FollowsTheReference) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(describe(c));
    const Inputs in(c);
    EmbeddingRun run(c, in);
    run.forward();
    Doubles z, y;
    const Values stored = Host::values(run.z);
    for (int64_t t = 0; t < c.tokens; ++t) {
      const Doubles sum = sum_of_rows<double>(in, in.word, in.position, in.segment, t, c.columns);
      z.insert(z.end(), sum.begin(), sum.end());
      const Doubles row(stored.begin() + t * c.columns, stored.begin() + (t + 1) * c.columns);
      const Doubles norm = reference::layer_norm_row(row, {in.gamma.begin(), in.gamma.end()},
                                                     {in.beta.begin(), in.beta.end()}, kEps);
      for (size_t i = 0; i < norm.size(); ++i) {
        y.push_back(norm[i] * run.factor(t * c.columns + static_cast<int64_t>(i)));
      }
    }
    const double limit = test::tolerance(c.dtype, static_cast<double>(c.columns));
    test::expect_close(stored, z, limit, "z");
    test::expect_close(Host::values(run.y), y, limit, "y");
  }
}

/// Tables whose derivative is asked for, as duals.
struct DualTables {
  explicit DualTables(const Inputs& in)
      : word(in.word.begin(), in.word.end()),
        position(in.position.begin(), in.position.end()),
        segment(in.segment.begin(), in.segment.end()) {}
  std::vector<Dual> word, position, segment;
};

double loss_derivative(const Case& c, const Inputs& in, const DualTables& tables,
                       const EmbeddingRun& run) {
  const std::vector<Dual> gamma(in.gamma.begin(), in.gamma.end());
  const std::vector<Dual> beta(in.beta.begin(), in.beta.end());
  double derivative = 0;
  for (int64_t t = 0; t < c.tokens; ++t) {
    const auto z =
        sum_of_rows<Dual>(in, tables.word, tables.position, tables.segment, t, c.columns);
    const std::vector<Dual> y = reference::layer_norm_row(z, gamma, beta, 1e-12);
    for (size_t i = 0; i < y.size(); ++i) {
      const int64_t element = t * c.columns + static_cast<int64_t>(i);
      const auto d_y = static_cast<double>(in.d_y[static_cast<size_t>(element)]);
      derivative += y[i].derivative * run.factor(element) * d_y;
    }
  }
  return derivative;
}

TEST(Embedding, BackwardIsTheDerivative) {
  const Case c{71, 5, DType::kF32, 0.1};
  const Inputs in(c);
  EmbeddingRun run(c, in);
  run.forward();
  run.backward();
  DualTables tables(in);
  const auto check = [&](std::vector<Dual>& table, const Tensor& gradient, const char* what) {
    Doubles expected;
    for (Dual& entry : table) {
      entry.derivative = 1;
      expected.push_back(0.25 + loss_derivative(c, in, tables, run));
      entry.derivative = 0;
    }
    test::expect_close(Host::values(gradient), expected, 1e-5, what);
  };
  check(tables.word, run.d_tables.word.tensor(), "word");
  check(tables.position, run.d_tables.position.tensor(), "position");
  check(tables.segment, run.d_tables.segment.tensor(), "segment");
}

TEST(Embedding, BackwardAddsRowsInTokenOrder) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(describe(c));
    const Inputs in(c);
    EmbeddingRun run(c, in);
    run.forward();
    run.backward();
    // d now holds the gradient of z: the scatter is exact given it.
    const Values d = Host::values(run.d);
    const auto scattered = [&](const Values& rows, int64_t table_rows) {
      Values sums(static_cast<size_t>(table_rows * c.columns), 0.25F);
      for (size_t i = 0; i < d.size(); ++i) {
        const auto row = static_cast<size_t>(rows[i / static_cast<size_t>(c.columns)]);
        sums[row * static_cast<size_t>(c.columns) + i % static_cast<size_t>(c.columns)] += d[i];
      }
      return sums;
    };
    EXPECT_EQ(Host::values(run.d_tables.word.tensor()), scattered(in.words, kWords));
    EXPECT_EQ(Host::values(run.d_tables.position.tensor()), scattered(in.positions, kPositions));
    EXPECT_EQ(Host::values(run.d_tables.segment.tensor()), scattered(in.segments, 2));
  }
}

TEST(Embedding, BackwardFollowsTheReference) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(describe(c));
    const Inputs in(c);
    EmbeddingRun run(c, in);
    run.forward();
    run.backward();
    const auto columns = static_cast<size_t>(c.columns);
    Doubles d_z, d_gamma(columns), d_beta(columns);
    const Values z = Host::values(run.z);
    for (int64_t t = 0; t < c.tokens; ++t) {
      const int64_t begin = t * c.columns;
      Doubles d_norm;
      for (int64_t i = begin; i < begin + c.columns; ++i) {
        const auto dropped =
            static_cast<float>(run.factor(i) * static_cast<double>(in.d_y[static_cast<size_t>(i)]));
        d_norm.push_back(static_cast<double>(test::rounded_to(c.dtype, {dropped})[0]));
      }
      const Doubles row = reference::layer_norm_row_backward(
          Doubles(z.begin() + begin, z.begin() + begin + c.columns),
          Doubles(in.gamma.begin(), in.gamma.end()), 1e-12, d_norm, d_gamma, d_beta);
      d_z.insert(d_z.end(), row.begin(), row.end());
    }
    test::expect_close(Host::values(run.d), d_z,
                       4 * test::tolerance(c.dtype, static_cast<double>(c.columns)), "d_z");
    test::expect_close(Host::values(run.d_gamma), d_gamma, 1e-5, "d_gamma");
    test::expect_close(Host::values(run.d_beta), d_beta, 1e-5, "d_beta");
  }
}

TEST(Embedding, BitsDoNotDependOnThreads) {
  const Case c{71, 96, DType::kBF16, 0.1};
  const Inputs in(c);
  std::vector<std::vector<Values>> results;
  for (const int threads : {1, 2, 3, 3}) {
    ThreadPool pool(threads);
    const PoolBinding binding(pool);
    EmbeddingRun run(c, in);
    run.forward();
    run.backward();
    results.push_back({Host::values(run.y), Host::values(run.d_tables.word.tensor()),
                       Host::values(run.d_tables.position.tensor()),
                       Host::values(run.d_tables.segment.tensor()), Host::values(run.d_gamma),
                       Host::values(run.d_beta)});
  }
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

TEST(Embedding, RowsWithoutGradientAddNothing) {
  const Case c{6, 17, DType::kF32, 0.1};
  Inputs in(c);
  in.d_y.assign(in.d_y.size(), 0);
  EmbeddingRun run(c, in);
  run.forward();
  run.backward();
  EXPECT_EQ(Host::values(run.d_tables.word.tensor()), Values(kWords * 17, 0.25F));
  EXPECT_EQ(Host::values(run.d_tables.segment.tensor()), Values(2 * 17, 0.25F));
}

TEST(Embedding, RefusesIdsOutsideTheirTable) {
  const Case c{5, 8, DType::kF32, 0};
  for (const float wrong : {-1.0F, static_cast<float>(kWords)}) {
    Inputs in(c);
    in.words[3] = wrong;
    EmbeddingRun run(c, in);
    EXPECT_THROW(run.forward(), LogicError);
    EXPECT_THROW(run.backward(), LogicError);
  }
}

}  // namespace
}  // namespace bertha::ops
