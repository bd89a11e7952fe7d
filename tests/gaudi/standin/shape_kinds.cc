// Nodes that move elements and compute nothing. Their GUIDs have no suffix.

#include <algorithm>
#include <array>
#include <numeric>

#include "gaudi/standin/broadcast.h"
#include "gaudi/standin/lines.h"
#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

void expect_one_to_one(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_output_type(0, call.in(0).type);
}

void copy_elements(Call& call) {
  call.result(0) = call.in(0).data;
}

void check_same(const Call& call) {
  expect_one_to_one(call);
  call.expect_parameters({0});
  call.expect_output(0, call.in(0).type, call.in(0).sizes);
}

void check_reshape(const Call& call) {
  expect_one_to_one(call);
  call.expect_parameters({0});
  call.expect(count_of(call.in(0).sizes) == count_of(call.out(0).sizes),
              "{} does not become {}: the counts differ", to_text(call.in(0).sizes),
              to_text(call.out(0).sizes));
}

void check_memset(const Call& call) {
  call.expect_inputs(0, 0);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
}

void check_reinterpret(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect(bytes_of_type(call.in(0).type) == bytes_of_type(call.out(0).type) &&
                  call.in(0).sizes == call.out(0).sizes,
              "{} {} is read as {} {}", to_text(call.in(0).sizes), type_name(call.in(0).type),
              to_text(call.out(0).sizes), type_name(call.out(0).type));
}

void run_reinterpret(Call& call) {
  std::vector<std::byte> bytes(call.in(0).data.size() * bytes_of_type(call.in(0).type));
  store({call.in(0).type, call.in(0).sizes, call.in(0).data}, bytes.data());
  call.result(0) = load(call.out(0).type, call.out(0).sizes, bytes.data()).data;
}

constexpr size_t kShortPermutationBytes = 24;  // u32 permutation[5], u32 rank
constexpr size_t kLongPermutationBytes = 104;  // u32 rank, u32 permutation[25]

std::vector<uint32_t> permutation_of(const Call& call) {
  const bool is_short = call.parameters.size() == kShortPermutationBytes;
  const auto rank = call.parameter<uint32_t>(is_short ? 20 : 0);
  call.expect(rank == call.in(0).rank(), "the permutation has {} dimensions and the input {}", rank,
              call.in(0).rank());
  std::vector<uint32_t> permutation(rank);
  for (uint32_t dim = 0; dim < rank; ++dim) {
    permutation[dim] = call.parameter<uint32_t>((is_short ? 0 : 4) + 4 * size_t{dim});
  }
  return permutation;
}

/// The output's dimension d is the input's dimension permutation[d].
void check_transpose(const Call& call) {
  expect_one_to_one(call);
  call.expect_parameters({kShortPermutationBytes, kLongPermutationBytes});
  const std::vector<uint32_t> permutation = permutation_of(call);
  std::vector<uint32_t> sorted = permutation;
  std::ranges::sort(sorted);
  for (uint32_t dim = 0; dim < sorted.size(); ++dim) {
    call.expect(sorted[dim] == dim, "the permutation names a dimension twice");
  }
  Sizes sizes;
  for (const uint32_t dim : permutation) sizes.push_back(call.in(0).sizes[dim]);
  call.expect_output(0, call.in(0).type, sizes);
}

void run_transpose(Call& call) {
  const std::vector<uint32_t> permutation = permutation_of(call);
  const Sizes& from = call.in(0).sizes;
  std::vector<uint64_t> strides(from.size(), 1);
  for (size_t dim = 1; dim < from.size(); ++dim) strides[dim] = strides[dim - 1] * from[dim - 1];
  const Sizes& to = call.out(0).sizes;
  for (uint64_t index = 0; index < call.result(0).size(); ++index) {
    uint64_t rest = index;
    uint64_t place = 0;
    for (size_t dim = 0; dim < to.size(); ++dim) {
      place += rest % to[dim] * strides[permutation[dim]];
      rest /= to[dim];
    }
    call.result(0)[index] = call.in(0).data[place];
  }
}

uint32_t axis_of(const Call& call, size_t rank) {
  call.expect_parameters({4});
  const auto axis = call.parameter<uint32_t>(0);
  call.expect(axis < rank, "the axis {} does not exist in {} dimensions", axis, rank);
  return axis;
}

/// The sizes along the axis add up; all others are equal.
void check_parts(const Call& call, const Operand& whole, const std::vector<Operand>& parts,
                 uint32_t axis) {
  uint64_t sum = 0;
  for (const Operand& part : parts) {
    call.expect(part.present && part.type == whole.type && part.rank() == whole.rank(),
                "a part has the sizes {} {} beside {} {}", to_text(part.sizes),
                type_name(part.type), to_text(whole.sizes), type_name(whole.type));
    Sizes expected = whole.sizes;
    expected[axis] = part.sizes[axis];
    call.expect(part.sizes == expected, "a part has the sizes {}: expected {}", to_text(part.sizes),
                to_text(expected));
    sum += part.sizes[axis];
  }
  call.expect(sum == whole.sizes[axis], "the parts have {} along axis {} and the whole {}", sum,
              axis, whole.sizes[axis]);
}

/// Calls visit(index in the whole, index in the part) for the elements of a part that begins at
/// `first` of the axis.
template <typename Visit>
void for_each_of_part(const Sizes& whole, const Sizes& part, uint32_t axis, uint64_t first,
                      const Visit& visit) {
  uint64_t inner = 1;
  for (uint32_t dim = 0; dim < axis; ++dim) inner *= whole[dim];
  const uint64_t count = count_of(part);
  const uint64_t run = inner * part[axis];
  for (uint64_t index = 0; index < count; ++index) {
    visit(index / run * inner * whole[axis] + first * inner + index % run, index);
  }
}

void check_concat(const Call& call) {
  call.expect_inputs(1, call.inputs.size());
  call.expect_outputs(1, 1);
  check_parts(call, call.out(0), call.inputs, axis_of(call, call.out(0).rank()));
}

void run_concat(Call& call) {
  const auto axis = call.parameter<uint32_t>(0);
  uint64_t first = 0;
  for (const Operand& part : call.inputs) {
    for_each_of_part(call.out(0).sizes, part.sizes, axis, first,
                     [&](uint64_t whole, uint64_t i) { call.result(0)[whole] = part.data[i]; });
    first += part.sizes[axis];
  }
}

void check_split(const Call& call) {
  call.expect_inputs(1, 1);
  call.expect_outputs(1, call.outputs.size());
  check_parts(call, call.in(0), call.outputs, axis_of(call, call.in(0).rank()));
}

void run_split(Call& call) {
  const auto axis = call.parameter<uint32_t>(0);
  uint64_t first = 0;
  for (Operand& part : call.outputs) {
    for_each_of_part(call.in(0).sizes, part.sizes, axis, first,
                     [&](uint64_t whole, uint64_t i) { part.data[i] = call.in(0).data[whole]; });
    first += part.sizes[axis];
  }
}

constexpr size_t kSliceBytes = 80;

struct Slice {
  Sizes starts;
  Sizes steps;
  Sizes sizes;
};

/// Parameters: u32 axes[5], starts[5], ends[5], steps[5]; an entry for each dimension of the input.
Slice slice_of(const Call& call) {
  const size_t rank = call.in(0).rank();
  Slice slice{Sizes(rank), Sizes(rank, 0), Sizes(rank)};
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = call.parameter<uint32_t>(4 * i);
    const auto start = call.parameter<uint32_t>(20 + 4 * i);
    const auto end = call.parameter<uint32_t>(40 + 4 * i);
    const auto step = call.parameter<uint32_t>(60 + 4 * i);
    call.expect(axis < rank && slice.steps[axis] == 0,
                "entry {} names axis {}, which is not there or named twice", i, axis);
    call.expect(step > 0 && start < end && end <= call.in(0).sizes[axis],
                "axis {} of {} is cut from {} to {} by {}", axis, to_text(call.in(0).sizes), start,
                end, step);
    slice.starts[axis] = start;
    slice.steps[axis] = step;
    slice.sizes[axis] = (end - start + step - 1) / step;
  }
  return slice;
}

void check_slice(const Call& call) {
  expect_one_to_one(call);
  call.expect_parameters({kSliceBytes});
  call.expect_output(0, call.in(0).type, slice_of(call).sizes);
}

void run_slice(Call& call) {
  const Slice slice = slice_of(call);
  for (uint64_t index = 0; index < call.result(0).size(); ++index) {
    uint64_t rest = index;
    uint64_t place = 0;
    uint64_t stride = 1;
    for (size_t dim = 0; dim < slice.sizes.size(); ++dim) {
      place += (slice.starts[dim] + rest % slice.sizes[dim] * slice.steps[dim]) * stride;
      rest /= slice.sizes[dim];
      stride *= call.in(0).sizes[dim];
    }
    call.result(0)[index] = call.in(0).data[place];
  }
}

void check_broadcast(const Call& call) {
  expect_one_to_one(call);
  call.expect_parameters({0});
  call.expect_output(0, call.in(0).type,
                     broadcast_sizes<2>(call, {&call.in(0).sizes, &call.out(0).sizes}));
}

void run_broadcast(Call& call) {
  for_each_element<1>(call.out(0).sizes, {&call.in(0).sizes}, [&](uint64_t i, const auto& at) {
    call.result(0)[i] = call.in(0).data[at[0]];
  });
}

/// Parameters: where the dimension of size 1 is added.
void check_expand(const Call& call) {
  expect_one_to_one(call);
  const uint32_t axis = axis_of(call, call.in(0).rank() + 1);
  Sizes sizes = call.in(0).sizes;
  sizes.insert(sizes.begin() + axis, 1);
  call.expect_output(0, call.in(0).type, sizes);
}

/// Parameters: which dimension of size 1 is removed.
void check_squeeze(const Call& call) {
  expect_one_to_one(call);
  const uint32_t axis = axis_of(call, call.in(0).rank());
  call.expect(call.in(0).sizes[axis] == 1 && call.in(0).rank() > 1,
              "dimension {} of {} cannot be removed", axis, to_text(call.in(0).sizes));
  Sizes sizes = call.in(0).sizes;
  sizes.erase(sizes.begin() + axis);
  call.expect_output(0, call.in(0).type, sizes);
}

}  // namespace

void add_shape_kinds(NodeKinds& kinds) {
  const auto add = [&](const char* name, void (*check)(const Call&), void (*run)(Call&)) {
    kinds[name] = {.has_suffix = false, .check = check, .run = run, .maximum_rank = kMaximumRank};
  };
  add("identity", check_same, copy_elements);
  add("memcpy", check_same, copy_elements);
  add("memset", check_memset, [](Call&) {});
  add("reshape", check_reshape, copy_elements);
  add("reinterpret_cast", check_reinterpret, run_reinterpret);
  add("transpose", check_transpose, run_transpose);
  add("concat", check_concat, run_concat);
  add("split", check_split, run_split);
  add("slice", check_slice, run_slice);
  kinds["slice"].maximum_rank = kMaximumKernelRank;
  add("broadcast", check_broadcast, run_broadcast);
  add("expand_dims", check_expand, copy_elements);
  add("squeeze", check_squeeze, copy_elements);
}

}  // namespace bertha::standin
