#include "optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backend/cpu/cpu_device.h"
#include "core/error.h"
#include "support/host.h"

namespace bertha::optim {
namespace {

bert::Config tiny_config() {
  return {.vocab_size = 16,
          .hidden_size = 8,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 16,
          .max_position_embeddings = 8};
}

OptimizerSettings fine_tuning() {
  return {.kind = OptimizerKind::kAdamW, .clipping = GradientClipping::kInPlace};
}

/// A model with random weights, and its optimizer on one rank.
class OptimizerTest : public testing::Test {
 protected:
  OptimizerTest() { store_.initialise(bert::InitStyle::kBert, tiny_config(), 3); }

  void make(const OptimizerSettings& settings, std::vector<ops::ParameterSpan> spans) {
    optimizer_ = std::make_unique<Optimizer>(store_, std::move(spans), settings, comm::alone());
  }
  void make(const OptimizerSettings& settings) { make(settings, store_.table().spans()); }

  void set_gradients(const std::vector<float>& values) {
    device_.write(out(store_.flat_gradients()), values.data());
  }
  std::vector<float> uniform_gradients() const {
    return test::uniform_values(store_.table().flat_size(), 1);
  }
  std::vector<float> weights() const { return test::Host::values(store_.flat_weights()); }
  std::vector<float> gradients() const { return test::Host::values(store_.flat_gradients()); }
  std::vector<float> zeros() const {
    return std::vector<float>(static_cast<size_t>(store_.table().flat_size()), 0);
  }
  UpdateResult update() { return optimizer_->update(context_, 0.01, 1); }

  cpu::CpuDevice device_;
  bert::ParameterStore store_{device_, tiny_config(), bert::Heads(), DType::kF32, true};
  Arena arena_{device_, int64_t{4} << 20};
  Context context_{device_, arena_};
  std::unique_ptr<Optimizer> optimizer_;
};

TEST_F(OptimizerTest, UpdateChangesWeightsAndZeroesGradients) {
  for (const OptimizerKind kind : {OptimizerKind::kLamb, OptimizerKind::kAdamW}) {
    make({.kind = kind});
    const std::vector<float> before = weights();
    set_gradients(uniform_gradients());
    const UpdateResult result = update();
    EXPECT_FALSE(result.skipped);
    EXPECT_GT(result.gradient_norm, 0);
    EXPECT_NE(weights(), before);
    EXPECT_EQ(gradients(), zeros());
  }
}

TEST_F(OptimizerTest, NonFiniteGradientSkipsTheStep) {
  make({});
  const std::vector<float> before = weights();
  std::vector<float> values = uniform_gradients();
  values[0] = std::numeric_limits<float>::quiet_NaN();
  set_gradients(values);
  EXPECT_TRUE(update().skipped);
  EXPECT_EQ(weights(), before);
  EXPECT_EQ(gradients(), zeros());
  EXPECT_TRUE(optimizer_->state_is_finite(context_));
}

TEST_F(OptimizerTest, MarkedStepIsSkippedOnce) {
  make(fine_tuning());
  const std::vector<float> before = weights();
  set_gradients(uniform_gradients());
  optimizer_->mark_not_finite();
  EXPECT_TRUE(update().skipped);
  EXPECT_EQ(weights(), before);
  set_gradients(uniform_gradients());
  EXPECT_FALSE(update().skipped);
  EXPECT_NE(weights(), before);
}

TEST_F(OptimizerTest, GradientsAreClippedToTheLargestNorm) {
  make(fine_tuning());
  set_gradients(uniform_gradients());
  float norm = 0;
  device_.read(optimizer_->clip_gradients(context_), &norm);
  EXPECT_GT(norm, 1);
  double squares = 0;
  for (const float value : gradients()) squares += double{value} * double{value};
  EXPECT_NEAR(std::sqrt(squares), 1, 1e-5);
}

TEST_F(OptimizerTest, ParameterOutsideTheSpansKeepsItsValue) {
  std::vector<ops::ParameterSpan> spans = store_.table().spans();
  const ops::ParameterSpan left_out = spans.back();
  spans.pop_back();
  make(fine_tuning(), spans);
  const std::vector<float> before = weights();
  set_gradients(uniform_gradients());
  update();
  const std::vector<float> after = weights();
  for (int64_t i = 0; i < left_out.size; ++i) {
    const auto at = static_cast<size_t>(left_out.offset + i);
    ASSERT_EQ(after[at], before[at]) << i;
  }
  EXPECT_NE(after, before);
}

TEST_F(OptimizerTest, MomentsAreReadAsTheyWereWritten) {
  make({});
  const auto size = static_cast<size_t>(store_.table()[1].size());
  const std::vector<float> exp_avg = test::uniform_values(store_.table()[1].size(), 2);
  const std::vector<float> exp_avg_sq(size, 0.5F);
  optimizer_->write_moments(1, exp_avg.data(), exp_avg_sq.data());
  std::vector<float> read_exp_avg(size);
  std::vector<float> read_exp_avg_sq(size);
  optimizer_->read_moments(1, read_exp_avg.data(), nullptr);
  optimizer_->read_moments(1, nullptr, read_exp_avg_sq.data());
  EXPECT_EQ(read_exp_avg, exp_avg);
  EXPECT_EQ(read_exp_avg_sq, exp_avg_sq);
  std::vector<float> other(static_cast<size_t>(store_.table()[0].size()), 1);
  optimizer_->read_moments(0, other.data(), nullptr);
  EXPECT_EQ(other, std::vector<float>(other.size(), 0)) << "moments start at 0";
}

TEST_F(OptimizerTest, NonFiniteMomentIsFound) {
  make({});
  EXPECT_TRUE(optimizer_->state_is_finite(context_));
  std::vector<float> values(static_cast<size_t>(store_.table()[0].size()), 0);
  values.back() = std::numeric_limits<float>::infinity();
  const std::vector<float> finite(values.size(), 0);
  optimizer_->write_moments(0, finite.data(), values.data());
  EXPECT_FALSE(optimizer_->state_is_finite(context_));
}

TEST_F(OptimizerTest, OneRankIsNotPartitioned) {
  make({.zero = true});
  EXPECT_FALSE(optimizer_->partitioned());
}

TEST_F(OptimizerTest, ClippingOfEachParameterNeedsWholeGradients) {
  EXPECT_THROW(make({.clip_each = true}), LogicError);
}

}  // namespace
}  // namespace bertha::optim
