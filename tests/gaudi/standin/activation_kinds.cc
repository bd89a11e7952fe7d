// GELU and tanh with their gradients.

#include <cmath>
#include <numbers>

#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2);
}

double normal_density(double x) {
  return std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

void expect_like_input_0(const Call& call, size_t inputs, size_t outputs) {
  call.expect_inputs(inputs, inputs);
  call.expect_outputs(outputs, outputs);
  call.expect_float();
  for (size_t i = 0; i < inputs; ++i) call.expect_input(i, call.type, call.in(0).sizes);
  for (size_t i = 0; i < outputs; ++i) call.expect_output(i, call.type, call.in(0).sizes);
}

void expect_erf_form(const Call& call) {
  call.expect_parameters({1});
  call.expect(!call.flag(0), "the approximation is neither the erf form nor the tanh form");
}

/// x -> y, and a second tensor whose content is known to the backward alone. Parameters: bool,
/// whether to approximate.
void check_gelu(const Call& call) {
  expect_like_input_0(call, 1, 2);
  expect_erf_form(call);
}

void run_gelu(Call& call) {
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    const double x = call.in(0).data[i];
    call.result(0)[i] = x * normal_cdf(x);
    call.result(1)[i] = normal_cdf(x);
  }
}

/// dY, x, the forward's second output -> dX.
void check_gelu_backward(const Call& call) {
  expect_like_input_0(call, 3, 1);
  call.expect_parameters({0});
}

void run_gelu_backward(Call& call) {
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    const double x = call.in(1).data[i];
    call.result(0)[i] = call.in(0).data[i] * (call.in(2).data[i] + x * normal_density(x));
  }
}

/// dY, x -> dX.
void check_composite_gelu_backward(const Call& call) {
  expect_like_input_0(call, 2, 1);
  expect_erf_form(call);
}

void run_composite_gelu_backward(Call& call) {
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    const double x = call.in(1).data[i];
    call.result(0)[i] = call.in(0).data[i] * (normal_cdf(x) + x * normal_density(x));
  }
}

void check_tanh(const Call& call) {
  expect_like_input_0(call, 1, 1);
  call.expect_parameters({0});
}

void run_tanh(Call& call) {
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    call.result(0)[i] = std::tanh(call.in(0).data[i]);
  }
}

/// dY, y -> dX.
void check_tanh_backward(const Call& call) {
  expect_like_input_0(call, 2, 1);
  call.expect_parameters({0});
}

void run_tanh_backward(Call& call) {
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    const double y = call.in(1).data[i];
    call.result(0)[i] = call.in(0).data[i] * (1 - y * y);
  }
}

}  // namespace

void add_activation_kinds(NodeKinds& kinds) {
  kinds["gelu_fwd"] = {.check = check_gelu, .run = run_gelu};
  kinds["gelu_bwd"] = {.check = check_gelu_backward, .run = run_gelu_backward};
  kinds["cgelu_bwd"] = {.check = check_composite_gelu_backward, .run = run_composite_gelu_backward};
  kinds["tanh_fwd"] = {.check = check_tanh, .run = run_tanh};
  kinds["tanh_bwd"] = {.check = check_tanh_backward, .run = run_tanh_backward};
}

}  // namespace bertha::standin
