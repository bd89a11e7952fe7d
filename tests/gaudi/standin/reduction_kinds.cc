// Sums over dimensions.

#include <cmath>

#include "gaudi/standin/broadcast.h"
#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

Sizes sizes_without(const Sizes& sizes, uint32_t mask, bool keep) {
  Sizes reduced;
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    if ((mask >> dim & 1) == 0) {
      reduced.push_back(sizes[dim]);
    } else if (keep) {
      reduced.push_back(1);
    }
  }
  if (reduced.empty()) reduced.push_back(1);
  return reduced;
}

uint32_t all_dimensions(const Operand& operand) {
  return (uint32_t{1} << operand.rank()) - 1;
}

/// Adds function(x) of every element to its place of the output.
template <typename Function>
void sum_over(Call& call, uint32_t mask, const Function& function) {
  const Operand& x = call.in(0);
  const Sizes kept = sizes_without(x.sizes, mask, true);
  for_each_element<1>(x.sizes, {&kept}, [&](uint64_t i, const auto& at) {
    call.result(0)[at[0]] += function(x.data[i]);
  });
}

void check_input(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  if (call.type != kI32) call.expect_float();
  call.expect_input_type(0, call.type);
}

/// Parameters: the dimension. Whether it stays as 1 is not documented, so both are taken.
void check_reduce_sum(const Call& call) {
  check_input(call);
  call.expect_parameters({4});
  const auto dim = call.parameter<uint32_t>(0);
  call.expect(dim < call.in(0).rank(), "there is no dimension {} in {}", dim,
              to_text(call.in(0).sizes));
  const uint32_t mask = uint32_t{1} << dim;
  const Sizes kept = sizes_without(call.in(0).sizes, mask, true);
  const bool keeps = call.out(0).sizes == kept;
  call.expect_output(0, call.type, keeps ? kept : sizes_without(call.in(0).sizes, mask, false));
}

void run_reduce_sum(Call& call) {
  sum_over(call, uint32_t{1} << call.parameter<uint32_t>(0), [](double x) { return x; });
}

uint32_t mask_of(const Call& call) {
  const auto mask = call.parameter<uint32_t>(0);
  return mask == 0 ? all_dimensions(call.in(0)) : mask;
}

/// Parameters: a mask of the dimensions, 0 for all of them, and whether they stay as 1.
void check_multi_dim(const Call& call) {
  check_input(call);
  call.expect_parameters({8});
  call.expect((mask_of(call) & ~all_dimensions(call.in(0))) == 0,
              "the mask {:#x} names dimensions that {} does not have", mask_of(call),
              to_text(call.in(0).sizes));
  call.expect_output(0, call.type, sizes_without(call.in(0).sizes, mask_of(call), call.flag(4)));
}

void run_sum_multi_dim(Call& call) {
  sum_over(call, mask_of(call), [](double x) { return x; });
}

void run_square_multi_dim(Call& call) {
  sum_over(call, mask_of(call), [](double x) { return x * x; });
}

void check_frobenius_norm(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect(call.in(0).rank() >= 2 && call.in(0).rank() <= 4,
              "the input has {} dimensions: expected 2 to 4", call.in(0).rank());
  call.expect(is_float(call.in(0).type), "the input is {}", type_name(call.in(0).type));
  call.expect_output(0, call.in(0).type, {1});
}

void run_frobenius_norm(Call& call) {
  sum_over(call, all_dimensions(call.in(0)), [](double x) { return x * x; });
  call.result(0)[0] = std::sqrt(call.result(0)[0]);
}

}  // namespace

void add_reduction_kinds(NodeKinds& kinds) {
  kinds["reduce_sum_fwd"] = {.check = check_reduce_sum, .run = run_reduce_sum};
  kinds["reduce_sum_multi_dim_fwd"] = {.check = check_multi_dim, .run = run_sum_multi_dim};
  kinds["reduce_sum_square_multi_dim_fwd"] = {.check = check_multi_dim,
                                              .run = run_square_multi_dim};
  kinds["frobenius_norm_fwd"] = {
      .has_suffix = false, .check = check_frobenius_norm, .run = run_frobenius_norm};
}

}  // namespace bertha::standin
