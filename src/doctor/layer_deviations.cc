// Checks of the ops that layers run. Sizes are multiples of nothing.

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "doctor/op_deviations.h"
#include "ops/attention_ref.h"
#include "ops/binary_cross_entropy.h"
#include "ops/binary_cross_entropy_ref.h"
#include "ops/convert.h"
#include "ops/copy.h"
#include "ops/cross_entropy.h"
#include "ops/cross_entropy_ref.h"
#include "ops/embedding.h"
#include "ops/fp8_linear.h"
#include "ops/int8_linear.h"
#include "ops/int8_linear_ref.h"
#include "ops/layer_norm.h"
#include "ops/layer_norm_ref.h"
#include "ops/linear_ref.h"
#include "ops/rows.h"
#include "ops/rows_ref.h"
#include "ops/sequence_cross_entropy.h"
#include "ops/sequence_cross_entropy_ref.h"
#include "ops/squared_error.h"
#include "ops/squared_error_ref.h"
#include "ops/zero.h"

namespace bertha::doctor {
namespace {

namespace reference = ops::reference;

constexpr int64_t kTokens = 37;
constexpr int64_t kColumns = 70;
constexpr float kEps = 1e-12F;

Values row_of(const Values& values, int64_t row, int64_t columns) {
  const auto begin = values.begin() + row * columns;
  return {begin, begin + columns};
}

void append(Values& to, const Values& values) {
  to.insert(to.end(), values.begin(), values.end());
}

Values sum(Values a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

/// Values, and the tensor that holds them.
struct Operand {
  Operand(OpWorkbench& bench, const Shape& shape, DType dtype, uint64_t stream, double range = 1)
      : values(OpWorkbench::random(shape.size(), dtype, stream, range)),
        tensor(bench.put(values, shape, dtype)) {}

  Values values;
  Tensor tensor;
};

/// Operands of LayerNorm and of its backward pass, and the rows z = dropout(x) + residual.
struct NormOperands {
  NormOperands(OpWorkbench& bench, DType dtype)
      : dropout(bench.dropout()),
        x(bench, {kTokens, kColumns}, dtype, 1, 2),
        residual(bench, {kTokens, kColumns}, dtype, 2),
        gamma(bench, {kColumns}, DType::kF32, 3),
        beta(bench, {kColumns}, DType::kF32, 4),
        y(bench.blank({kTokens, kColumns}, dtype)),
        mean(bench.blank({kTokens})),
        rstd(bench.blank({kTokens})) {}

  void forward(OpWorkbench& bench) const {
    ops::layer_norm(bench.context(), {.z = InOut(x.tensor),
                                      .residual = residual.tensor,
                                      .gamma = gamma.tensor,
                                      .beta = beta.tensor,
                                      .eps = kEps,
                                      .dropout = dropout,
                                      .y = Out(y),
                                      .mean = Out(mean),
                                      .rstd = Out(rstd)});
  }

  Dropout dropout;
  Operand x, residual, gamma, beta;
  Tensor y, mean, rstd;
};

/// LayerNorm of each row in double.
Values norm_of_rows(const Values& z, const Values& gamma, const Values& beta) {
  const auto columns = static_cast<int64_t>(gamma.size());
  Values y;
  for (int64_t row = 0; row * columns < std::ssize(z); ++row) {
    append(y, reference::layer_norm_row<double>(row_of(z, row, columns), gamma, beta, kEps));
  }
  return y;
}

/// The gradients of LayerNorm in double.
struct NormGradients {
  Values z, gamma, beta;
};

NormGradients norm_gradients(const Values& z, const Values& gamma, const Values& d_y) {
  const auto columns = static_cast<int64_t>(gamma.size());
  NormGradients g = {.z = {}, .gamma = Values(gamma.size()), .beta = Values(gamma.size())};
  for (int64_t row = 0; row * columns < std::ssize(z); ++row) {
    append(g.z,
           reference::layer_norm_row_backward<double>(row_of(z, row, columns), gamma, kEps,
                                                      row_of(d_y, row, columns), g.gamma, g.beta));
  }
  return g;
}

}  // namespace

template <>
std::optional<double> deviation_of<ops::LayerNorm>(OpWorkbench& bench, DType dtype) {
  const NormOperands in(bench, dtype);
  Values z = in.residual.values;
  for (size_t i = 0; i < z.size(); ++i) {
    z[i] += in.x.values[i] * bench.dropout_factor(in.dropout, static_cast<int64_t>(i));
  }
  in.forward(bench);
  Deviation deviation;
  deviation.compare(bench.get(in.x.tensor), z, dtype);
  deviation.compare(bench.get(in.y), norm_of_rows(z, in.gamma.values, in.beta.values), dtype,
                    kColumns);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::LayerNormBackward>(OpWorkbench& bench, DType dtype) {
  const NormOperands in(bench, dtype);
  const Operand d(bench, {kTokens, kColumns}, dtype, 5);
  const Operand d_gamma(bench, {kColumns}, DType::kF32, 6);
  const Operand d_beta(bench, {kColumns}, DType::kF32, 7);
  const Tensor d_x = bench.blank({kTokens, kColumns}, dtype);
  in.forward(bench);
  const Values z = bench.get(in.x.tensor);
  ops::layer_norm_backward(bench.context(), {.z = in.x.tensor,
                                             .mean = in.mean,
                                             .rstd = in.rstd,
                                             .gamma = in.gamma.tensor,
                                             .dropout = in.dropout,
                                             .d = InOut(d.tensor),
                                             .d_x = Out(d_x),
                                             .d_gamma = InOut(d_gamma.tensor),
                                             .d_beta = InOut(d_beta.tensor)});
  const NormGradients expected = norm_gradients(z, in.gamma.values, d.values);
  Values expected_x = expected.z;
  for (size_t i = 0; i < expected_x.size(); ++i) {
    expected_x[i] *= bench.dropout_factor(in.dropout, static_cast<int64_t>(i));
  }
  Deviation deviation;
  deviation.compare(bench.get(d.tensor), expected.z, dtype, kColumns);
  deviation.compare(bench.get(d_x), expected_x, dtype, kColumns);
  deviation.compare(bench.get(d_gamma.tensor), sum(expected.gamma, d_gamma.values), dtype, kTokens);
  deviation.compare(bench.get(d_beta.tensor), sum(expected.beta, d_beta.values), dtype, kTokens);
  return deviation.largest();
}

namespace {

constexpr int64_t kWords = 11;
constexpr int64_t kPositions = 5;

/// Ids, tables and results of Embedding. Ids repeat: 37 tokens share 11 words.
struct EmbeddingOperands {
  EmbeddingOperands(OpWorkbench& bench, DType dtype)
      : dropout(bench.dropout()),
        word(bench, {kWords, kColumns}, DType::kF32, 1),
        position(bench, {kPositions, kColumns}, DType::kF32, 2),
        segment(bench, {2, kColumns}, DType::kF32, 3),
        gamma(bench, {kColumns}, DType::kF32, 4),
        beta(bench, {kColumns}, DType::kF32, 5),
        z(bench.blank({kTokens, kColumns}, dtype)),
        y(bench.blank({kTokens, kColumns}, dtype)),
        mean(bench.blank({kTokens})),
        rstd(bench.blank({kTokens})) {
    for (int32_t t = 0; t < kTokens; ++t) {
      words.push_back(t * t % kWords);
      positions.push_back(t % kPositions);
      segments.push_back(t / 8 % 2);
    }
    ids = {.word = bench.put(words, {kTokens}),
           .position = bench.put(positions, {kTokens}),
           .segment = bench.put(segments, {kTokens})};
  }

  void forward(OpWorkbench& bench) const {
    ops::embedding(
        bench.context(),
        {.ids = ids,
         .tables = {.word = word.tensor, .position = position.tensor, .segment = segment.tensor},
         .gamma = gamma.tensor,
         .beta = beta.tensor,
         .eps = kEps,
         .dropout = dropout,
         .z = Out(z),
         .y = Out(y),
         .mean = Out(mean),
         .rstd = Out(rstd)});
  }
  Values sums() const {
    Values rows;
    for (size_t t = 0; t < words.size(); ++t) {
      append(rows, sum(sum(row_of(word.values, words[t], kColumns),
                           row_of(position.values, positions[t], kColumns)),
                       row_of(segment.values, segments[t], kColumns)));
    }
    return rows;
  }

  Dropout dropout;
  Operand word, position, segment, gamma, beta;
  Tensor z, y, mean, rstd;
  std::vector<int32_t> words, positions, segments;
  ops::EmbeddingIds ids;
};

/// A table's gradient: the rows of d_z, added where the ids say, to what the table held before.
Values scattered(Values table, const std::vector<int32_t>& ids, const Values& d_z) {
  reference::gather_rows_backward<double>(d_z, ids, kColumns, table);
  return table;
}

}  // namespace

template <>
std::optional<double> deviation_of<ops::Embedding>(OpWorkbench& bench, DType dtype) {
  const EmbeddingOperands in(bench, dtype);
  in.forward(bench);
  const Values z = in.sums();
  Values y = norm_of_rows(z, in.gamma.values, in.beta.values);
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] *= bench.dropout_factor(in.dropout, static_cast<int64_t>(i));
  }
  Deviation deviation;
  deviation.compare(bench.get(in.z), z, dtype);
  deviation.compare(bench.get(in.y), y, dtype, kColumns);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::EmbeddingBackward>(OpWorkbench& bench, DType dtype) {
  const EmbeddingOperands in(bench, dtype);
  const Operand d(bench, {kTokens, kColumns}, dtype, 6);
  const Operand d_word(bench, {kWords, kColumns}, DType::kF32, 7);
  const Operand d_position(bench, {kPositions, kColumns}, DType::kF32, 8);
  const Operand d_segment(bench, {2, kColumns}, DType::kF32, 9);
  const Operand d_gamma(bench, {kColumns}, DType::kF32, 10);
  const Operand d_beta(bench, {kColumns}, DType::kF32, 11);
  in.forward(bench);
  Values d_norm = d.values;
  for (size_t i = 0; i < d_norm.size(); ++i) {
    d_norm[i] *= bench.dropout_factor(in.dropout, static_cast<int64_t>(i));
  }
  const NormGradients g = norm_gradients(bench.get(in.z), in.gamma.values, d_norm);
  ops::embedding_backward(bench.context(), {.ids = in.ids,
                                            .z = in.z,
                                            .mean = in.mean,
                                            .rstd = in.rstd,
                                            .gamma = in.gamma.tensor,
                                            .dropout = in.dropout,
                                            .d = InOut(d.tensor),
                                            .d_tables = {.word = InOut(d_word.tensor),
                                                         .position = InOut(d_position.tensor),
                                                         .segment = InOut(d_segment.tensor)},
                                            .d_gamma = InOut(d_gamma.tensor),
                                            .d_beta = InOut(d_beta.tensor)});
  Deviation deviation;
  deviation.compare(bench.get(d_word.tensor), scattered(d_word.values, in.words, g.z), dtype,
                    kTokens);
  deviation.compare(bench.get(d_position.tensor), scattered(d_position.values, in.positions, g.z),
                    dtype, kTokens);
  deviation.compare(bench.get(d_segment.tensor), scattered(d_segment.values, in.segments, g.z),
                    dtype, kTokens);
  deviation.compare(bench.get(d_gamma.tensor), sum(g.gamma, d_gamma.values), dtype, kTokens);
  deviation.compare(bench.get(d_beta.tensor), sum(g.beta, d_beta.values), dtype, kTokens);
  return deviation.largest();
}

namespace {

constexpr int64_t kOutputs = 45;

/// Operands of Linear: y = gelu(x wᵀ + b).
struct LinearOperands {
  LinearOperands(OpWorkbench& bench, DType dtype)
      : x(bench, {kTokens, kColumns}, dtype, 1),
        w(bench, {kOutputs, kColumns}, dtype, 2, 0.25),
        b(bench, {kOutputs}, DType::kF32, 3) {}

  Values forward(ops::Activation activation) const {
    Values y(static_cast<size_t>(kTokens * kOutputs));
    reference::linear<double>(x.values, w.values, b.values, activation,
                              static_cast<size_t>(kColumns), y);
    return y;
  }

  Operand x, w, b;
};

/// The derivative of GELU: Φ(x) + x φ(x).
double gelu_slope(double x) {
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  return (1 + std::erf(x / std::numbers::sqrt2)) / 2 + x * density;
}

}  // namespace

template <>
std::optional<double> deviation_of<ops::Linear>(OpWorkbench& bench, DType dtype) {
  const LinearOperands in(bench, dtype);
  Deviation deviation;
  for (const ops::Activation activation :
       {ops::Activation::kNone, ops::Activation::kGelu, ops::Activation::kTanh}) {
    const Tensor y = bench.blank({kTokens, kOutputs}, dtype);
    ops::linear(bench.context(), {.x = in.x.tensor,
                                  .w = in.w.tensor,
                                  .b = in.b.tensor,
                                  .activation = activation,
                                  .y = Out(y)});
    deviation.compare(bench.get(y), in.forward(activation), dtype, kColumns);
  }
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::LinearBackward>(OpWorkbench& bench, DType dtype) {
  const LinearOperands in(bench, dtype);
  const Tensor saved = bench.put(in.forward(ops::Activation::kNone), {kTokens, kOutputs}, dtype);
  const Operand d_y(bench, {kTokens, kOutputs}, dtype, 4);
  const Operand d_w(bench, {kOutputs, kColumns}, DType::kF32, 5);
  const Operand d_b(bench, {kOutputs}, DType::kF32, 6);
  const Tensor d_x = bench.blank({kTokens, kColumns}, dtype);
  Values before = bench.get(saved);
  for (size_t i = 0; i < before.size(); ++i) before[i] = d_y.values[i] * gelu_slope(before[i]);
  ops::linear_backward(bench.context(), {.x = in.x.tensor,
                                         .w = in.w.tensor,
                                         .saved = saved,
                                         .activation = ops::Activation::kGelu,
                                         .d_y = InOut(d_y.tensor),
                                         .d_x = InOut(d_x),
                                         .d_w = InOut(d_w.tensor),
                                         .d_b = InOut(d_b.tensor)});
  const auto g = reference::linear_backward<double>(in.x.values, in.w.values, before,
                                                    static_cast<size_t>(kColumns));
  Deviation deviation;
  deviation.compare(bench.get(d_y.tensor), before, dtype, kColumns);
  deviation.compare(bench.get(d_x), g.x, dtype, kOutputs);
  deviation.compare(bench.get(d_w.tensor), sum(g.w, d_w.values), dtype, kTokens);
  deviation.compare(bench.get(d_b.tensor), sum(g.b, d_b.values), dtype, kTokens);
  return deviation.largest();
}

namespace {

/// Values rounded to the format with the scale that a first use gives them.
Values rounded_to_fp8(const Values& values, Fp8Format format) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  const float scale = fp8_scale(static_cast<float>(largest), format);
  Values rounded;
  for (const double value : values) {
    rounded.push_back(double{round_to_fp8(static_cast<float>(value), scale, format)});
  }
  return rounded;
}

/// The state of an operand before its first use.
Tensor fresh_state(OpWorkbench& bench) {
  return bench.put(Values(static_cast<size_t>(kFp8State)), {kFp8State});
}

}  // namespace

template <>
std::optional<double> deviation_of<ops::Fp8Linear>(OpWorkbench& bench, DType dtype) {
  const LinearOperands in(bench, dtype);
  const Tensor y = bench.blank({kTokens, kOutputs}, dtype);
  ops::fp8_linear(bench.context(),
                  {.linear = {.x = in.x.tensor, .w = in.w.tensor, .b = in.b.tensor, .y = Out(y)},
                   .x_state = InOut(fresh_state(bench)),
                   .w_state = InOut(fresh_state(bench))});
  Values expected(static_cast<size_t>(kTokens * kOutputs));
  reference::linear<double>(rounded_to_fp8(in.x.values, Fp8Format::kE4M3),
                            rounded_to_fp8(in.w.values, Fp8Format::kE4M3), in.b.values,
                            ops::Activation::kNone, static_cast<size_t>(kColumns), expected);
  Deviation deviation;
  deviation.compare(bench.get(y), expected, dtype, kColumns);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::Fp8LinearBackward>(OpWorkbench& bench, DType dtype) {
  const LinearOperands in(bench, dtype);
  const Tensor x_state = fresh_state(bench);
  const Tensor w_state = fresh_state(bench);
  ops::fp8_linear(bench.context(), {.linear = {.x = in.x.tensor,
                                               .w = in.w.tensor,
                                               .y = Out(bench.blank({kTokens, kOutputs}, dtype))},
                                    .x_state = InOut(x_state),
                                    .w_state = InOut(w_state)});
  const Operand d_y(bench, {kTokens, kOutputs}, dtype, 4);
  const Operand d_w(bench, {kOutputs, kColumns}, DType::kF32, 5);
  const Operand d_b(bench, {kOutputs}, DType::kF32, 6);
  const Tensor d_x = bench.blank({kTokens, kColumns}, dtype);
  ops::fp8_linear_backward(bench.context(), {.linear = {.x = in.x.tensor,
                                                        .w = in.w.tensor,
                                                        .d_y = InOut(d_y.tensor),
                                                        .d_x = InOut(d_x),
                                                        .d_w = InOut(d_w.tensor),
                                                        .d_b = InOut(d_b.tensor)},
                                             .x_state = x_state,
                                             .w_state = w_state,
                                             .d_y_state = InOut(fresh_state(bench))});
  const auto g = reference::linear_backward<double>(
      rounded_to_fp8(in.x.values, Fp8Format::kE4M3), rounded_to_fp8(in.w.values, Fp8Format::kE4M3),
      rounded_to_fp8(d_y.values, Fp8Format::kE5M2), static_cast<size_t>(kColumns));
  const auto sums = reference::linear_backward<double>(in.x.values, in.w.values, d_y.values,
                                                       static_cast<size_t>(kColumns));
  Deviation deviation;
  deviation.compare(bench.get(d_x), g.x, dtype, kOutputs);
  deviation.compare(bench.get(d_w.tensor), sum(g.w, d_w.values), dtype, kTokens);
  deviation.compare(bench.get(d_b.tensor), sum(sums.b, d_b.values), dtype, kTokens);
  return deviation.largest();
}

namespace {

constexpr int64_t kInt8Inputs = 80;
constexpr int64_t kInt8Channels = 48;

/// Operands of Int8Linear: the integers are those that the contract gives for `x`.
struct Int8Operands {
  Int8Operands(OpWorkbench& bench, DType dtype)
      : x(bench, {kTokens, kInt8Inputs}, dtype, 1),
        b(bench, {kInt8Channels}, DType::kF32, 2),
        scales(bench, {kInt8Channels}, DType::kF32, 3, 0.01),
        weights(static_cast<size_t>(kInt8Inputs * kInt8Channels)) {
    const Values random = OpWorkbench::random(std::ssize(weights), DType::kF32, 4, 127);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<int8_t>(random[i]);
    const Shape packed = ops::int8_packed_shape(kInt8Channels, kInt8Inputs);
    std::vector<int8_t> bytes(static_cast<size_t>(packed.size()));
    std::vector<int32_t> sums(static_cast<size_t>(kInt8Channels));
    ops::pack_int8(weights, kInt8Channels, bytes, sums);
    weight = {.packed = bench.put(bytes, packed),
              .scales = scales.tensor,
              .sums = bench.put(sums, {kInt8Channels})};
  }

  Values forward(ops::Activation activation) const {
    const std::vector<float> x_floats(x.values.begin(), x.values.end());
    const std::vector<float> b_floats(b.values.begin(), b.values.end());
    const std::vector<float> scale_floats(scales.values.begin(), scales.values.end());
    return reference::int8_linear(
        {.x = x_floats, .w = weights, .scales = scale_floats, .bias = b_floats}, activation);
  }

  Operand x, b, scales;
  std::vector<int8_t> weights;
  ops::Int8Weight weight;
};

}  // namespace

template <>
std::optional<double> deviation_of<ops::Int8Linear>(OpWorkbench& bench, DType dtype) {
  const Int8Operands in(bench, dtype);
  Deviation deviation;
  for (const ops::Activation activation : {ops::Activation::kNone, ops::Activation::kTanh}) {
    const Tensor y = bench.blank({kTokens, kInt8Channels}, dtype);
    ops::int8_linear(bench.context(), {.x = in.x.tensor,
                                       .w = in.weight,
                                       .b = in.b.tensor,
                                       .activation = activation,
                                       .y = Out(y)});
    deviation.compare(bench.get(y), in.forward(activation), dtype);
  }
  return deviation.largest();
}

namespace {

constexpr int64_t kHeads = 3;
constexpr int64_t kHeadSize = 17;
constexpr int64_t kHidden = kHeads * kHeadSize;
constexpr int64_t kLongest = 40;

/// Three sequences of 1, 25 and 9 tokens; the last two rows belong to none.
struct AttentionOperands {
  AttentionOperands(OpWorkbench& bench, DType dtype)
      : dropout(bench.dropout()),
        qkv(bench, {kTokens, 3 * kHidden}, dtype, 1, 2),
        starts({0, 1, 26, 35}),
        seq_start(bench.put(starts, {4})),
        y(bench.blank({kTokens, kHidden}, dtype)),
        lse(bench.blank({kTokens, kHeads})) {}

  void forward(OpWorkbench& bench) const {
    ops::attention(bench.context(), {.qkv = qkv.tensor,
                                     .seq_start = seq_start,
                                     .shape = {.heads = kHeads, .max_length = kLongest},
                                     .dropout = dropout,
                                     .y = Out(y),
                                     .lse = Out(lse)});
  }
  static constexpr reference::AttentionSizes kSizes = {kHeads, kHeadSize, kLongest};

  Dropout dropout;
  Operand qkv;
  std::vector<int32_t> starts;
  Tensor seq_start, y, lse;
};

}  // namespace

template <>
std::optional<double> deviation_of<ops::Attention>(OpWorkbench& bench, DType dtype) {
  const AttentionOperands in(bench, dtype);
  in.forward(bench);
  const auto keeps = [&](int64_t e) { return bench.dropout_factor(in.dropout, e) > 0; };
  Values y;
  Values lse;
  reference::attention<double>(in.qkv.values, in.starts, AttentionOperands::kSizes,
                               in.dropout.scale(), keeps, &y, &lse);
  Deviation deviation;
  deviation.compare(bench.get(in.y), y, dtype, kLongest + kHeadSize);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::AttentionBackward>(OpWorkbench& bench, DType dtype) {
  const AttentionOperands in(bench, dtype);
  const Operand d_y(bench, {kTokens, kHidden}, dtype, 2);
  const Tensor d_qkv = bench.blank({kTokens, 3 * kHidden}, dtype);
  in.forward(bench);
  ops::attention_backward(bench.context(), {.qkv = in.qkv.tensor,
                                            .seq_start = in.seq_start,
                                            .shape = {.heads = kHeads, .max_length = kLongest},
                                            .dropout = in.dropout,
                                            .y = in.y,
                                            .lse = in.lse,
                                            .d_y = d_y.tensor,
                                            .d_qkv = Out(d_qkv)});
  const auto keeps = [&](int64_t e) { return bench.dropout_factor(in.dropout, e) > 0; };
  Values expected;
  reference::attention_backward<double>(in.qkv.values, in.starts, AttentionOperands::kSizes,
                                        in.dropout.scale(), keeps, d_y.values, &expected);
  Deviation deviation;
  deviation.compare(bench.get(d_qkv), expected, dtype, kLongest + kHeadSize);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::CrossEntropy>(OpWorkbench& bench, DType dtype) {
  const Operand logits(bench, {kTokens, kColumns}, dtype, 1, 4);
  std::vector<int32_t> labels(kTokens);
  for (int32_t row = 0; row < kTokens; ++row) {
    labels[static_cast<size_t>(row)] = row % 5 == 4 ? -1 : row * 3 % 70;
  }
  const double scale = 0.375;
  const Tensor result = bench.blank({2});
  ops::cross_entropy(bench.context(), {.logits = InOut(logits.tensor),
                                       .labels = bench.put(labels, {kTokens}),
                                       .scale = bench.put(Values{scale}, {1}),
                                       .result = Out(result)});
  const auto expected = reference::cross_entropy<double>(logits.values, labels);
  Values gradient;
  for (int64_t row = 0; row < kTokens; ++row) {
    const int32_t label = labels[static_cast<size_t>(row)];
    Values x = row_of(logits.values, row, kColumns);
    double total = 0;
    for (double& value : x) total += value = std::exp(value);
    for (int64_t c = 0; c < kColumns; ++c) {
      const double p = x[static_cast<size_t>(c)] / total;
      gradient.push_back(label < 0 ? 0 : scale * (p - (c == label ? 1 : 0)));
    }
  }
  Deviation deviation;
  deviation.compare(bench.get(result), {expected.loss, static_cast<double>(expected.hits)},
                    DType::kF32, kColumns);
  deviation.compare(bench.get(logits.tensor), gradient, dtype, kColumns);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::SequenceCrossEntropy>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Operand logits(bench, {kTokens, 2}, dtype, 1, 4);
  const std::vector<int32_t> starts = {0, 1, 26, 35};
  const std::vector<int32_t> labels = {0, 0, 7, -1, 3, 8};
  const Tensor result = bench.blank({2});
  ops::sequence_cross_entropy(bench.context(), {.logits = InOut(logits.tensor),
                                                .seq_start = bench.put(starts, {4}),
                                                .labels = bench.put(labels, {3, 2}),
                                                .result = Out(result)});
  Deviation deviation;
  deviation.compare({bench.get(result)[0]},
                    {reference::sequence_cross_entropy<double>(logits.values, starts, labels)},
                    dtype, kTokens);
  deviation.compare_exactly(bench.get(logits.tensor), logits.values);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::BinaryCrossEntropy>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Operand logits(bench, {kTokens, 3}, dtype, 1, 8);
  std::vector<float> targets;
  for (size_t i = 0; i < logits.values.size(); ++i) targets.push_back(i % 4 == 0 ? 1 : 0);
  const double scale = 0.375;
  const Tensor result = bench.blank({2});
  ops::binary_cross_entropy(
      bench.context(), {.logits = InOut(logits.tensor),
                        .targets = bench.put(Values(targets.begin(), targets.end()), {kTokens, 3}),
                        .scale = bench.put(Values{scale}, {1}),
                        .result = Out(result)});
  Values gradient;
  double right = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    const double target = double{targets[i]};
    gradient.push_back(scale * (1 / (1 + std::exp(-logits.values[i])) - target));
    right += (logits.values[i] >= 0) == (target >= 0.5) ? 1 : 0;
  }
  Deviation deviation;
  deviation.compare(bench.get(result),
                    {reference::binary_cross_entropy<double>(logits.values, targets), right}, dtype,
                    kTokens);
  deviation.compare(bench.get(logits.tensor), gradient, dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::SquaredError>(OpWorkbench& bench, DType dtype) {
  if (dtype != DType::kF32) return std::nullopt;
  const Operand predictions(bench, {kTokens, 1}, dtype, 1, 4);
  const Operand targets(bench, {kTokens}, dtype, 2, 4);
  const std::vector<float> rounded(targets.values.begin(), targets.values.end());
  const double scale = 0.375;
  const Tensor result = bench.blank({2});
  ops::squared_error(bench.context(), {.predictions = InOut(predictions.tensor),
                                       .targets = targets.tensor,
                                       .scale = bench.put(Values{scale}, {1}),
                                       .result = Out(result)});
  Values gradient;
  for (size_t i = 0; i < rounded.size(); ++i) {
    gradient.push_back(2 * scale * (predictions.values[i] - targets.values[i]));
  }
  Deviation deviation;
  deviation.compare(bench.get(result),
                    {reference::squared_error<double>(predictions.values, rounded), 0}, dtype,
                    kTokens);
  deviation.compare(bench.get(predictions.tensor), gradient, dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::GatherRows>(OpWorkbench& bench, DType dtype) {
  const Operand x(bench, {kTokens, kColumns}, dtype, 1);
  const std::vector<int32_t> rows = {3, 36, 0, 3, 17};
  const Tensor y = bench.blank({5, kColumns}, dtype);
  ops::gather_rows(bench.context(), {.x = x.tensor, .rows = bench.put(rows, {5}), .y = Out(y)});
  Values expected(static_cast<size_t>(5 * kColumns));
  reference::gather_rows<double>(x.values, rows, kColumns, expected);
  Deviation deviation;
  deviation.compare_exactly(bench.get(y), expected);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::GatherRowsBackward>(OpWorkbench& bench, DType dtype) {
  const Operand d_y(bench, {5, kColumns}, dtype, 1);
  const Operand d_x(bench, {kTokens, kColumns}, dtype, 2);
  const std::vector<int32_t> rows = {3, 36, 0, 3, 17};
  ops::gather_rows_backward(
      bench.context(), {.d_y = d_y.tensor, .rows = bench.put(rows, {5}), .d_x = InOut(d_x.tensor)});
  Deviation deviation;
  deviation.compare(bench.get(d_x.tensor), scattered(d_x.values, rows, d_y.values), dtype);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::Convert>(OpWorkbench& bench, DType dtype) {
  const DType other = dtype == DType::kF32 ? DType::kBF16 : DType::kF32;
  const Operand from(bench, {kTokens, kColumns}, dtype, 1);
  const Tensor to = bench.blank({kTokens, kColumns}, other);
  ops::convert(bench.context(), {.from = from.tensor, .to = Out(to)});
  Deviation deviation;
  deviation.compare_exactly(bench.get(to),
                            bench.get(bench.put(from.values, {kTokens, kColumns}, other)));
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::Copy>(OpWorkbench& bench, DType dtype) {
  const Operand from(bench, {kTokens, kColumns}, dtype, 1);
  const Tensor to = bench.blank({kTokens, kColumns}, dtype);
  ops::copy(bench.context(), {.from = from.tensor, .to = Out(to)});
  Deviation deviation;
  deviation.compare_exactly(bench.get(to), from.values);
  return deviation.largest();
}

template <>
std::optional<double> deviation_of<ops::Zero>(OpWorkbench& bench, DType dtype) {
  const Operand to(bench, {kTokens, kColumns}, dtype, 1);
  ops::zero(bench.context(), {.to = Out(to.tensor)});
  Deviation deviation;
  deviation.compare_exactly(bench.get(to.tensor), Values(to.values.size()));
  return deviation.largest();
}

}  // namespace bertha::doctor
