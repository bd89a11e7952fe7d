// Cross-entropy of softmax, in one node and composed of log-softmax and the negative
// log-likelihood.

#include <cmath>

#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

constexpr int32_t kSum = 0;
constexpr int32_t kMean = 1;

uint64_t label_of(const Call& call, size_t operand, uint64_t row, uint64_t classes) {
  const double label = call.in(operand).data[row];
  require(label >= 0 && label < static_cast<double>(classes), kFail, rule::kIndexRange,
          "node \"{}\" ({}): label {} of row {} is not one of {} classes", call.node, call.guid,
          label, row, classes);
  return static_cast<uint64_t>(label);
}

/// [V,N] of the suffix's type in operand 0 and labels i32[N] in operand 1.
void expect_scores_and_labels(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_float();
  call.expect(call.in(0).rank() == 2, "input 0 has {} dimensions: expected 2", call.in(0).rank());
  call.expect_input_type(0, call.type);
  call.expect_input(1, kI32, {call.in(0).sizes[1]});
}

/// Parameters: the mode and the batch. Returns what the loss is divided by.
double loss_divisor(const Call& call) {
  call.expect_parameters({8});
  const auto mode = call.parameter<int32_t>(0);
  const auto batch = call.parameter<int32_t>(4);
  call.expect(mode == kSum || mode == kMean, "the mode is {}: expected 0 or 1", mode);
  call.expect(batch >= 1 && static_cast<uint64_t>(batch) == call.in(0).sizes[1],
              "the batch is {} and there are {} rows", batch, call.in(0).sizes[1]);
  return mode == kMean ? batch : 1;
}

/// logits[V,N], labels i32[N] -> loss[1], logsoftmax[V,N].
void check_cross_entropy(const Call& call) {
  expect_scores_and_labels(call);
  call.expect_outputs(2, 2);
  loss_divisor(call);
  call.expect_output(0, call.type, {1});
  call.expect_output(1, call.type, call.in(0).sizes);
}

void run_cross_entropy(Call& call) {
  const uint64_t classes = call.in(0).sizes[0];
  const std::vector<double>& logits = call.in(0).data;
  for (uint64_t row = 0; row < call.in(0).sizes[1]; ++row) {
    const double* const x = logits.data() + row * classes;
    double largest = x[0];
    for (uint64_t c = 1; c < classes; ++c) largest = std::max(largest, x[c]);
    double sum = 0;
    for (uint64_t c = 0; c < classes; ++c) sum += std::exp(x[c] - largest);
    for (uint64_t c = 0; c < classes; ++c) {
      call.result(1)[row * classes + c] = x[c] - largest - std::log(sum);
    }
    call.result(0)[0] -=
        call.result(1)[row * classes + label_of(call, 1, row, classes)] / loss_divisor(call);
  }
}

/// logsoftmax[V,N], labels i32[N] -> dLogits.
void check_cross_entropy_backward(const Call& call) {
  expect_scores_and_labels(call);
  call.expect_outputs(1, 1);
  loss_divisor(call);
  call.expect_output(0, call.type, call.in(0).sizes);
}

void run_cross_entropy_backward(Call& call) {
  const uint64_t classes = call.in(0).sizes[0];
  for (uint64_t row = 0; row < call.in(0).sizes[1]; ++row) {
    const uint64_t label = label_of(call, 1, row, classes);
    for (uint64_t c = 0; c < classes; ++c) {
      const double probability = std::exp(call.in(0).data[row * classes + c]);
      call.result(0)[row * classes + c] = (probability - (c == label ? 1 : 0)) / loss_divisor(call);
    }
  }
}

// The negative log-likelihood has other modes, and a label that does not count.
constexpr int32_t kLikelihoodMean = 0;
constexpr int32_t kLikelihoodSum = 1;
constexpr int32_t kLikelihoodNone = 2;

int32_t likelihood_mode(const Call& call) {
  call.expect_parameters({8});
  const auto mode = call.parameter<int32_t>(0);
  call.expect(mode >= kLikelihoodMean && mode <= kLikelihoodNone,
              "the mode is {}: expected 0, 1 or 2", mode);
  return mode;
}

bool counts(const Call& call, double label) {
  return label != static_cast<double>(call.parameter<int32_t>(4));
}

double likelihood_divisor(const Call& call, const std::vector<double>& labels) {
  if (likelihood_mode(call) != kLikelihoodMean) return 1;
  double count = 0;
  for (const double label : labels) count += counts(call, label) ? 1 : 0;
  return count;
}

/// logsoftmax[V,N], labels i32[N] -> loss[1], or [N] in mode none.
void check_likelihood(const Call& call) {
  expect_scores_and_labels(call);
  call.expect_outputs(1, 1);
  const bool none = likelihood_mode(call) == kLikelihoodNone;
  call.expect_output(0, call.type, {none ? call.in(0).sizes[1] : 1});
}

void run_likelihood(Call& call) {
  const uint64_t classes = call.in(0).sizes[0];
  const std::vector<double>& labels = call.in(1).data;
  const double divisor = likelihood_divisor(call, labels);
  for (uint64_t row = 0; row < labels.size(); ++row) {
    if (!counts(call, labels[row])) continue;
    const double loss = -call.in(0).data[row * classes + label_of(call, 1, row, classes)];
    call.result(0)[likelihood_mode(call) == kLikelihoodNone ? row : 0] += loss / divisor;
  }
}

/// dLoss[1] (or [N]), labels i32[N] -> d logsoftmax[V,N].
void check_likelihood_backward(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_float();
  call.expect(call.out(0).rank() == 2, "the output has {} dimensions: expected 2",
              call.out(0).rank());
  const bool none = likelihood_mode(call) == kLikelihoodNone;
  call.expect_output_type(0, call.type);
  call.expect_input(0, call.type, {none ? call.out(0).sizes[1] : 1});
  call.expect_input(1, kI32, {call.out(0).sizes[1]});
}

void run_likelihood_backward(Call& call) {
  const uint64_t classes = call.out(0).sizes[0];
  const std::vector<double>& labels = call.in(1).data;
  const double divisor = likelihood_divisor(call, labels);
  for (uint64_t row = 0; row < labels.size(); ++row) {
    if (!counts(call, labels[row])) continue;
    const double d_loss = call.in(0).data[likelihood_mode(call) == kLikelihoodNone ? row : 0];
    call.result(0)[row * classes + label_of(call, 1, row, classes)] = -d_loss / divisor;
  }
}

}  // namespace

void add_loss_kinds(NodeKinds& kinds) {
  kinds["softmax_cross_entropy_fwd"] = {.check = check_cross_entropy, .run = run_cross_entropy};
  kinds["softmax_cross_entropy_bwd"] = {.check = check_cross_entropy_backward,
                                        .run = run_cross_entropy_backward};
  kinds["nll_loss_fwd"] = {.check = check_likelihood, .run = run_likelihood};
  kinds["nll_loss_bwd"] = {.check = check_likelihood_backward, .run = run_likelihood_backward};
}

}  // namespace bertha::standin
