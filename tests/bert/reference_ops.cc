// The ops of a training step by their references, in double, on the memory of a RecordingDevice.

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/attention_ref.h"
#include "ops/cross_entropy_ref.h"
#include "ops/layer_norm_ref.h"
#include "ops/linear_ref.h"
#include "ops/optimizer_steps_ref.h"
#include "ops/rows_ref.h"
#include "recording_device.h"
#include "support/dual.h"

namespace bertha::test {
namespace {

using Values = std::vector<double>;
namespace reference = ops::reference;

/// BERT's, which LayerNormBackward holds in its statistics alone.
constexpr double kEps = 1e-12;

template <typename T>
std::vector<T> elements(const Tensor& tensor) {
  BERTHA_CHECK(tensor.empty() || tensor.dtype() == DTypeOf<T>::kValue, "{}",
               name_of(tensor.dtype()));
  if (tensor.empty()) return {};
  const auto* first = reinterpret_cast<const T*>(tensor.buffer()->base() + tensor.offset_bytes());
  return {first, first + tensor.size()};
}

Values get(const Tensor& tensor) {
  const auto read = elements<float>(tensor);
  return {read.begin(), read.end()};
}
Values get(const InOut& operand) {
  return get(operand.tensor());
}

template <typename Written>
void put(const Written& operand, const Values& values) {
  const Tensor& tensor = operand.tensor();
  BERTHA_CHECK(tensor.dtype() == DType::kF32 && tensor.size() == std::ssize(values));
  auto* to = reinterpret_cast<float*>(tensor.buffer()->base() + tensor.offset_bytes());
  for (const double value : values) *to++ = static_cast<float>(value);
}

template <typename Written>
void add(const Written& operand, const Values& values) {
  Values sum = get(operand.tensor());
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
  put(operand, sum);
}

void write(const InOut& operand, ops::Write how, const Values& values) {
  if (how == ops::Write::kAdd) {
    add(operand, values);
  } else {
    put(operand, values);
  }
}

Values row_of(const Values& values, size_t row, size_t columns) {
  const auto begin = values.begin() + static_cast<int64_t>(row * columns);
  return {begin, begin + static_cast<int64_t>(columns)};
}

/// What dropout multiplies each of `count` elements by.
Values factors_of(const Dropout& dropout, size_t count) {
  const auto seed = elements<int64_t>(dropout.seed);
  Values factors(count, 1);
  for (size_t e = 0; e < count && dropout.active(); ++e) {
    factors[e] = reference::dropout_factor(dropout, static_cast<uint64_t>(seed[0]),
                                           static_cast<uint32_t>(seed[1]), static_cast<int64_t>(e));
  }
  return factors;
}
void multiply(Values& values, const Values& factors) {
  for (size_t i = 0; i < values.size(); ++i) values[i] *= factors[i];
}

/// LayerNorm of each row of z: y, mean and rstd.
void normalise(const Values& z, const Tensor& gamma, const Tensor& beta, double eps,
               const Dropout& after, const Out& y, const Out& mean, const Out& rstd) {
  const Values scale = get(gamma);
  const Values shift = get(beta);
  Values all, means, rstds;
  for (size_t r = 0; r < z.size() / scale.size(); ++r) {
    const Values row = row_of(z, r, scale.size());
    const auto statistics = reference::row_statistics(row, eps);
    const Values of_row = reference::layer_norm_row(row, scale, shift, eps);
    means.push_back(statistics.mean);
    rstds.push_back(statistics.rstd);
    all.insert(all.end(), of_row.begin(), of_row.end());
  }
  multiply(all, factors_of(after, all.size()));
  put(y, all);
  put(mean, means);
  put(rstd, rstds);
}

/// The gradient of z from d; d_gamma and d_beta are added to.
Values normalise_backward(const Values& z, const Tensor& gamma, const Values& d,
                          const InOut& d_gamma, const InOut& d_beta) {
  const Values scale = get(gamma);
  Values to_gamma = get(d_gamma);
  Values to_beta = get(d_beta);
  Values d_z;
  for (size_t r = 0; r < z.size() / scale.size(); ++r) {
    const Values row = reference::layer_norm_row_backward(
        row_of(z, r, scale.size()), scale, kEps, row_of(d, r, scale.size()), to_gamma, to_beta);
    d_z.insert(d_z.end(), row.begin(), row.end());
  }
  put(d_gamma, to_gamma);
  put(d_beta, to_beta);
  return d_z;
}

void run(const ops::LayerNorm& op) {
  Values z = get(op.z);
  multiply(z, factors_of(op.dropout, z.size()));
  if (!op.residual.empty()) {
    const Values residual = get(op.residual);
    for (size_t i = 0; i < z.size(); ++i) z[i] += residual[i];
  }
  put(op.z, z);
  normalise(get(op.z), op.gamma, op.beta, static_cast<double>(op.eps), {}, op.y, op.mean, op.rstd);
}

void run(const ops::LayerNormBackward& op) {
  Values d = normalise_backward(get(op.z), op.gamma, get(op.d), op.d_gamma, op.d_beta);
  put(op.d, d);
  if (op.d_x.empty()) return;
  multiply(d, factors_of(op.dropout, d.size()));
  put(op.d_x, d);
}

void run(const ops::Embedding& op) {
  const auto words = elements<int32_t>(op.ids.word);
  const auto positions = elements<int32_t>(op.ids.position);
  const auto segments = elements<int32_t>(op.ids.segment);
  const Values word = get(op.tables.word);
  const Values position = get(op.tables.position);
  const Values segment = get(op.tables.segment);
  const auto columns = static_cast<size_t>(op.z.tensor().dim(1));
  Values z;
  for (size_t t = 0; t < words.size(); ++t) {
    for (size_t c = 0; c < columns; ++c) {
      z.push_back(word[static_cast<size_t>(words[t]) * columns + c] +
                  position[static_cast<size_t>(positions[t]) * columns + c] +
                  segment[static_cast<size_t>(segments[t]) * columns + c]);
    }
  }
  put(op.z, z);
  normalise(get(op.z.tensor()), op.gamma, op.beta, static_cast<double>(op.eps), op.dropout, op.y,
            op.mean, op.rstd);
}

void scatter(const Values& d, const Tensor& rows, const InOut& to) {
  Values sum = get(to);
  reference::gather_rows_backward<double>(d, elements<int32_t>(rows),
                                          static_cast<size_t>(to.tensor().dim(1)), sum);
  put(to, sum);
}

void run(const ops::EmbeddingBackward& op) {
  Values d = get(op.d);
  multiply(d, factors_of(op.dropout, d.size()));
  const Values d_z = normalise_backward(get(op.z), op.gamma, d, op.d_gamma, op.d_beta);
  scatter(d_z, op.ids.word, op.d_tables.word);
  scatter(d_z, op.ids.position, op.d_tables.position);
  scatter(d_z, op.ids.segment, op.d_tables.segment);
}

void run(const ops::Linear& op) {
  const auto inner = static_cast<size_t>(op.x.dim(1));
  const auto product = [&](ops::Activation activation) {
    Values y(static_cast<size_t>(op.y.tensor().size()));
    reference::linear<double>(get(op.x), get(op.w), get(op.b), activation, inner, y);
    return y;
  };
  put(op.y, product(op.activation));
  if (!op.saved.empty()) put(op.saved, product(ops::Activation::kNone));
}

void run(const ops::LinearBackward& op) {
  Values d = get(op.d_y);
  const Values saved = get(op.saved);
  for (size_t i = 0; i < saved.size(); ++i) {
    d[i] *= ops::needs_input(op.activation)
                ? reference::activate(op.activation, Dual(saved[i], 1)).derivative
                : 1 - saved[i] * saved[i];
  }
  const auto g =
      reference::linear_backward<double>(get(op.x), get(op.w), d, static_cast<size_t>(op.x.dim(1)));
  put(op.d_y, d);
  write(op.d_w, op.d_w_write, g.w);
  if (!op.d_b.empty()) add(op.d_b, g.b);
  if (!op.d_x.empty()) write(op.d_x, op.d_x_write, g.x);
}

template <typename Op>
reference::AttentionSizes sizes_of(const Op& op) {
  return {.heads = op.shape.heads,
          .head_size = op.qkv.dim(1) / (3 * op.shape.heads),
          .max_length = op.shape.max_length};
}

/// The dropout rule of an attention.
auto keeps_of(const Dropout& dropout) {
  return [dropout, seed = elements<int64_t>(dropout.seed)](int64_t element) {
    return !dropout.active() || dropout_keeps(dropout, static_cast<uint64_t>(seed[0]),
                                              static_cast<uint32_t>(seed[1]), element);
  };
}

void run(const ops::Attention& op) {
  Values y, lse;
  reference::attention(get(op.qkv), elements<int32_t>(op.seq_start), sizes_of(op),
                       static_cast<double>(op.dropout.scale()), keeps_of(op.dropout), &y, &lse);
  put(op.y, y);
  put(op.lse, lse);
}

void run(const ops::AttentionBackward& op) {
  Values d_qkv;
  reference::attention_backward(get(op.qkv), elements<int32_t>(op.seq_start), sizes_of(op),
                                static_cast<double>(op.dropout.scale()), keeps_of(op.dropout),
                                get(op.d_y), &d_qkv);
  put(op.d_qkv, d_qkv);
}

void run(const ops::CrossEntropy& op) {
  const Values logits = get(op.logits);
  const auto labels = elements<int32_t>(op.labels);
  const auto loss = reference::cross_entropy<double>(logits, labels);
  put(op.result, {loss.loss, static_cast<double>(loss.hits)});
  if (op.scale.empty()) return;
  const double scale = get(op.scale)[0];
  const size_t columns = logits.size() / labels.size();
  Values gradient;
  for (size_t i = 0; i < logits.size(); ++i) {
    const Values row = row_of(logits, i / columns, columns);
    std::vector<Dual> seeded(row.begin(), row.end());
    seeded[i % columns].derivative = 1;
    const std::span<const int32_t> label(&labels[i / columns], 1);
    gradient.push_back(scale * reference::cross_entropy<Dual>(seeded, label).loss.derivative);
  }
  put(op.logits, gradient);
}

void run(const ops::GatherRows& op) {
  Values y(static_cast<size_t>(op.y.tensor().size()));
  reference::gather_rows<double>(get(op.x), elements<int32_t>(op.rows),
                                 static_cast<size_t>(op.x.dim(1)), y);
  put(op.y, y);
}

void run(const ops::GatherRowsBackward& op) {
  scatter(get(op.d_y), op.rows, op.d_x);
}

void run(const ops::Copy& op) {
  put(op.to, get(op.from));
}

void run(const ops::Zero& op) {
  put(op.to, Values(static_cast<size_t>(op.to.tensor().size())));
}

void run(const ops::GlobalNorm& op) {
  put(op.norm, {reference::norm(get(op.values))});
}

void run(const ops::Lamb& op) {
  const ops::OptimizerBuffers& b = op.buffers;
  const Values scalars = get(op.scalars);
  const reference::StepScalars<double> step = {
      .rate = scalars[ops::kRate],
      .gradient_scale = scalars[ops::kGradientScale],
      .first_correction = scalars[ops::kFirstCorrection],
      .second_correction = scalars[ops::kSecondCorrection]};
  for (const ops::ParameterSpan& span : op.spans) {
    const auto part = [&span](const InOut& flat) {
      return inout(flat.tensor().rows(span.offset, span.size));
    };
    reference::AdamState<double> state = {get(part(b.weights)), get(part(b.gradients)),
                                          get(part(b.exp_avg)), get(part(b.exp_avg_sq))};
    reference::lamb(state, op.settings, span.decay, step);
    put(part(b.weights), state.weights);
    put(part(b.exp_avg), state.exp_avg);
    put(part(b.exp_avg_sq), state.exp_avg_sq);
  }
}

template <typename Op>
void run(const Op& /*op*/) {
  BERTHA_CHECK(false, "{} has no replay", Op::kName);
}

}  // namespace

void run_reference(const AnyOp& op) {
  std::visit([](const auto& o) { run(o); }, op);
}

}  // namespace bertha::test
