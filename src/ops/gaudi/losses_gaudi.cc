#include <algorithm>
#include <cstring>

#include "ops/gaudi/gaudi_kernels.h"
#include "ops/gaudi/row_operands.h"

namespace bertha::ops {
namespace {

/// Places of a batch of choices: classes along dimension 0 of the scores.
struct Choices {
  Value scores;  ///< f32, what softmax is taken of
  Value hot;     ///< f32 like scores: 1 at the label, 0 everywhere where there is none
  Value before;  ///< i8 like scores: 1 at places before the label
  Value counts;  ///< f32 {1,…}: 1 where there is a label, else 0
};

/// f32 1 where a and b are equal, else 0.
Value matches(const NodeBuilder& nodes, const Value& a, const Value& b) {
  return nodes.f32(nodes.equal(a, b));
}

/// f32 1 where a label is 0 or above, else 0.
Value counted(const NodeBuilder& nodes, const Value& labels) {
  return nodes.f32(nodes.less_equal(nodes.counting({1}), labels));
}

/// Σ -log softmax(scores)[label].
Value loss_of(const NodeBuilder& nodes, const Choices& of) {
  const Value logs = nodes.log_softmax(of.scores, 0);
  return nodes.sub(nodes.constant(0), nodes.sum(nodes.mult(of.hot, logs)));
}

/// Number of labels with the largest score, the first place of equals.
Value hits_of(const NodeBuilder& nodes, const Choices& of) {
  const Value own = nodes.reduce_sum(nodes.mult(of.hot, of.scores), 0);
  const Value higher = nodes.f32(nodes.greater(of.scores, own));
  const Value equal_before = nodes.mult(matches(nodes, of.scores, own), nodes.f32(of.before));
  const Value ahead = nodes.reduce_sum(nodes.add(higher, equal_before), 0);
  const Value first = matches(nodes, ahead, nodes.constant(0));
  return nodes.sum(nodes.mult(first, of.counts));
}

/// scale * (softmax - onehot), 0 where there is no label.
Value gradient_of(const NodeBuilder& nodes, const Choices& of, const Value& scale) {
  const Value difference = nodes.sub(nodes.softmax(of.scores, 0), of.hot);
  return nodes.mult(difference, nodes.mult(of.counts, scale));
}

void write_result(const NodeBuilder& nodes, const Out& result, const Value& loss,
                  const Value& hits) {
  nodes.write(result.tensor(), nodes.concat({loss, hits}, 0));
}

/// f32 {T,1,N}: 0 for the tokens of a sequence, a number that softmax makes 0 for the others.
Value sequence_mask(const NodeBuilder& nodes, const Tensor& seq_start, int64_t tokens) {
  const int64_t sequences = seq_start.size() - 1;
  const auto fill = [tokens](gaudi::HostBytes sources, std::span<std::byte> operand) {
    const std::vector<int32_t> start = integers_of(sources);
    std::vector<float> mask(operand.size() / sizeof(float), -10000);
    for (size_t i = 0; i + 1 < start.size(); ++i) {
      const auto row = mask.begin() + static_cast<int64_t>(i) * tokens;
      std::fill(row + start[i], row + start[i + 1], 0.0F);
    }
    fill_with(mask, operand);
  };
  return nodes.recorder().host_input("sequence mask " + sequences_name(seq_start, tokens),
                                     {ElementType::kF32, {tokens, 1, sequences}},
                                     std::span(&seq_start, 1), fill);
}

}  // namespace

void GaudiKernels::run(const CrossEntropy& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const Tensor& logits = op.logits.tensor();
    const int64_t rows = logits.dim(0);
    const Value labels = nodes.read(op.labels, {1, rows});
    const Value places = nodes.counting({logits.dim(1), 1});
    const Choices of{.scores = nodes.f32(nodes.read(logits)),
                     .hot = matches(nodes, places, labels),
                     .before = nodes.greater(labels, places),
                     .counts = counted(nodes, labels)};
    write_result(nodes, op.result, loss_of(nodes, of), hits_of(nodes, of));
    if (!op.scale.empty()) nodes.write(logits, gradient_of(nodes, of, nodes.read(op.scale)));
  });
}

void GaudiKernels::run(const SequenceCrossEntropy& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const Tensor& logits = op.logits.tensor();
    const int64_t tokens = logits.dim(0);
    const int64_t columns = logits.dim(1);
    const int64_t sequences = op.seq_start.size() - 1;
    const Value by_token = nodes.transpose(nodes.read(logits), {1, 0});  // {T,C}
    const Value masked = nodes.add(nodes.reshape(by_token, {tokens, columns, 1}),
                                   sequence_mask(nodes, op.seq_start, tokens));
    const Value labels = nodes.read(op.labels, {1, columns, sequences});
    const Value begins = nodes.read(op.seq_start.rows(0, sequences), {1, 1, sequences});
    const Value places = nodes.counting({tokens, 1, 1});
    const Value counts = counted(nodes, labels);
    const Value at = nodes.add(labels, begins);
    const Choices of{.scores = masked,
                     .hot = nodes.mult(matches(nodes, places, at), counts),
                     .before = nodes.greater(at, places),
                     .counts = counts};
    write_result(nodes, op.result, loss_of(nodes, of), hits_of(nodes, of));
    if (op.scale.empty()) return;
    const Value each = gradient_of(nodes, of, nodes.read(op.scale));  // {T,C,N}
    const Value sums = nodes.reshape(nodes.reduce_sum(each, 2), {tokens, columns});
    nodes.write(logits, nodes.transpose(sums, {1, 0}));
  });
}

void GaudiKernels::run(const BinaryCrossEntropy& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const Tensor& logits = op.logits.tensor();
    const int64_t count = logits.size();
    const Value x = nodes.read(logits, {1, count});
    const Value t = nodes.read(op.targets, {1, count});
    const Value one = nodes.constant(1);
    // Softmax over 0 and x is 1 - sigmoid(x) and sigmoid(x).
    const Value pairs = nodes.concat({nodes.zeros(ElementType::kF32, {1, count}), x}, 0);
    const Value logs = nodes.log_softmax(pairs, 0);
    const Value losses = nodes.add(nodes.mult(t, nodes.slice(logs, 0, 1, 2)),
                                   nodes.mult(nodes.sub(one, t), nodes.slice(logs, 0, 0, 1)));
    const Value loss = nodes.sub(nodes.constant(0), nodes.sum(losses));
    const Value on = nodes.f32(nodes.less_equal(nodes.constant(0), x));
    const Value wanted = nodes.f32(nodes.less_equal(nodes.constant(0.5F), t));
    write_result(nodes, op.result, loss, nodes.sum(matches(nodes, on, wanted)));
    if (op.scale.empty()) return;
    const Value sigmoid = nodes.slice(nodes.softmax(pairs, 0), 0, 1, 2);
    nodes.write(logits, nodes.mult(nodes.sub(sigmoid, t), nodes.read(op.scale)));
  });
}

void GaudiKernels::run(const SquaredError& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const Tensor& predictions = op.predictions.tensor();
    const Sizes sizes = {predictions.size()};
    const Value off = nodes.sub(nodes.read(predictions, sizes), nodes.read(op.targets, sizes));
    write_result(nodes, op.result, nodes.sum(nodes.mult(off, off)), nodes.constant(0));
    if (op.scale.empty()) return;
    const Value factor = nodes.mult(nodes.read(op.scale), nodes.constant(2));
    nodes.write(predictions, nodes.mult(off, factor));
  });
}

}  // namespace bertha::ops
