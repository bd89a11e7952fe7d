// Rows of a table by their number, and the sum of gradients into them.

#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

uint64_t index_of(const Call& call, double index, uint64_t count) {
  require(index >= 0 && index < static_cast<double>(count), kFail, rule::kIndexRange,
          "node \"{}\" ({}): index {} is not one of {} rows", call.node, call.guid, index, count);
  return static_cast<uint64_t>(index);
}

/// Parameters: i32 axis[, i32 batch dimensions, which must be 0]. The ids replace the axis.
void check_gather(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_parameters({4, 8});
  if (call.type != kI32) call.expect_float();
  const auto axis = call.parameter<int32_t>(0);
  const Sizes& table = call.in(0).sizes;
  call.expect(axis >= 0 && static_cast<size_t>(axis) < table.size(), "there is no axis {} in {}",
              axis, to_text(table));
  call.expect(call.parameters.size() == 4 || call.parameter<int32_t>(4) == 0,
              "the stand-in does not have batch dimensions");
  call.expect_input_type(0, call.type);
  call.expect_input_type(1, kI32);
  Sizes sizes(table.begin(), table.begin() + axis);
  sizes.insert(sizes.end(), call.in(1).sizes.begin(), call.in(1).sizes.end());
  sizes.insert(sizes.end(), table.begin() + axis + 1, table.end());
  call.expect_output(0, call.type, sizes);
}

void gather_along(Call& call, size_t axis) {
  const Operand& table = call.in(0);
  const std::vector<double>& ids = call.in(1).data;
  uint64_t inner = 1;
  for (size_t dim = 0; dim < axis; ++dim) inner *= table.sizes[dim];
  const uint64_t rows = table.sizes[axis];
  for (uint64_t i = 0; i < call.result(0).size(); ++i) {
    const uint64_t block = i / inner;
    const uint64_t row = index_of(call, ids[block % ids.size()], rows);
    call.result(0)[i] = table.data[(block / ids.size() * rows + row) * inner + i % inner];
  }
}

void run_gather(Call& call) {
  gather_along(call, static_cast<size_t>(call.parameter<int32_t>(0)));
}

/// table[H,V], ids i32 -> a row for each id.
void check_embedding(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect_float();
  call.expect(call.in(0).rank() == 2, "the table has {} dimensions: expected 2", call.in(0).rank());
  call.expect_input_type(0, call.type);
  call.expect_input_type(1, kI32);
  Sizes sizes = {call.in(0).sizes[0]};
  sizes.insert(sizes.end(), call.in(1).sizes.begin(), call.in(1).sizes.end());
  call.expect_output(0, call.type, sizes);
}

void run_embedding(Call& call) {
  gather_along(call, 1);
}

/// dRows[H,N], ids i32[N] -> [H,number of rows]: rows with the same id are added. Parameters: i32
/// number of rows, i32 padding index (its rows are left out; -1: none), bool scale by frequency.
void check_embedding_backward(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_parameters({12});
  call.expect_float();
  const Sizes& d_rows = call.in(0).sizes;
  call.expect(d_rows.size() == 2, "the gradient has {} dimensions: expected 2", d_rows.size());
  const auto rows = call.parameter<int32_t>(0);
  call.expect(rows >= 1, "there are {} rows", rows);
  call.expect(!call.flag(8), "the stand-in does not scale by frequency");
  call.expect_input_type(0, call.type);
  call.expect_input(1, kI32, {d_rows[1]});
  call.expect_output(0, call.type, {d_rows[0], static_cast<uint64_t>(rows)});
}

void run_embedding_backward(Call& call) {
  const uint64_t width = call.in(0).sizes[0];
  const auto rows = static_cast<uint64_t>(call.parameter<int32_t>(0));
  const auto padding = static_cast<double>(call.parameter<int32_t>(4));
  const std::vector<double>& ids = call.in(1).data;
  for (uint64_t n = 0; n < ids.size(); ++n) {
    const uint64_t row = index_of(call, ids[n], rows);
    if (ids[n] == padding) continue;
    for (uint64_t c = 0; c < width; ++c) {
      call.result(0)[row * width + c] += call.in(0).data[n * width + c];
    }
  }
}

}  // namespace

void add_lookup_kinds(NodeKinds& kinds) {
  kinds["gather_fwd"] = {.check = check_gather, .run = run_gather};
  kinds["embedding_pt_fwd"] = {.check = check_embedding, .run = run_embedding};
  kinds["embedding_dense_pt_bwd"] = {.check = check_embedding_backward,
                                     .run = run_embedding_backward};
}

}  // namespace bertha::standin
