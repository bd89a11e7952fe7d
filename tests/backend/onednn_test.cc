// Only processors with AMX run bf16 products on oneDNN. Its blocks are the same on all processors
// for which the library has bf16, so these tests run on all of them.

#include "backend/cpu/onednn.h"

#include <gtest/gtest.h>

#include "backend/cpu/weight_copies.h"
#include "core/thread_pool.h"
#include "support/compare.h"
#include "support/host.h"

namespace bertha::cpu {
namespace {

using test::Host;
using Values = std::vector<float>;

struct Sizes {
  int64_t tokens, inner, outer;
};

/// x, w and b with their products in double.
class Products : public testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    if (!MatrixProducts::supported()) GTEST_SKIP() << "oneDNN has no bf16 here";
  }

  Tensor random(const Shape& shape, DType dtype, uint64_t stream) {
    return host_.tensor(
        shape, test::rounded_to(dtype, test::uniform_values(shape.size(), stream, 1)), dtype);
  }
  static double element(const Values& values, int64_t row, int64_t column, int64_t columns) {
    return static_cast<double>(values[static_cast<size_t>(row * columns + column)]);
  }
  std::vector<double> expected_forward() {
    const Values x = Host::values(x_);
    const Values w = Host::values(w_);
    const Values b = Host::values(b_);
    std::vector<double> y;
    for (int64_t t = 0; t < s_.tokens; ++t) {
      for (int64_t n = 0; n < s_.outer; ++n) {
        double sum = static_cast<double>(b[static_cast<size_t>(n)]);
        for (int64_t k = 0; k < s_.inner; ++k) {
          sum += element(x, t, k, s_.inner) * element(w, n, k, s_.inner);
        }
        y.push_back(std::max(sum, 0.0));
      }
    }
    return y;
  }
  /// d_x + y w.
  std::vector<double> expected_backward() {
    const Values y = Host::values(y_);
    const Values w = Host::values(w_);
    const Values before = Host::values(d_x_);
    std::vector<double> d_x;
    for (int64_t t = 0; t < s_.tokens; ++t) {
      for (int64_t k = 0; k < s_.inner; ++k) {
        double sum = element(before, t, k, s_.inner);
        for (int64_t n = 0; n < s_.outer; ++n) {
          sum += element(y, t, n, s_.outer) * element(w, n, k, s_.inner);
        }
        d_x.push_back(sum);
      }
    }
    return d_x;
  }

  Host host_{int64_t{1} << 24};
  Sizes s_ = GetParam();
  Tensor x_ = random({s_.tokens, s_.inner}, DType::kBF16, 1);
  Tensor w_ = random({s_.outer, s_.inner}, DType::kBF16, 2);
  Tensor b_ = random({s_.outer}, DType::kF32, 3);
  Tensor y_ = random({s_.tokens, s_.outer}, DType::kBF16, 4);
  Tensor d_x_ = random({s_.tokens, s_.inner}, DType::kBF16, 5);
  WeightCopies copies_;
  MatrixProducts products_{host_.device(), copies_};
};

TEST_P(Products, ForwardIsTheProduct) {
  const std::vector<double> expected = expected_forward();
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const PoolBinding binding(pool);
    products_.forward(x_, w_, b_, Epilogue::kRelu, out(y_), 0);
    test::expect_close(Host::values(y_), expected, test::tolerance(DType::kBF16), "y");
  }
}

TEST_P(Products, BackwardAddsTheProduct) {
  const std::vector<double> expected = expected_backward();
  products_.backward_data(y_, w_, true, inout(d_x_), 0);
  test::expect_close(Host::values(d_x_), expected, test::tolerance(DType::kBF16), "d_x");
}

TEST_P(Products, ChangedWeightsArePackedAgain) {
  products_.forward(x_, w_, b_, Epilogue::kRelu, out(y_), 0);
  const Tensor other = random({s_.outer, s_.inner}, DType::kBF16, 9);
  host_.device().copy(other, out(w_));
  products_.forward(x_, w_, b_, Epilogue::kRelu, out(y_), 1);
  test::expect_close(Host::values(y_), expected_forward(), test::tolerance(DType::kBF16), "y");
}

// One block; blocks of tokens and panels with rests; a panel of the whole width.
INSTANTIATE_TEST_SUITE_P(Sizes, Products,
                         testing::Values(Sizes{1, 1, 1}, Sizes{3, 17, 33}, Sizes{65, 64, 256},
                                         Sizes{130, 96, 300}, Sizes{64, 300, 520}));

}  // namespace
}  // namespace bertha::cpu
