// Dropout and random numbers. The generator of the device is not documented; this one is ours and
// differs on purpose from that of the program, so that no test may rest on its bits.

#include <bit>
#include <cmath>

#include "core/philox.h"
#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

constexpr uint32_t kOwnStream = 0x5EED;

/// Uniform in [0, 1) with 24 bits.
double uniform(uint64_t element, double seed) {
  const PhiloxBlock block = philox(
      {static_cast<uint32_t>(element / 4), static_cast<uint32_t>(element >> 34), 0, kOwnStream},
      static_cast<uint64_t>(static_cast<int64_t>(seed)));
  return static_cast<double>(block[element % 4] >> 8) * 0x1p-24;
}

double drop_probability(const Call& call) {
  call.expect_parameters({8});
  const auto ratio = static_cast<double>(call.parameter<float>(0));
  call.expect(ratio >= 0 && ratio < 1, "the ratio is {}: expected 0 to below 1", ratio);
  return ratio;
}

/// x, seed i32[1] -> y, mask i8 (1: kept). Parameters: f32 ratio that is dropped, u32 seed, which
/// the tensor replaces.
void check_dropout(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(2, 2);
  call.expect_float();
  drop_probability(call);
  call.expect_input_type(0, call.type);
  call.expect_input(1, kI32, {1});
  call.expect_output(0, call.type, call.in(0).sizes);
  call.expect_output(1, kI8, call.in(0).sizes);
}

void run_dropout(Call& call) {
  const double ratio = drop_probability(call);
  for (uint64_t i = 0; i < call.in(0).data.size(); ++i) {
    const bool kept = uniform(i, call.in(1).data[0]) >= ratio;
    call.result(0)[i] = kept ? call.in(0).data[i] / (1 - ratio) : 0;
    call.result(1)[i] = kept ? 1 : 0;
  }
}

/// dY, mask i8 -> dX.
void check_dropout_backward(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_float();
  drop_probability(call);
  call.expect_input_type(0, call.type);
  call.expect_input(1, kI8, call.in(0).sizes);
  call.expect_output(0, call.type, call.in(0).sizes);
}

void run_dropout_backward(Call& call) {
  const double ratio = drop_probability(call);
  for (size_t i = 0; i < call.in(0).data.size(); ++i) {
    call.result(0)[i] = call.in(0).data[i] * call.in(1).data[i] / (1 - ratio);
  }
}

/// Perhaps a seed i32[1] -> uniform numbers. Parameters: f32 low, f32 high, u32 seed[, u32
/// counter].
void check_uniform(const Call& call) {
  call.expect_inputs(0, 1);
  call.expect_outputs(1, 1);
  call.expect_parameters({12, 16});
  call.expect_float();
  if (call.has_input(0)) call.expect_input(0, kI32, {1});
  call.expect_output_type(0, call.type);
}

void run_uniform(Call& call) {
  const auto low = static_cast<double>(call.parameter<float>(0));
  const auto high = static_cast<double>(call.parameter<float>(4));
  const double seed =
      call.has_input(0) ? call.in(0).data[0] : static_cast<double>(call.parameter<uint32_t>(8));
  for (uint64_t i = 0; i < call.result(0).size(); ++i) {
    call.result(0)[i] = low + (high - low) * uniform(i, seed);
  }
}

}  // namespace

void add_dropout_kinds(NodeKinds& kinds) {
  kinds["dropout_fwd"] = {.check = check_dropout, .run = run_dropout};
  kinds["dropout_bwd"] = {.check = check_dropout_backward, .run = run_dropout_backward};
  kinds["philox_random_uniform"] = {.check = check_uniform, .run = run_uniform};
}

}  // namespace bertha::standin
