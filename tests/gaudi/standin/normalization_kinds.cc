// LayerNorm, softmax and log-softmax with their gradients.

#include <algorithm>
#include <cmath>

#include "gaudi/standin/lines.h"
#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

/// The sizes of a row's statistics: [1,1,1,T] for [H,1,1,T].
Sizes statistics_sizes(const Sizes& x) {
  Sizes sizes = x;
  sizes[0] = 1;
  return sizes;
}

struct LayerNormPlaces {
  size_t x, gamma, beta;
};

void normalize_rows(Call& call, const LayerNormPlaces& places, double eps) {
  const Operand& x = call.in(places.x);
  const Operand& gamma = call.in(places.gamma);
  const Operand& beta = call.in(places.beta);
  uint64_t row = 0;
  for_each_line(x.sizes, 0, [&](const Line& line) {
    const auto count = static_cast<double>(line.length);
    double mean = 0;
    double variance = 0;
    for (uint64_t c = 0; c < line.length; ++c) mean += x.data[line[c]] / count;
    for (uint64_t c = 0; c < line.length; ++c) {
      variance += (x.data[line[c]] - mean) * (x.data[line[c]] - mean) / count;
    }
    const double rstd = 1 / std::sqrt(variance + eps);
    for (uint64_t c = 0; c < line.length; ++c) {
      call.result(0)[line[c]] = (x.data[line[c]] - mean) * rstd * gamma.data[c] + beta.data[c];
    }
    call.result(1)[row] = mean;
    call.result(2)[row] = rstd;
    ++row;
  });
}

/// x[H,1,1,T], beta f32[H], gamma f32[H] -> y, mean f32[1,1,1,T], rstd. Parameters: bool eps is
/// valid, f32 eps.
void check_layer_norm(const Call& call) {
  call.expect_inputs(3, 3);
  call.expect_outputs(3, 3);
  call.expect_parameters({8});
  call.expect_float();
  const Sizes& x = call.in(0).sizes;
  call.expect(x.size() == 4, "x has {} dimensions: expected 4", x.size());
  call.expect(call.flag(0), "the parameters give no eps");
  call.expect_input_type(0, call.type);
  call.expect_input(1, kF32, {x[0]});
  call.expect_input(2, kF32, {x[0]});
  call.expect_output(0, call.type, x);
  call.expect_output(1, kF32, statistics_sizes(x));
  call.expect_output(2, kF32, statistics_sizes(x));
}

void run_layer_norm(Call& call) {
  normalize_rows(call, {.x = 0, .gamma = 2, .beta = 1},
                 static_cast<double>(call.parameter<float>(4)));
}

/// The places of the operands of a backward. With g = dY gamma and unit = (x - mean) rstd:
/// dX = rstd (g - mean(g) - unit mean(g unit)).
struct LayerNormBackwardPlaces {
  size_t x, d_y, mean, rstd, gamma;
  size_t d_gamma, d_beta;
};

void differentiate_rows(Call& call, const LayerNormBackwardPlaces& at) {
  const Operand& x = call.in(at.x);
  const Operand& d_y = call.in(at.d_y);
  const std::vector<double>& gamma = call.in(at.gamma).data;
  uint64_t row = 0;
  for_each_line(x.sizes, 0, [&](const Line& line) {
    const double mean = call.in(at.mean).data[row];
    const double rstd = call.in(at.rstd).data[row];
    const auto count = static_cast<double>(line.length);
    double mean_g = 0;
    double mean_g_unit = 0;
    for (uint64_t c = 0; c < line.length; ++c) {
      const double unit = (x.data[line[c]] - mean) * rstd;
      mean_g += d_y.data[line[c]] * gamma[c] / count;
      mean_g_unit += d_y.data[line[c]] * gamma[c] * unit / count;
      call.result(at.d_gamma)[c] += d_y.data[line[c]] * unit;
      call.result(at.d_beta)[c] += d_y.data[line[c]];
    }
    for (uint64_t c = 0; c < line.length; ++c) {
      const double unit = (x.data[line[c]] - mean) * rstd;
      call.result(0)[line[c]] = (d_y.data[line[c]] * gamma[c] - mean_g - unit * mean_g_unit) * rstd;
    }
    ++row;
  });
}

/// f32 or bf16: the vendor's bridge uses the one and a published graph the other.
void expect_weight_gradient(const Call& call, size_t i, uint64_t count) {
  call.expect_output(i, call.out(i).type == kF32 ? kF32 : call.type, {count});
}

/// x, dY, mean, rstd, gamma -> dX, dBeta, dGamma.
void check_layer_norm_backward(const Call& call) {
  call.expect_inputs(5, 5);
  call.expect_outputs(3, 3);
  call.expect_parameters({8});
  call.expect_float();
  const Sizes& x = call.in(0).sizes;
  call.expect(x.size() == 4, "x has {} dimensions: expected 4", x.size());
  call.expect_input_type(0, call.type);
  call.expect_input(1, call.type, x);
  call.expect_input(2, kF32, statistics_sizes(x));
  call.expect_input(3, kF32, statistics_sizes(x));
  call.expect_input(4, kF32, {x[0]});
  call.expect_output(0, call.type, x);
  expect_weight_gradient(call, 1, x[0]);
  expect_weight_gradient(call, 2, x[0]);
}

void run_layer_norm_backward(Call& call) {
  differentiate_rows(
      call, {.x = 0, .d_y = 1, .mean = 2, .rstd = 3, .gamma = 4, .d_gamma = 2, .d_beta = 1});
}

int32_t softmax_dimension(const Call& call) {
  call.expect_parameters({4});
  const auto dim = call.parameter<int32_t>(0);
  call.expect(dim >= 0 && static_cast<size_t>(dim) < call.in(0).rank(),
              "there is no dimension {} in {}", dim, to_text(call.in(0).sizes));
  return dim;
}

void check_softmax(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_float();
  softmax_dimension(call);
  call.expect_input_type(0, call.type);
  call.expect_output(0, call.type, call.in(0).sizes);
}

/// The logarithm of the sum of exp(x), without overflow.
double log_sum_exp(const std::vector<double>& x, const Line& line) {
  double largest = -INFINITY;
  for (uint64_t i = 0; i < line.length; ++i) largest = std::max(largest, x[line[i]]);
  double sum = 0;
  for (uint64_t i = 0; i < line.length; ++i) sum += std::exp(x[line[i]] - largest);
  return largest + std::log(sum);
}

void run_log_softmax(Call& call) {
  const std::vector<double>& x = call.in(0).data;
  for_each_line(call.in(0).sizes, static_cast<size_t>(softmax_dimension(call)),
                [&](const Line& line) {
                  const double log_sum = log_sum_exp(x, line);
                  for (uint64_t i = 0; i < line.length; ++i) {
                    call.result(0)[line[i]] = x[line[i]] - log_sum;
                  }
                });
}

void run_softmax(Call& call) {
  run_log_softmax(call);
  for (double& element : call.result(0)) element = std::exp(element);
}

/// (y, dY) or (dY, y) -> dX.
void check_softmax_backward(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_float();
  softmax_dimension(call);
  call.expect_input_type(0, call.type);
  call.expect_input(1, call.type, call.in(0).sizes);
  call.expect_output(0, call.type, call.in(0).sizes);
}

/// (y, dY): dX = y (dY - sum(y dY)).
void run_softmax_backward(Call& call) {
  const std::vector<double>& y = call.in(0).data;
  const std::vector<double>& d_y = call.in(1).data;
  for_each_line(call.in(0).sizes, static_cast<size_t>(softmax_dimension(call)),
                [&](const Line& line) {
                  double sum = 0;
                  for (uint64_t i = 0; i < line.length; ++i) sum += y[line[i]] * d_y[line[i]];
                  for (uint64_t i = 0; i < line.length; ++i) {
                    call.result(0)[line[i]] = y[line[i]] * (d_y[line[i]] - sum);
                  }
                });
}

/// (dY, y) with y the log-softmax: dX = dY - exp(y) sum(dY).
void run_log_softmax_backward(Call& call) {
  const std::vector<double>& d_y = call.in(0).data;
  const std::vector<double>& y = call.in(1).data;
  for_each_line(call.in(0).sizes, static_cast<size_t>(softmax_dimension(call)),
                [&](const Line& line) {
                  double sum = 0;
                  for (uint64_t i = 0; i < line.length; ++i) sum += d_y[line[i]];
                  for (uint64_t i = 0; i < line.length; ++i) {
                    call.result(0)[line[i]] = d_y[line[i]] - std::exp(y[line[i]]) * sum;
                  }
                });
}

}  // namespace

void add_normalization_kinds(NodeKinds& kinds) {
  kinds["layer_norm_fwd"] = {.check = check_layer_norm, .run = run_layer_norm};
  kinds["layer_norm_bwd"] = {.check = check_layer_norm_backward, .run = run_layer_norm_backward};
  kinds["softmax_fwd"] = {.check = check_softmax, .run = run_softmax};
  kinds["softmax_bwd"] = {.check = check_softmax_backward, .run = run_softmax_backward};
  kinds["logsoftmax_fwd"] = {.check = check_softmax, .run = run_log_softmax};
  kinds["logsoftmax_bwd_data"] = {.check = check_softmax_backward, .run = run_log_softmax_backward};
}

}  // namespace bertha::standin
