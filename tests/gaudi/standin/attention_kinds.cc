// Attention in one node: softmax(q k^T scale + mask) v, where the probabilities are kept for the
// backward or computed again in it. q, k and v are [D,S,A,R]: head size, row length, heads, rows.

#include <algorithm>
#include <cmath>

#include "gaudi/standin/broadcast.h"
#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

/// Parameters: f32 scale, bool causal, f32 dropped ratio, u32 seed, flags; later versions append.
void expect_attention_parameters(const Call& call) {
  call.expect_parameters({24, 28, 32});
  call.expect(!call.flag(4), "the stand-in does not have causal masks");
  call.expect(call.parameter<float>(8) == 0, "the stand-in does not have dropout of attention");
}

double scale_of(const Call& call) {
  return static_cast<double>(call.parameter<float>(0));
}

Sizes probability_sizes(const Sizes& q) {
  return {q[1], q[1], q[2], q[3]};
}

/// q, k and v from operand `first` on. A mask, which is added to the scores, and what follows it
/// may be null.
void expect_attention_inputs(const Call& call, size_t first) {
  call.expect_float();
  const Sizes& q = call.in(first).sizes;
  call.expect(q.size() == 4, "q has {} dimensions: expected 4", q.size());
  for (size_t i = first; i < first + 3; ++i) call.expect_input(i, call.type, q);
}

void expect_mask(const Call& call, size_t mask, const Sizes& q) {
  if (!call.has_input(mask)) return;
  call.expect_input_type(mask, call.type);
  const Sizes all = probability_sizes(q);
  call.expect(broadcast_sizes<2>(call, {&call.in(mask).sizes, &all}) == all,
              "the mask {} does not repeat to {}", to_text(call.in(mask).sizes), to_text(all));
}

void expect_null_inputs(const Call& call, size_t first) {
  for (size_t i = first; i < call.inputs.size(); ++i) {
    call.expect(!call.inputs[i].present, "input {} is not null", i);
  }
}

/// The matrices of all heads and rows, one after the other.
struct Heads {
  uint64_t count, length, width;
  explicit Heads(const Sizes& q) : count(q[2] * q[3]), length(q[1]), width(q[0]) {}
};

/// scores[j,i] of a head: q_i k_j scale + mask.
std::vector<double> scores_of(const Call& call, size_t first, size_t mask) {
  const Heads heads(call.in(first).sizes);
  const std::vector<double>& q = call.in(first).data;
  const std::vector<double>& k = call.in(first + 1).data;
  std::vector<double> scores(heads.count * heads.length * heads.length, 0);
  for (uint64_t at = 0; at < scores.size(); ++at) {
    const uint64_t j = at % heads.length;
    const uint64_t row = at / heads.length;  // head and query
    const uint64_t key = row / heads.length * heads.length + j;
    for (uint64_t d = 0; d < heads.width; ++d) {
      scores[at] += q[row * heads.width + d] * k[key * heads.width + d] * scale_of(call);
    }
  }
  if (!call.has_input(mask)) return scores;
  const Sizes all = probability_sizes(call.in(first).sizes);
  for_each_element<1>(all, {&call.in(mask).sizes}, [&](uint64_t at, const auto& place) {
    scores[at] += call.in(mask).data[place[0]];
  });
  return scores;
}

/// The largest score of each query, and the reciprocal of the sum of exp(score - largest).
struct SoftmaxSums {
  std::vector<double> largest;
  std::vector<double> reciprocal;
};

SoftmaxSums sums_of(const std::vector<double>& scores, uint64_t length) {
  SoftmaxSums sums;
  for (uint64_t begin = 0; begin < scores.size(); begin += length) {
    const auto row = scores.begin() + static_cast<std::ptrdiff_t>(begin);
    const double largest = *std::max_element(row, row + static_cast<std::ptrdiff_t>(length));
    double sum = 0;
    for (uint64_t j = 0; j < length; ++j) sum += std::exp(scores[begin + j] - largest);
    sums.largest.push_back(largest);
    sums.reciprocal.push_back(1 / sum);
  }
  return sums;
}

std::vector<double> probabilities_of(const std::vector<double>& scores, uint64_t length,
                                     const std::vector<double>& largest,
                                     const std::vector<double>& reciprocal) {
  std::vector<double> probabilities(scores.size());
  for (uint64_t at = 0; at < scores.size(); ++at) {
    probabilities[at] = std::exp(scores[at] - largest[at / length]) * reciprocal[at / length];
  }
  return probabilities;
}

void multiply_values(Call& call, const Heads& heads, const std::vector<double>& probabilities,
                     const std::vector<double>& v) {
  for (uint64_t at = 0; at < probabilities.size(); ++at) {
    const uint64_t row = at / heads.length;
    const uint64_t key = row / heads.length * heads.length + at % heads.length;
    for (uint64_t d = 0; d < heads.width; ++d) {
      call.result(0)[row * heads.width + d] += probabilities[at] * v[key * heads.width + d];
    }
  }
}

/// What both forward passes share: q, k, v, mask?, then nulls -> o. Returns the extents of q.
const Sizes& expect_forward(const Call& call) {
  expect_attention_parameters(call);
  expect_attention_inputs(call, 0);
  const Sizes& q = call.in(0).sizes;
  expect_mask(call, 3, q);
  expect_null_inputs(call, 4);
  call.expect_output(0, call.type, q);
  return q;
}

/// q, k, v, mask?, seed?, then nulls -> o, P.
void check_attention(const Call& call) {
  call.expect_inputs(3, 12);
  call.expect_outputs(2, 2);
  const Sizes& q = expect_forward(call);
  call.expect_output(1, call.type, probability_sizes(q));
}

void run_attention(Call& call) {
  const Heads heads(call.in(0).sizes);
  const std::vector<double> scores = scores_of(call, 0, 3);
  const SoftmaxSums sums = sums_of(scores, heads.length);
  call.result(1) = probabilities_of(scores, heads.length, sums.largest, sums.reciprocal);
  multiply_values(call, heads, call.out(1).data, call.in(2).data);
}

/// dO, q, k, v, P, then nulls -> dq, dk, dv.
void check_attention_backward(const Call& call) {
  call.expect_inputs(5, 14);
  call.expect_outputs(3, 3);
  expect_attention_parameters(call);
  expect_attention_inputs(call, 1);
  const Sizes& q = call.in(1).sizes;
  call.expect_input(0, call.type, q);
  call.expect_input(4, call.type, probability_sizes(q));
  expect_null_inputs(call, 5);
  for (size_t i = 0; i < 3; ++i) call.expect_output(i, call.type, q);
}

/// With dP = dO v^T: dS = P (dP - sum(P dP)), dq = dS k scale, dk = dS^T q scale, dv = P^T dO.
void differentiate_attention(Call& call, const std::vector<double>& probabilities) {
  const Heads heads(call.in(1).sizes);
  const std::vector<double>& d_o = call.in(0).data;
  const std::vector<double>& q = call.in(1).data;
  const std::vector<double>& k = call.in(2).data;
  const std::vector<double>& v = call.in(3).data;
  const uint64_t length = heads.length;
  const uint64_t width = heads.width;
  std::vector<double> d_p(length);
  for (uint64_t row = 0; row < heads.count * length; ++row) {
    const uint64_t first_key = row / length * length;
    double sum = 0;
    for (uint64_t j = 0; j < length; ++j) {
      d_p[j] = 0;
      for (uint64_t d = 0; d < width; ++d) {
        d_p[j] += d_o[row * width + d] * v[(first_key + j) * width + d];
      }
      sum += probabilities[row * length + j] * d_p[j];
    }
    for (uint64_t j = 0; j < length; ++j) {
      const double p = probabilities[row * length + j];
      const double d_score = p * (d_p[j] - sum) * scale_of(call);
      for (uint64_t d = 0; d < width; ++d) {
        const uint64_t key = (first_key + j) * width + d;
        call.result(0)[row * width + d] += d_score * k[key];
        call.result(1)[key] += d_score * q[row * width + d];
        call.result(2)[key] += p * d_o[row * width + d];
      }
    }
  }
}

void run_attention_backward(Call& call) {
  differentiate_attention(call, call.in(4).data);
}

/// One element for each query; how many dimensions of 1 there are is not documented.
void expect_sums(const Call& call, const Operand& operand, const Sizes& q) {
  call.expect(operand.type == kF32 && count_of(operand.sizes) == q[1] * q[2] * q[3],
              "sums are {} {}: expected f32 for {} queries", to_text(operand.sizes),
              type_name(operand.type), q[1] * q[2] * q[3]);
}

/// q, k, v, mask?, seed? -> o, largest scores f32, reciprocals of sums f32, seed i32.
void check_recomputing(const Call& call) {
  call.expect_inputs(3, 5);
  call.expect_outputs(4, 4);
  const Sizes& q = expect_forward(call);
  expect_sums(call, call.out(1), q);
  expect_sums(call, call.out(2), q);
  call.expect_output(3, kI32, {1});
}

void run_recomputing(Call& call) {
  const Heads heads(call.in(0).sizes);
  const std::vector<double> scores = scores_of(call, 0, 3);
  const SoftmaxSums sums = sums_of(scores, heads.length);
  call.result(1) = sums.largest;
  call.result(2) = sums.reciprocal;
  multiply_values(call, heads,
                  probabilities_of(scores, heads.length, sums.largest, sums.reciprocal),
                  call.in(2).data);
}

/// dO, q, k, v, mask?, largest scores, reciprocals of sums, seed? -> dq, dk, dv.
void check_recomputing_backward(const Call& call) {
  call.expect_inputs(4, 8);
  call.expect_outputs(3, 3);
  expect_attention_parameters(call);
  expect_attention_inputs(call, 1);
  const Sizes& q = call.in(1).sizes;
  call.expect_input(0, call.type, q);
  expect_mask(call, 4, q);
  call.expect(call.has_input(5) && call.has_input(6), "the forward's sums are null");
  expect_sums(call, call.in(5), q);
  expect_sums(call, call.in(6), q);
  for (size_t i = 0; i < 3; ++i) call.expect_output(i, call.type, q);
}

void run_recomputing_backward(Call& call) {
  const Heads heads(call.in(1).sizes);
  differentiate_attention(call, probabilities_of(scores_of(call, 1, 4), heads.length,
                                                 call.in(5).data, call.in(6).data));
}

}  // namespace

void add_attention_kinds(NodeKinds& kinds) {
  kinds["sdpa_fwd"] = {.check = check_attention, .run = run_attention};
  kinds["sdpa_bwd"] = {.check = check_attention_backward, .run = run_attention_backward};
  kinds["sdpa_recomp_fwd"] = {.check = check_recomputing, .run = run_recomputing};
  kinds["sdpa_recomp_bwd"] = {.check = check_recomputing_backward, .run = run_recomputing_backward};
}

}  // namespace bertha::standin
