// Compares the ops of an accelerator with the CPU's on the same operands. Each accelerator has a
// test program of its own (under_test.h).

#include <gtest/gtest.h>

#include <functional>
#include <tuple>

#include "accelerator/pair.h"
#include "ops/attention.h"
#include "ops/binary_cross_entropy.h"
#include "ops/convert.h"
#include "ops/copy.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/fp8_linear.h"
#include "ops/kernels.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/optimizer_steps.h"
#include "ops/rows.h"
#include "ops/sequence_cross_entropy.h"
#include "ops/squared_error.h"
#include "ops/zero.h"
#include "support/compare.h"

namespace bertha::ops {
namespace {

using test::DevicePair;
using test::expect_close;
using test::Values;

constexpr int64_t kSeed = 77;
constexpr double kDropped = 0.2;

class AcceleratorOps : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!DevicePair::absence().empty()) GTEST_SKIP() << DevicePair::absence();
    pair_ = std::make_unique<DevicePair>();
  }
  DType dtype() const { return GetParam(); }
  /// Products and sums in another order.
  double limit(double terms = 64) const { return test::tolerance(dtype(), terms); }
  Tensor random(const Shape& shape, uint64_t stream, float range = 1) {
    return pair_->random(shape, dtype(), stream, range);
  }
  Tensor random_f32(const Shape& shape, uint64_t stream, float range = 1) {
    return pair_->random(shape, DType::kF32, stream, range);
  }
  Dropout dropout(uint32_t site = 3) {
    return make_dropout(kDropped, site, pair_->numbers64({kSeed, 5}));
  }

  /// The same dropout, with its seed where `at` says.
  static Dropout placed(Dropout dropout, const auto& at) {
    dropout.seed = at(dropout.seed);
    return dropout;
  }

  std::unique_ptr<DevicePair> pair_;
};

INSTANTIATE_TEST_SUITE_P(Types, AcceleratorOps, testing::Values(DType::kF32, DType::kBF16));

/// Rows and columns; the second does not fit packs of eight.
const std::vector<Shape> kShapes = {{37, 64}, {70, 1024}, {5, 13}, {1, 2000}};

TEST_P(AcceleratorOps, LayerNorm) {
  for (const Shape& shape : kShapes) {
    for (const bool drops : {false, true}) {
      const Tensor z = random(shape, 1, 2);
      const Tensor residual = random(shape, 2);
      const Tensor gamma = random_f32({shape[1]}, 3);
      const Tensor beta = random_f32({shape[1]}, 4);
      const Tensor y = random(shape, 5);
      const Tensor mean = random_f32({shape[0]}, 6);
      const Tensor rstd = random_f32({shape[0]}, 7);
      const Dropout none_or = drops ? dropout() : Dropout();
      pair_->run({z, residual, gamma, beta, y, mean, rstd, none_or.seed},
                 [&](Context& context, const auto& at) {
                   layer_norm(context, {.z = inout(at(z)),
                                        .residual = drops ? at(residual) : Tensor(),
                                        .gamma = at(gamma),
                                        .beta = at(beta),
                                        .eps = 1e-12F,
                                        .dropout = placed(none_or, at),
                                        .y = out(at(y)),
                                        .mean = out(at(mean)),
                                        .rstd = out(at(rstd))});
                 });
      pair_->expect_same(z, limit(), "z");
      pair_->expect_same(y, limit(), "y");
      pair_->expect_same(mean, 1e-5, "mean");
      pair_->expect_same(rstd, 1e-5, "rstd");
    }
  }
}

TEST_P(AcceleratorOps, LayerNormBackward) {
  for (const Shape& shape : kShapes) {
    for (const bool drops : {false, true}) {
      const Tensor z = random(shape, 1, 2);
      const Tensor mean = random_f32({shape[0]}, 2, 0.1F);
      const Tensor rstd = random_f32({shape[0]}, 3);
      const Tensor gamma = random_f32({shape[1]}, 4);
      const Tensor d = random(shape, 5);
      const Tensor d_x = random(shape, 6);
      const Tensor d_gamma = random_f32({shape[1]}, 7);
      const Tensor d_beta = random_f32({shape[1]}, 8);
      const Dropout none_or = drops ? dropout() : Dropout();
      pair_->run({z, mean, rstd, gamma, d, d_x, d_gamma, d_beta, none_or.seed},
                 [&](Context& context, const auto& at) {
                   layer_norm_backward(context, {.z = at(z),
                                                 .mean = at(mean),
                                                 .rstd = at(rstd),
                                                 .gamma = at(gamma),
                                                 .dropout = placed(none_or, at),
                                                 .d = inout(at(d)),
                                                 .d_x = drops ? out(at(d_x)) : Out(),
                                                 .d_gamma = inout(at(d_gamma)),
                                                 .d_beta = inout(at(d_beta))});
                 });
      pair_->expect_same(d, limit(), "d");
      pair_->expect_same(d_x, limit(), "d_x");
      pair_->expect_same(d_gamma, 1e-5, "d_gamma");
      pair_->expect_same(d_beta, 1e-5, "d_beta");
    }
  }
}

TEST_P(AcceleratorOps, Embedding) {
  const int64_t tokens = 150;
  for (const int64_t columns : {64, 13}) {
    const EmbeddingIds ids = {.word = pair_->indices(tokens, 11, 1),
                              .position = pair_->indices(tokens, 40, 2),
                              .segment = pair_->indices(tokens, 2, 3)};
    const EmbeddingTables tables = {.word = random_f32({11, columns}, 4),
                                    .position = random_f32({40, columns}, 5),
                                    .segment = random_f32({2, columns}, 6)};
    const Tensor gamma = random_f32({columns}, 7);
    const Tensor beta = random_f32({columns}, 8);
    const Tensor z = random({tokens, columns}, 9);
    const Tensor y = random({tokens, columns}, 10);
    const Tensor mean = random_f32({tokens}, 11);
    const Tensor rstd = random_f32({tokens}, 12);
    const Tensor d_gamma = random_f32({columns}, 13);
    const Tensor d_beta = random_f32({columns}, 14);
    Dropout drop = dropout();
    const auto operands = {ids.word,       ids.position, ids.segment, tables.word, tables.position,
                           tables.segment, gamma,        beta,        z,           y,
                           mean,           rstd,         d_gamma,     d_beta,      drop.seed};
    const auto of = [&](const auto& at, const auto& three) {
      return std::decay_t<decltype(three)>{at(three.word), at(three.position), at(three.segment)};
    };
    pair_->run(operands, [&](Context& context, const auto& at) {
      embedding(context, {.ids = of(at, ids),
                          .tables = of(at, tables),
                          .gamma = at(gamma),
                          .beta = at(beta),
                          .eps = 1e-12F,
                          .dropout = placed(drop, at),
                          .z = out(at(z)),
                          .y = out(at(y)),
                          .mean = out(at(mean)),
                          .rstd = out(at(rstd))});
    });
    pair_->expect_same(z, limit(), "z");
    pair_->expect_same(y, limit(), "y");
    // y stands for the gradient, the tables for theirs.
    pair_->run(operands, [&](Context& context, const auto& at) {
      embedding_backward(context, {.ids = of(at, ids),
                                   .z = at(z),
                                   .mean = at(mean),
                                   .rstd = at(rstd),
                                   .gamma = at(gamma),
                                   .dropout = placed(drop, at),
                                   .d = inout(at(y)),
                                   .d_tables = {.word = inout(at(tables.word)),
                                                .position = inout(at(tables.position)),
                                                .segment = inout(at(tables.segment))},
                                   .d_gamma = inout(at(d_gamma)),
                                   .d_beta = inout(at(d_beta))});
    });
    const double limit_of_sums = dtype() == DType::kBF16 ? 5e-3 : 1e-5;
    pair_->expect_same(tables.word, limit_of_sums, "words");
    pair_->expect_same(tables.position, limit_of_sums, "positions");
    pair_->expect_same(tables.segment, limit_of_sums, "segments");
    pair_->expect_same(d_gamma, limit_of_sums, "gamma");
    pair_->expect_same(d_beta, limit_of_sums, "beta");
  }
}

TEST_P(AcceleratorOps, RowsAndTheirGradients) {
  for (const int64_t columns : {72, 5}) {
    const Tensor x = random({40, columns}, 1);
    const Tensor rows = pair_->indices(300, 40, 2);
    const Tensor y = random({300, columns}, 3);
    pair_->run({x, rows, y}, [&](Context& context, const auto& at) {
      gather_rows(context, {.x = at(x), .rows = at(rows), .y = out(at(y))});
    });
    pair_->expect_same(y, 0, "gathered");
    pair_->run({x, rows, y}, [&](Context& context, const auto& at) {
      gather_rows_backward(context, {.d_y = at(y), .rows = at(rows), .d_x = inout(at(x))});
    });
    pair_->expect_same(x, dtype() == DType::kBF16 ? 0.02 : 1e-6, "scattered");
  }
}

TEST_P(AcceleratorOps, CrossEntropy) {
  for (const int64_t columns : {3000, 2, 77}) {
    const Tensor logits = random({19, columns}, 1, 8);
    const Tensor labels = pair_->indices(19, static_cast<int32_t>(columns), 2, -1);
    const Tensor scale = random_f32({1}, 3);
    const Tensor result = random_f32({2}, 4);
    for (const bool trains : {false, true}) {
      pair_->run({logits, labels, scale, result}, [&](Context& context, const auto& at) {
        cross_entropy(context, {.logits = inout(at(logits)),
                                .labels = at(labels),
                                .scale = trains ? at(scale) : Tensor(),
                                .result = out(at(result))});
      });
      pair_->expect_same(result, 1e-6, "result");
      pair_->expect_same(logits, limit(), "logits");
    }
  }
}

TEST_P(AcceleratorOps, SequenceCrossEntropy) {
  if (dtype() != DType::kF32) GTEST_SKIP() << "logits are f32";
  const Tensor logits = random({220, 2}, 1, 8);
  const Tensor start = pair_->numbers({0, 5, 155, 190});
  const Tensor labels = pair_->numbers({4, 0, 149, 20, -1, 3});
  const Tensor labels_table = labels.reshape({3, 2});
  const Tensor scale = random({1}, 3);
  const Tensor result = random({2}, 4);
  for (const bool trains : {false, true}) {
    pair_->run({logits, start, labels, scale, result}, [&](Context& context, const auto& at) {
      sequence_cross_entropy(context, {.logits = inout(at(logits)),
                                       .seq_start = at(start),
                                       .labels = at(labels).reshape(labels_table.shape()),
                                       .scale = trains ? at(scale) : Tensor(),
                                       .result = out(at(result))});
    });
    pair_->expect_same(result, 1e-6, "result");
    pair_->expect_same(logits, 1e-6, "logits");
  }
}

TEST_P(AcceleratorOps, BinaryCrossEntropy) {
  if (dtype() != DType::kF32) GTEST_SKIP() << "logits are f32";
  const Tensor logits = random({220, 3}, 1, 8);
  const Tensor targets = random({220, 3}, 2);
  const Tensor scale = random({1}, 3);
  const Tensor result = random({2}, 4);
  for (const bool trains : {false, true}) {
    pair_->run({logits, targets, scale, result}, [&](Context& context, const auto& at) {
      binary_cross_entropy(context, {.logits = inout(at(logits)),
                                     .targets = at(targets),
                                     .scale = trains ? at(scale) : Tensor(),
                                     .result = out(at(result))});
    });
    pair_->expect_same(result, 1e-6, "result");
    pair_->expect_same(logits, 1e-6, "logits");
  }
}

TEST_P(AcceleratorOps, SquaredError) {
  if (dtype() != DType::kF32) GTEST_SKIP() << "predictions are f32";
  const Tensor predictions = random({220, 1}, 1, 8);
  const Tensor targets = random({220}, 2, 8);
  const Tensor scale = random({1}, 3);
  const Tensor result = random({2}, 4);
  for (const bool trains : {false, true}) {
    pair_->run({predictions, targets, scale, result}, [&](Context& context, const auto& at) {
      squared_error(context, {.predictions = inout(at(predictions)),
                              .targets = at(targets),
                              .scale = trains ? at(scale) : Tensor(),
                              .result = out(at(result))});
    });
    pair_->expect_same(result, 1e-6, "result");
    pair_->expect_same(predictions, 1e-6, "predictions");
  }
}

struct LinearCase {
  int64_t tokens, inner, outer;
  Activation activation;
};

TEST_P(AcceleratorOps, Linear) {
  const std::vector<LinearCase> cases = {
      {40, 32, 48, Activation::kNone},     {40, 32, 48, Activation::kGelu},
      {9, 16, 40, Activation::kTanh},      {70, 24, 13, Activation::kGelu},
      {40, 32, 48, Activation::kGeluTanh}, {40, 32, 48, Activation::kRelu},
      {17, 24, 13, Activation::kSilu},     {33, 8, 2, Activation::kNone}};
  for (const LinearCase& c : cases) {
    const bool saves = needs_input(c.activation);
    const Tensor x = random({c.tokens, c.inner}, 1);
    const Tensor w = random({c.outer, c.inner}, 2);
    const Tensor b = random_f32({c.outer}, 3);
    const Tensor y = random({c.tokens, c.outer}, 4);
    const Tensor saved = random({c.tokens, c.outer}, 5);
    // The model gives a rounded bias; other callers leave the rounding to the device.
    const bool rounds = c.tokens == 40;
    const Tensor b_rounded = random({c.outer}, 3);
    pair_->run({x, w, b, b_rounded, y, saved}, [&](Context& context, const auto& at) {
      linear(context, {.x = at(x),
                       .w = at(w),
                       .b = at(b),
                       .b_rounded = rounds ? at(b_rounded) : Tensor(),
                       .activation = c.activation,
                       .y = out(at(y)),
                       .saved = saves ? out(at(saved)) : Out()});
    });
    pair_->expect_same(y, limit(), "y");
    pair_->expect_same(saved, limit(), "saved");
    const Tensor d_y = random({c.tokens, c.outer}, 6);
    const Tensor d_x = random({c.tokens, c.inner}, 7);
    const Tensor d_w = random_f32({c.outer, c.inner}, 8);
    const Tensor d_b = random_f32({c.outer}, 9);
    for (const Write write : {Write::kSet, Write::kAdd}) {
      pair_->run({x, w, saved, y, d_y, d_x, d_w, d_b}, [&](Context& context, const auto& at) {
        const Tensor kept = c.activation == Activation::kNone ? Tensor()
                            : saves                           ? at(saved)
                                                              : at(y);
        linear_backward(context, {.x = at(x),
                                  .w = at(w),
                                  .saved = kept,
                                  .activation = c.activation,
                                  .d_y = inout(at(d_y)),
                                  .d_x = inout(at(d_x)),
                                  .d_x_write = write,
                                  .d_w = inout(at(d_w)),
                                  .d_w_write = write,
                                  .d_b = inout(at(d_b))});
      });
      pair_->expect_same(d_y, limit(), "d_y");
      pair_->expect_same(d_x, limit(), "d_x");
      pair_->expect_same(d_w, 1e-5 + limit() / 4, "d_w");
      pair_->expect_same(d_b, 1e-5 + limit() / 4, "d_b");
    }
  }
}

/// Sizes of multiples of 16, which go by bytes, and others, which are rounded in their own type.
TEST_P(AcceleratorOps, Fp8Linear) {
  if (kernels_of(pair_->device()).support(ops::Fp8Linear::kName, dtype()) == Support::kAbsent) {
    GTEST_SKIP() << "no products of 8-bit floats";
  }
  const std::vector<LinearCase> cases = {{48, 32, 64, Activation::kGelu},
                                         {64, 48, 32, Activation::kNone},
                                         {33, 24, 13, Activation::kGelu}};
  for (const LinearCase& c : cases) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", c.tokens, c.inner, c.outer));
    const bool saves = needs_input(c.activation);
    const Tensor x = random({c.tokens, c.inner}, 1, 3);
    const Tensor w = random({c.outer, c.inner}, 2, 0.1F);
    const Tensor b = random_f32({c.outer}, 3);
    const Tensor y = random({c.tokens, c.outer}, 4);
    const Tensor saved = random({c.tokens, c.outer}, 5);
    const Tensor x_state = pair_->filled({kFp8State}, 0);
    const Tensor w_state = pair_->filled({kFp8State}, 0);
    pair_->run({x, w, b, y, saved, x_state, w_state}, [&](Context& context, const auto& at) {
      fp8_linear(context, {.linear = {.x = at(x),
                                      .w = at(w),
                                      .b = at(b),
                                      .activation = c.activation,
                                      .y = out(at(y)),
                                      .saved = saves ? out(at(saved)) : Out()},
                           .x_state = inout(at(x_state)),
                           .w_state = inout(at(w_state))});
    });
    pair_->expect_same(y, limit(), "y");
    pair_->expect_same(saved, limit(), "saved");
    pair_->expect_same(x_state, 0, "x_state");
    pair_->expect_same(w_state, 0, "w_state");
    const Tensor d_y = random({c.tokens, c.outer}, 6, 1e-3F);
    const Tensor d_y_state = pair_->filled({kFp8State}, 0);
    const Tensor d_x = random({c.tokens, c.inner}, 7);
    const Tensor d_w = random_f32({c.outer, c.inner}, 8);
    const Tensor d_b = random_f32({c.outer}, 9);
    for (const Write write : {Write::kSet, Write::kAdd}) {
      pair_->run({x, w, saved, d_y, d_x, d_w, d_b, x_state, w_state, d_y_state},
                 [&](Context& context, const auto& at) {
                   fp8_linear_backward(context, {.linear = {.x = at(x),
                                                            .w = at(w),
                                                            .saved = saves ? at(saved) : Tensor(),
                                                            .activation = c.activation,
                                                            .d_y = inout(at(d_y)),
                                                            .d_x = inout(at(d_x)),
                                                            .d_x_write = write,
                                                            .d_w = inout(at(d_w)),
                                                            .d_w_write = write,
                                                            .d_b = inout(at(d_b))},
                                                 .x_state = at(x_state),
                                                 .w_state = at(w_state),
                                                 .d_y_state = inout(at(d_y_state))});
                 });
      pair_->expect_same(d_y, limit(), "d_y");
      // Where the two devices' GELUs round a gradient apart, fp8 may round it a step apart.
      const double apart = c.activation == Activation::kNone ? 0 : 2e-3;
      pair_->expect_same(d_x, limit() + apart, "d_x");
      pair_->expect_same(d_w, 1e-5 + limit() / 4 + apart, "d_w");
      pair_->expect_same(d_b, 1e-5 + limit() / 4, "d_b");
    }
  }
}

/// The largest magnitude of a tensor on its device.
float largest_of(Device& device, const Tensor& tensor) {
  const auto largest = [&](auto values) {
    device.read(tensor, values.data());
    float most = 0;
    for (const auto value : values) most = std::max(most, std::abs(static_cast<float>(value)));
    return most;
  };
  const auto size = static_cast<size_t>(tensor.size());
  return tensor.dtype() == DType::kF32 ? largest(std::vector<float>(size))
                                       : largest(std::vector<BFloat16>(size));
}

/// A device may take the magnitudes in the kernel that makes the gradient: they must be those of
/// the gradient as it is stored. Sizes of several blocks both ways.
TEST_P(AcceleratorOps, Fp8NotesTheLargestGradient) {
  if (kernels_of(pair_->device()).support(ops::Fp8Linear::kName, dtype()) == Support::kAbsent) {
    GTEST_SKIP() << "no products of 8-bit floats";
  }
  for (const LinearCase& c :
       {LinearCase{100, 16, 528, Activation::kGelu}, LinearCase{70, 16, 300, Activation::kNone},
        LinearCase{33, 8, 13, Activation::kGelu}}) {
    const bool saves = needs_input(c.activation);
    const Tensor x = random({c.tokens, c.inner}, 1);
    const Tensor w = random({c.outer, c.inner}, 2);
    const Tensor saved = random({c.tokens, c.outer}, 3, 2);
    const Tensor d_y = random({c.tokens, c.outer}, 4);
    const Tensor d_w = random_f32({c.outer, c.inner}, 5);
    const Tensor state = pair_->filled({kFp8State}, 0);
    const Tensor of_x = pair_->filled({kFp8State}, 1);
    pair_->run({x, w, saved, d_y, d_w, state, of_x}, [&](Context& context, const auto& at) {
      fp8_linear_backward(context, {.linear = {.x = at(x),
                                               .w = at(w),
                                               .saved = saves ? at(saved) : Tensor(),
                                               .activation = c.activation,
                                               .d_y = inout(at(d_y)),
                                               .d_w = inout(at(d_w))},
                                    .x_state = at(of_x),
                                    .w_state = at(of_x),
                                    .d_y_state = inout(at(state))});
      std::vector<float> noted(kFp8State);
      context.device().read(at(state), noted.data());
      EXPECT_EQ(noted[0], largest_of(context.device(), at(d_y)));
      EXPECT_GT(noted[0], 0);
    });
  }
}

struct AttentionCase {
  int64_t heads, size, max_length;
  std::vector<int32_t> seq_start;
  int64_t tokens;
};

/// Sequences of one to three tokens, more than a warp has lanes.
AttentionCase many_sequences() {
  AttentionCase many = {1, 64, 8, {0}, 0};
  for (int32_t i = 0; i < 70; ++i) many.seq_start.push_back(many.seq_start.back() + 1 + i % 3);
  many.tokens = many.seq_start.back() + 30;
  return many;
}

/// Lengths around the tiles' 64, an empty sequence, rows of no sequence, more tiles than stages, a
/// mask that does not start at a multiple of eight.
std::vector<AttentionCase> attention_cases() {
  return {{2, 64, 136, {0, 3, 67, 67, 200}, 224},
          {1, 64, 65, {0, 64, 129}, 129},
          {1, 64, 16, {0}, 8},
          {1, 64, 256, {0, 9, 249}, 320},
          many_sequences(),
          {3, 20, 37, {0, 37, 40}, 44},
          {2, 33, 40, {0, 33}, 33}};
}

TEST_P(AcceleratorOps, Attention) {
  for (const AttentionCase& c : attention_cases()) {
    for (const bool drops : {false, true}) {
      SCOPED_TRACE(
          fmt::format("{} heads of {}, {} tokens, dropout {}", c.heads, c.size, c.tokens, drops));
      const int64_t hidden = c.heads * c.size;
      const Tensor qkv = random({c.tokens, 3 * hidden}, 1, 1.5F);
      const Tensor start = pair_->numbers(c.seq_start);
      const Tensor y = random({c.tokens, hidden}, 2);
      const Tensor lse = random_f32({c.tokens, c.heads}, 3);
      const Tensor d_y = random({c.tokens, hidden}, 4);
      const Tensor d_qkv = random({c.tokens, 3 * hidden}, 5);
      const Dropout none_or = drops ? dropout() : Dropout();
      const AttentionShape shape = {.heads = c.heads, .max_length = c.max_length};
      pair_->run({qkv, start, y, lse, none_or.seed}, [&](Context& context, const auto& at) {
        attention(context, {.qkv = at(qkv),
                            .seq_start = at(start),
                            .shape = shape,
                            .dropout = placed(none_or, at),
                            .y = out(at(y)),
                            .lse = out(at(lse))});
      });
      pair_->expect_same(y, limit(), "y");
      pair_->expect_same(lse, 1e-3 * (dtype() == DType::kBF16 ? 1 : 1e-2), "lse");
      pair_->run({qkv, start, y, lse, d_y, d_qkv, none_or.seed},
                 [&](Context& context, const auto& at) {
                   attention_backward(context, {.qkv = at(qkv),
                                                .seq_start = at(start),
                                                .shape = shape,
                                                .dropout = placed(none_or, at),
                                                .y = at(y),
                                                .lse = at(lse),
                                                .d_y = at(d_y),
                                                .d_qkv = out(at(d_qkv))});
                 });
      pair_->expect_same(d_qkv, 2 * limit(), "d_qkv");
    }
  }
}

/// The backward pass with the dropout that the forward pass kept, as the model runs it.
TEST_P(AcceleratorOps, AttentionKeepsItsDropout) {
  for (const AttentionCase& c : attention_cases()) {
    SCOPED_TRACE(fmt::format("{} heads of {}, {} tokens", c.heads, c.size, c.tokens));
    const int64_t hidden = c.heads * c.size;
    const Tensor qkv = random({c.tokens, 3 * hidden}, 1, 1.5F);
    const Tensor start = pair_->numbers(c.seq_start);
    const Tensor y = random({c.tokens, hidden}, 2);
    const Tensor lse = random_f32({c.tokens, c.heads}, 3);
    const Tensor d_y = random({c.tokens, hidden}, 4);
    const Tensor d_qkv = random({c.tokens, 3 * hidden}, 5);
    const Dropout drop = dropout();
    pair_->run({qkv, start, y, lse, d_y, d_qkv, drop.seed}, [&](Context& context, const auto& at) {
      Attention forward = {.qkv = at(qkv),
                           .seq_start = at(start),
                           .shape = {.heads = c.heads, .max_length = c.max_length},
                           .dropout = drop,
                           .y = out(at(y)),
                           .lse = out(at(lse))};
      forward.dropout.seed = at(drop.seed);
      const Tensor kept = make_kept_dropout(context, forward);
      const bool on_cuda = context.device().kind() == DeviceKind::kCuda;
      EXPECT_EQ(!kept.empty(), on_cuda && dtype() == DType::kBF16 && c.size == 64);
      forward.kept = out(kept);
      attention(context, forward);
      attention_backward(context, {.qkv = forward.qkv,
                                   .seq_start = forward.seq_start,
                                   .shape = forward.shape,
                                   .dropout = forward.dropout,
                                   .y = at(y),
                                   .lse = at(lse),
                                   .d_y = at(d_y),
                                   .kept = kept,
                                   .d_qkv = out(at(d_qkv))});
    });
    pair_->expect_same(y, limit(), "y");
    pair_->expect_same(d_qkv, 3 * limit(), "d_qkv");
  }
}

class AcceleratorOptimizer : public AcceleratorOps {
 protected:
  static constexpr int64_t kParameters = 70000;
  const std::vector<ParameterSpan> spans_ = {{.offset = 0, .size = 66000, .decay = true},
                                             {.offset = 66016, .size = 13, .decay = false},
                                             {.offset = 66029, .size = 18, .decay = false},
                                             {.offset = 66048, .size = 1000, .decay = true}};
};
INSTANTIATE_TEST_SUITE_P(Types, AcceleratorOptimizer, testing::Values(DType::kF32));

TEST_P(AcceleratorOptimizer, StepsAsTheCpuDoes) {
  const Tensor w = random({kParameters}, 1);
  const Tensor g = random({kParameters}, 2);
  const Tensor m = random({kParameters}, 3, 0.1F);
  const Tensor v = pair_->filled({kParameters}, 0.01F);
  const Tensor bf16_weights = pair_->random({kParameters}, DType::kBF16, 5);
  const Tensor scalars = pair_->values({4}, {0.01F, 0.7F, 1.5F, 2.5F});
  for (const bool uses_lamb : {true, false}) {
    pair_->run({w, g, m, v, bf16_weights, scalars}, [&](Context& context, const auto& at) {
      const OptimizerBuffers buffers = {.weights = inout(at(w)),
                                        .gradients = inout(at(g)),
                                        .exp_avg = inout(at(m)),
                                        .exp_avg_sq = inout(at(v)),
                                        .bf16_weights = out(at(bf16_weights))};
      if (uses_lamb) {
        lamb(context,
             {.buffers = buffers, .spans = spans_, .settings = {}, .scalars = at(scalars)});
      } else {
        adamw(context,
              {.buffers = buffers, .spans = spans_, .settings = {}, .scalars = at(scalars)});
      }
    });
    pair_->expect_same(w, 1e-6, "weights");
    pair_->expect_same(g, 1e-5, "gradients");
    pair_->expect_same(m, 1e-6, "exp_avg");
    pair_->expect_same(v, 1e-6, "exp_avg_sq");
    pair_->expect_same(bf16_weights, 1e-3, "bf16_weights");
  }
}

/// The two halves of LAMB and the norm, as ranks with partitions of the weights call them.
TEST_P(AcceleratorOptimizer, PartsOfAStepAreThoseOfTheCpu) {
  const Tensor w = random({kParameters}, 1);
  const Tensor g = random({kParameters}, 2);
  const Tensor m = random({kParameters}, 3, 0.1F);
  const Tensor v = pair_->filled({kParameters}, 0.01F);
  const Tensor scalars = pair_->values({4}, {0.01F, 0.7F, 1.5F, 2.5F});
  const Tensor ratios = pair_->values({std::ssize(spans_)}, {0.5F, 1, 1.25F, 2});
  std::vector<std::vector<double>> squares;  // of the device, then of the CPU
  pair_->run({w, g, m, v, scalars, ratios}, [&](Context& context, const auto& at) {
    const OptimizerBuffers buffers = {.weights = inout(at(w)),
                                      .gradients = inout(at(g)),
                                      .exp_avg = inout(at(m)),
                                      .exp_avg_sq = inout(at(v))};
    const int64_t blocks = norm_blocks(spans_);
    const Tensor of_gradients = context.make({blocks}, DType::kF64);
    const Tensor of_both = context.make({blocks, 2}, DType::kF64);
    square_blocks(context, {.values = at(g), .spans = spans_, .squares = out(of_gradients)});
    lamb_update(context, {.buffers = buffers,
                          .spans = spans_,
                          .settings = {},
                          .scalars = at(scalars),
                          .squares = out(of_both)});
    lamb_apply(context,
               {.buffers = buffers, .spans = spans_, .scalars = at(scalars), .ratios = at(ratios)});
    for (const Tensor& read : {of_gradients, of_both}) {
      squares.emplace_back(static_cast<size_t>(read.size()));
      context.device().read(read, squares.back().data());
    }
  });
  test::expect_each_close(squares[0], squares[2], 0, 1e-6, "squares of gradients");
  test::expect_each_close(squares[1], squares[3], 0, 1e-5, "squares of weights and updates");
  pair_->expect_same(w, 1e-6, "weights");
  pair_->expect_same(g, 1e-5, "updates");
  pair_->expect_same(m, 1e-6, "exp_avg");
  pair_->expect_same(v, 1e-6, "exp_avg_sq");
}

TEST_P(AcceleratorOptimizer, NormsAndClipping) {
  const Tensor g = random({kParameters}, 1);
  const Tensor norm = random({1}, 2);
  pair_->run({g, norm}, [&](Context& context, const auto& at) {
    global_norm(context, {.values = at(g), .norm = out(at(norm))});
    clip_norm(context, {.gradients = inout(at(g)), .norm = at(norm), .max_norm = 30});
  });
  pair_->expect_same(norm, 1e-7, "norm");
  pair_->expect_same(g, 1e-6, "clipped");
  pair_->run({g}, [&](Context& context, const auto& at) {
    clip_norm_each(context, {.gradients = inout(at(g)), .spans = spans_, .max_norm = 3});
  });
  pair_->expect_same(g, 1e-6, "clipped one by one");
}

TEST_P(AcceleratorOptimizer, ConvertsAndCopies) {
  for (const int64_t size : {64, 13}) {
    const Tensor wide = random({size}, 1);
    const Tensor narrow = pair_->random({size}, DType::kBF16, 2);
    const Tensor copied = random({size}, 3);
    const Tensor zeroed = pair_->random({size}, DType::kBF16, 4);
    pair_->run({wide, narrow, copied, zeroed}, [&](Context& context, const auto& at) {
      copy(context, {.from = at(wide), .to = out(at(copied))});
      zero(context, {.to = out(at(zeroed))});
      convert(context, {.from = at(wide), .to = out(at(narrow))});
      convert(context, {.from = at(narrow), .to = out(at(wide))});
    });
    pair_->expect_same(copied, 0, "copied");
    pair_->expect_same(zeroed, 0, "zeroed");
    pair_->expect_same(wide, 0, "rounded and widened");
  }
}

}  // namespace
}  // namespace bertha::ops
