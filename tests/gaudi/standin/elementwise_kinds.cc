// Nodes that compute each element from the elements at its place.

#include <cmath>

#include "gaudi/standin/broadcast.h"
#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

using Unary = double (*)(double);
using Binary = double (*)(double, double);

void check_unary(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect_float();
  call.expect_input_type(0, call.type);
  call.expect_output(0, call.type, call.in(0).sizes);
}

NodeKind unary(Unary function) {
  return {.check = check_unary, .run = [function](Call& call) {
            for (size_t i = 0; i < call.in(0).data.size(); ++i) {
              call.result(0)[i] = function(call.in(0).data[i]);
            }
          }};
}

void check_two_inputs(const Call& call, DataType output) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect_input_type(0, call.type);
  call.expect_input_type(1, call.type);
  call.expect_output(0, output, broadcast_sizes<2>(call, {&call.in(0).sizes, &call.in(1).sizes}));
}

void run_two_inputs(Call& call, Binary function) {
  const Operand& a = call.in(0);
  const Operand& b = call.in(1);
  for_each_element<2>(call.out(0).sizes, {&a.sizes, &b.sizes}, [&](uint64_t i, const auto& at) {
    call.result(0)[i] = function(a.data[at[0]], b.data[at[1]]);
  });
}

NodeKind binary(Binary function, bool integers) {
  return {.check =
              [integers](const Call& call) {
                if (!integers || call.type != kI32) call.expect_float();
                check_two_inputs(call, call.type);
              },
          .run = [function](Call& call) { run_two_inputs(call, function); }};
}

/// The result is i8: 0 or 1.
NodeKind comparison(Binary function) {
  return {.check =
              [](const Call& call) {
                if (call.type != kI32 && call.type != kI8) call.expect_float();
                check_two_inputs(call, kI8);
              },
          .run = [function](Call& call) { run_two_inputs(call, function); }};
}

/// i8 condition, a, b -> a where the condition is not 0.
void check_where(const Call& call) {
  call.expect_inputs(3, 3);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  if (call.type != kI32) call.expect_float();
  call.expect_input_type(0, kI8);
  call.expect_input_type(1, call.type);
  call.expect_input_type(2, call.type);
  call.expect_output(
      0, call.type,
      broadcast_sizes<3>(call, {&call.in(0).sizes, &call.in(1).sizes, &call.in(2).sizes}));
}

void run_where(Call& call) {
  for_each_element<3>(call.out(0).sizes, {&call.in(0).sizes, &call.in(1).sizes, &call.in(2).sizes},
                      [&](uint64_t i, const auto& at) {
                        call.result(0)[i] = call.in(0).data[at[0]] != 0 ? call.in(1).data[at[1]]
                                                                        : call.in(2).data[at[2]];
                      });
}

void check_not(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect(call.type == kI8, "there is no kernel of the type {}", type_name(call.type));
  call.expect_input_type(0, kI8);
  call.expect_output(0, kI8, call.in(0).sizes);
}

void run_not(Call& call) {
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    call.result(0)[i] = call.in(0).data[i] == 0 ? 1 : 0;
  }
}

/// No inputs -> [1]. Parameters: the value, as the type of the suffix or as f32.
void check_constant(const Call& call) {
  call.expect_inputs(0, 0);
  call.expect_outputs(1, 1);
  call.expect_parameters({4});
  call.expect(call.type == kF32 || call.type == kBf16 || call.type == kI32,
              "there is no kernel of the type {}", type_name(call.type));
  call.expect_output(0, call.type, {1});
}

void run_constant(Call& call) {
  call.result(0)[0] = call.type == kI32 ? static_cast<double>(call.parameter<int32_t>(0))
                                        : static_cast<double>(call.parameter<float>(0));
}

constexpr int32_t kNearestEven = 0;
constexpr int32_t kDefaultRounding = 5;

/// cast_A_to_B. Parameters: the rounding mode, or none.
void check_cast(const Call& call, DataType from) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_parameters({0, 4});
  if (!call.parameters.empty()) {
    const auto mode = call.parameter<int32_t>(0);
    call.expect(mode == kNearestEven || mode == kDefaultRounding,
                "the stand-in does not have the rounding mode {}", mode);
  }
  call.expect_input_type(0, from);
  call.expect_output(0, call.type, call.in(0).sizes);
}

void run_cast(Call& call) {
  // A fraction has no defined integer: rounded_to() refuses it.
  call.result(0) = call.in(0).data;
}

void add_casts(NodeKinds& kinds) {
  for (const DataType from : {kF32, kBf16, kI8, kU8, kI16, kI32}) {
    kinds[fmt::format("cast_{}_to", type_name(from))] = {
        .check = [from](const Call& call) { check_cast(call, from); }, .run = run_cast};
  }
}

}  // namespace

void add_elementwise_kinds(NodeKinds& kinds) {
  kinds["sqrt_fwd"] = unary([](double x) { return std::sqrt(x); });
  kinds["rsqrt_fwd"] = unary([](double x) { return 1 / std::sqrt(x); });
  kinds["reciprocal_fwd"] = unary([](double x) { return 1 / x; });
  kinds["exp_fwd"] = unary([](double x) { return std::exp(x); });
  kinds["log_fwd"] = unary([](double x) { return std::log(x); });
  kinds["abs_fwd"] = unary([](double x) { return std::abs(x); });
  kinds["neg_fwd"] = unary([](double x) { return -x; });
  kinds["add_fwd"] = binary([](double a, double b) { return a + b; }, true);
  kinds["sub_fwd"] = binary([](double a, double b) { return a - b; }, true);
  kinds["mult_fwd"] = binary([](double a, double b) { return a * b; }, true);
  kinds["div_fwd"] = binary([](double a, double b) { return a / b; }, false);
  kinds["pow_fwd"] = binary([](double a, double b) { return std::pow(a, b); }, false);
  kinds["max_fwd"] =
      binary([](double a, double b) { return a > b || std::isnan(a) ? a : b; }, true);
  kinds["min_fwd"] =
      binary([](double a, double b) { return a < b || std::isnan(a) ? a : b; }, true);
  kinds["equal_fwd"] = comparison([](double a, double b) { return a == b ? 1.0 : 0.0; });
  kinds["not_equal_fwd"] = comparison([](double a, double b) { return a != b ? 1.0 : 0.0; });
  kinds["less_fwd"] = comparison([](double a, double b) { return a < b ? 1.0 : 0.0; });
  kinds["less_equal_fwd"] = comparison([](double a, double b) { return a <= b ? 1.0 : 0.0; });
  kinds["greater_fwd"] = comparison([](double a, double b) { return a > b ? 1.0 : 0.0; });
  kinds["greater_equal_fwd"] = comparison([](double a, double b) { return a >= b ? 1.0 : 0.0; });
  kinds["where_fwd"] = {.check = check_where, .run = run_where};
  kinds["not_fwd"] = {.check = check_not, .run = run_not};
  kinds["constant"] = {.check = check_constant, .run = run_constant};
  add_casts(kinds);
}

}  // namespace bertha::standin
