#include "ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "core/philox.h"
#include "core/thread_pool.h"
#include "ops/attention_ref.h"
#include "ops/cpu/attention_cpu.h"
#include "support/compare.h"
#include "support/dual.h"

namespace bertha::ops {
namespace {

using test::Dual;

constexpr uint64_t kSeed = 0x0123456789abcdefU;
constexpr uint32_t kDraw = 11;

/// One problem: tensors on the CPU and the same numbers in double for the reference.
class Problem {
 public:
  Problem(reference::AttentionSizes sizes, const std::vector<int64_t>& lengths, DType dtype,
          double dropped, double spread = 1, int64_t fillers = 0)
      : sizes_(sizes), dtype_(dtype) {
    start_.push_back(0);
    for (const int64_t length : lengths) {
      start_.push_back(start_.back() + static_cast<int32_t>(length));
    }
    tokens_ = start_.back() + fillers;
    seed_ = tensor({2}, DType::kI64);
    cpu::data<int64_t>(out(seed_))[0] = static_cast<int64_t>(kSeed);
    cpu::data<int64_t>(out(seed_))[1] = kDraw;
    dropout_ = make_dropout(dropped, 3, seed_);
    seq_start_ = tensor({static_cast<int64_t>(start_.size())}, DType::kI32);
    std::copy(start_.begin(), start_.end(), cpu::data<int32_t>(out(seq_start_)));
    qkv_ = random({tokens_, 3 * sizes.hidden()}, spread, 1);
    d_y_ = random({tokens_, sizes.hidden()}, 1, 2);
    y_ = tensor({tokens_, sizes.hidden()}, dtype);
    lse_ = tensor({tokens_, sizes.heads}, DType::kF32);
    d_qkv_ = tensor(qkv_.shape(), dtype);
  }

  AttentionShape shape() const { return {.heads = sizes_.heads, .max_length = sizes_.max_length}; }
  Attention forward_op() const {
    return {.qkv = qkv_,
            .seq_start = seq_start_,
            .shape = shape(),
            .dropout = dropout_,
            .y = out(y_),
            .lse = out(lse_)};
  }
  AttentionBackward backward_op() const {
    return {.qkv = qkv_,
            .seq_start = seq_start_,
            .shape = shape(),
            .dropout = dropout_,
            .y = y_,
            .lse = lse_,
            .d_y = d_y_,
            .d_qkv = out(d_qkv_)};
  }
  void forward(cpu::Isa isa) {
    scribble(y_);
    scribble(lse_);
    attention_cpu(forward_op(), isa);
  }
  void backward(cpu::Isa isa) {
    scribble(d_qkv_);
    attention_backward_cpu(backward_op(), isa);
  }

  bool keeps(int64_t element) const {
    return !dropout_.active() || dropout_keeps(dropout_, kSeed, kDraw, element);
  }
  template <typename T>
  void reference_forward(const std::vector<T>& qkv, std::vector<T>* y, std::vector<T>* lse) const {
    reference::attention(
        qkv, start_, sizes_, double{dropout_.scale()}, [this](int64_t e) { return keeps(e); }, y,
        lse);
  }
  std::vector<double> reference_backward() const {
    std::vector<double> d_qkv;
    reference::attention_backward(
        values(qkv_), start_, sizes_, double{dropout_.scale()},
        [this](int64_t e) { return keeps(e); }, values(d_y_), &d_qkv);
    return d_qkv;
  }

  static std::vector<double> values(const Tensor& tensor) {
    std::vector<double> result;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      result.push_back(tensor.dtype() == DType::kF32
                           ? double{cpu::data<float>(tensor)[i]}
                           : double{static_cast<float>(cpu::data<BFloat16>(tensor)[i])});
    }
    return result;
  }
  static std::vector<uint8_t> bytes(const Tensor& tensor) {
    const auto* base = static_cast<const uint8_t*>(cpu::address(tensor));
    return {base, base + tensor.size_bytes()};
  }

  cpu::CpuDevice device;
  const Tensor& qkv() const { return qkv_; }
  const Tensor& seq_start() const { return seq_start_; }
  const Tensor& y() const { return y_; }
  const Tensor& lse() const { return lse_; }
  const Tensor& d_y() const { return d_y_; }
  const Tensor& d_qkv() const { return d_qkv_; }
  const Dropout& dropout() const { return dropout_; }
  int64_t real_rows() const { return start_.back(); }
  int64_t longest() const {
    int64_t most = 0;
    for (size_t i = 1; i < start_.size(); ++i) {
      most = std::max<int64_t>(most, start_[i] - start_[i - 1]);
    }
    return most;
  }
  const reference::AttentionSizes& sizes() const { return sizes_; }

 private:
  Tensor tensor(Shape shape, DType dtype) {
    buffers_.push_back(std::make_unique<Buffer>(device.allocate(shape.size() * size_of(dtype))));
    return {buffers_.back().get(), 0, dtype, shape};
  }
  /// What an op leaves unwritten shows as NaN.
  static void scribble(const Tensor& tensor) {
    std::memset(cpu::address(tensor), 0xff, static_cast<size_t>(tensor.size_bytes()));
  }
  Tensor random(Shape shape, double spread, uint64_t stream) {
    Tensor result = tensor(shape, dtype_);
    PhiloxStream numbers(5, stream);
    for (int64_t i = 0; i < result.size(); ++i) {
      const auto x = static_cast<float>((numbers.uniform() * 2 - 1) * spread);
      if (dtype_ == DType::kF32) {
        cpu::data<float>(out(result))[i] = x;
      } else {
        cpu::data<BFloat16>(out(result))[i] = BFloat16(x);
      }
    }
    return result;
  }

  reference::AttentionSizes sizes_;
  DType dtype_;
  int64_t tokens_ = 0;
  std::vector<int32_t> start_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  Dropout dropout_;
  Tensor seed_, seq_start_, qkv_, d_y_, y_, lse_, d_qkv_;
};

std::vector<cpu::Isa> available_isas() {
  std::vector<cpu::Isa> isas;
  for (int i = 0; i <= static_cast<int>(cpu::best_isa()); ++i) {
    isas.push_back(static_cast<cpu::Isa>(i));
  }
  return isas;
}

/// Holds forward and backward of every instruction set against the reference in double.
void expect_reference(Problem& problem, const std::string& what) {
  const DType dtype = problem.qkv().dtype();
  std::vector<double> y;
  std::vector<double> lse;
  problem.reference_forward(Problem::values(problem.qkv()), &y, &lse);
  const std::vector<double> d_qkv = problem.reference_backward();
  const auto terms = static_cast<double>(problem.longest() + problem.sizes().head_size);
  const double limit = test::tolerance(dtype, terms);
  for (const cpu::Isa isa : available_isas()) {
    const std::string name = what + " " + name_of(dtype) + " " + cpu::name_of(isa);
    problem.forward(isa);
    test::expect_close(Problem::values(problem.y()), y, limit, name + " y");
    test::expect_each_close(Problem::values(problem.lse()), lse, 1e-5, 2e-6, name + " lse");
    problem.backward(isa);
    const std::vector<double> actual = Problem::values(problem.d_qkv());
    test::expect_close(actual, d_qkv, limit, name + " d_qkv");
    // Each of the three on its own: the values' gradient is the largest and would hide the others.
    const auto part = [&](const std::vector<double>& all, int64_t which) {
      std::vector<double> some;
      const int64_t hidden = problem.sizes().hidden();
      for (size_t i = 0; i < all.size(); ++i) {
        if (static_cast<int64_t>(i) / hidden % 3 == which) some.push_back(all[i]);
      }
      return some;
    };
    for (int64_t which = 0; which < 3; ++which) {
      test::expect_close(part(actual, which), part(d_qkv, which), 2 * limit,
                         name + " part " + std::to_string(which) + " of d_qkv");
    }
  }
}

TEST(Attention, EqualsTheReferenceAtOddHeadSizes) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const int64_t head_size : {1, 3, 5, 16, 24, 32, 33, 64, 72}) {
      Problem problem({.heads = 2, .head_size = head_size, .max_length = 40}, {7, 40, 1, 18}, dtype,
                      0.0);
      expect_reference(problem, "head size " + std::to_string(head_size));
    }
  }
}

TEST(Attention, EqualsTheReferenceAtEveryLength) {
  std::vector<int64_t> lengths;
  for (int64_t length = 70; length >= 1; --length) lengths.push_back(length);
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Problem problem({.heads = 1, .head_size = 32, .max_length = 70}, lengths, dtype, 0.0);
    expect_reference(problem, "lengths 70 to 1");
  }
}

TEST(Attention, EqualsTheReferenceWithOneLongSequenceAmongShortOnes) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const double dropped : {0.0, 0.1}) {
      Problem problem({.heads = 1, .head_size = 64, .max_length = 512}, {5, 512, 1, 129, 33}, dtype,
                      dropped);
      expect_reference(problem, "dropout " + std::to_string(dropped));
    }
  }
}

TEST(Attention, DropoutFollowsTheRuleWhereRowsOfProbabilitiesAreNotAligned) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Problem problem({.heads = 3, .head_size = 8, .max_length = 71}, {71, 3, 20, 1, 65}, dtype, 0.4);
    expect_reference(problem, "unaligned dropout");
  }
}

TEST(Attention, RunsWithLengthsPastTheBlocks) {
  Problem problem({.heads = 1, .head_size = 5, .max_length = 700}, {700, 300}, DType::kBF16, 0.2);
  expect_reference(problem, "long");
}

TEST(Attention, GradientIsTheDerivative) {
  Problem problem({.heads = 2, .head_size = 3, .max_length = 6}, {4, 1, 6}, DType::kF32, 0.3);
  const std::vector<double> qkv = Problem::values(problem.qkv());
  const std::vector<double> d_y = Problem::values(problem.d_y());
  const std::vector<double> reference = problem.reference_backward();
  std::vector<double> derivatives;
  for (size_t i = 0; i < qkv.size(); ++i) {
    std::vector<Dual> x(qkv.begin(), qkv.end());
    x[i].derivative = 1;
    std::vector<Dual> y;
    std::vector<Dual> lse;
    problem.reference_forward(x, &y, &lse);
    double sum = 0;
    for (size_t j = 0; j < y.size(); ++j) sum += d_y[j] * y[j].derivative;
    derivatives.push_back(sum);
  }
  for (size_t i = 0; i < qkv.size(); ++i) ASSERT_NEAR(reference[i], derivatives[i], 1e-13) << i;
  for (const cpu::Isa isa : available_isas()) {
    problem.forward(isa);
    problem.backward(isa);
    test::expect_close(Problem::values(problem.d_qkv()), derivatives,
                       test::tolerance(DType::kF32, 9), cpu::name_of(isa));
  }
}

TEST(Attention, RowsOfNoSequenceAreZero) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Problem problem({.heads = 2, .head_size = 16, .max_length = 9}, {9, 2}, dtype, 0.0, 1, 5);
    expect_reference(problem, "fillers");  // the reference has zeros there
    const std::vector<double> y = Problem::values(problem.y().rows(problem.real_rows(), 5));
    EXPECT_EQ(y, std::vector<double>(y.size(), 0.0));
    const std::vector<double> d = Problem::values(problem.d_qkv().rows(problem.real_rows(), 5));
    EXPECT_EQ(d, std::vector<double>(d.size(), 0.0));
  }
}

TEST(Attention, RunsWithoutAnySequence) {
  for (const cpu::Isa isa : available_isas()) {
    Problem problem({.heads = 2, .head_size = 4, .max_length = 9}, {}, DType::kF32, 0.0, 1, 3);
    problem.forward(isa);
    problem.backward(isa);
    EXPECT_EQ(Problem::values(problem.y()), std::vector<double>(24, 0.0));
    EXPECT_EQ(Problem::values(problem.d_qkv()), std::vector<double>(72, 0.0));
  }
}

TEST(Attention, LargeScoresStayFinite) {
  // Products of up to 120² · 8 / √8 = 4e4.
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const double dropped : {0.0, 0.1}) {
      Problem problem({.heads = 2, .head_size = 8, .max_length = 50}, {50, 17, 1}, dtype, dropped,
                      120);
      std::vector<double> y;
      std::vector<double> lse;
      problem.reference_forward(Problem::values(problem.qkv()), &y, &lse);
      ASSERT_GT(*std::max_element(lse.begin(), lse.end()), 1e4);
      for (const cpu::Isa isa : available_isas()) {
        problem.forward(isa);
        // A score of 4e4 is known to 4e4 ε, and so is the logarithm of its probability.
        const double limit = test::tolerance(dtype) + 2e4 * 0x1p-23;
        test::expect_close(Problem::values(problem.y()), y, limit, cpu::name_of(isa));
        test::expect_each_close(Problem::values(problem.lse()), lse, 1e-5, 1e-6, "lse");
        problem.backward(isa);
        for (const double d : Problem::values(problem.d_qkv())) ASSERT_TRUE(std::isfinite(d));
      }
    }
  }
}

TEST(Attention, RepeatsBitForBitAndForAnyThreadCount) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    Problem problem({.heads = 2, .head_size = 32, .max_length = 300}, {300, 3, 77}, dtype, 0.1);
    for (const cpu::Isa isa : available_isas()) {
      std::vector<std::vector<uint8_t>> results;
      for (const int count : {2, 2, 1, 7}) {
        ThreadPool pool(count);
        const PoolBinding binding(pool);
        problem.forward(isa);
        problem.backward(isa);
        auto all = Problem::bytes(problem.y());
        for (const Tensor* tensor : {&problem.lse(), &problem.d_qkv()}) {
          const auto more = Problem::bytes(*tensor);
          all.insert(all.end(), more.begin(), more.end());
        }
        results.push_back(all);
      }
      for (const auto& result : results) EXPECT_EQ(result, results[0]) << cpu::name_of(isa);
    }
  }
}

TEST(Attention, SplitsOneSequenceOverThreads) {
  ThreadPool pool(5);  // more than heads: queries are split
  const PoolBinding binding(pool);
  Problem problem({.heads = 1, .head_size = 64, .max_length = 512}, {512}, DType::kF32, 0.1);
  expect_reference(problem, "split");
}

TEST(Attention, DispatchesByDeviceAndReturnsFromADryRun) {
  Problem problem({.heads = 2, .head_size = 8, .max_length = 30}, {30, 12}, DType::kF32, 0.1);
  problem.forward(cpu::best_isa());
  problem.backward(cpu::best_isa());
  const auto y = Problem::bytes(problem.y());
  const auto d_qkv = Problem::bytes(problem.d_qkv());
  problem.device.zero(out(problem.y()));
  problem.device.zero(out(problem.d_qkv()));
  Arena dry;
  Context measuring(problem.device, dry);
  const auto run = [&](Context& context) {
    attention(context, problem.forward_op());
    attention_backward(context, problem.backward_op());
  };
  run(measuring);
  EXPECT_EQ(Problem::bytes(problem.y()), std::vector<uint8_t>(y.size(), 0));
  Arena arena(problem.device, 1024);
  Context context(problem.device, arena);
  run(context);
  EXPECT_EQ(Problem::bytes(problem.y()), y);
  EXPECT_EQ(Problem::bytes(problem.d_qkv()), d_qkv);
}

TEST(Attention, RefusesOperandsThatDoNotFit) {
  Problem problem({.heads = 2, .head_size = 8, .max_length = 30}, {30, 12}, DType::kF32, 0.0);
  Arena arena(problem.device, 1024);
  Context context(problem.device, arena);
  const auto run = [&](AttentionShape shape, const Tensor& y) {
    Attention op = problem.forward_op();
    op.shape = shape;
    op.y = out(y);
    attention(context, op);
  };
  EXPECT_THROW(run({.heads = 5, .max_length = 30}, problem.y()), LogicError);
  EXPECT_THROW(run({.heads = 2, .max_length = 29}, problem.y()), LogicError);
  EXPECT_THROW(run({.heads = 2, .max_length = 30}, problem.y().rows(0, 41)), LogicError);
  cpu::data<int32_t>(out(problem.seq_start()))[2] = 43;
  EXPECT_THROW(run({.heads = 2, .max_length = 30}, problem.y()), LogicError);
}

}  // namespace
}  // namespace bertha::ops
