// Products of matrices. A[K,M] stands for M rows of K columns.

#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {
namespace {

/// rows x columns of one matrix, after an optional transposition.
struct Matrix {
  const double* data;
  uint64_t rows;
  uint64_t columns;
  bool transposed;  ///< stored as columns x rows

  double at(uint64_t row, uint64_t column) const {
    return transposed ? data[column * rows + row] : data[row * columns + column];
  }
};

Matrix matrix_of(const double* data, const Sizes& sizes, bool transposed) {
  return transposed ? Matrix{data, sizes[0], sizes[1], true}
                    : Matrix{data, sizes[1], sizes[0], false};
}

/// The matrix with its rows one after the other in memory.
std::vector<double> row_major(const Matrix& matrix) {
  std::vector<double> rows(matrix.rows * matrix.columns);
  for (uint64_t row = 0; row < matrix.rows; ++row) {
    for (uint64_t column = 0; column < matrix.columns; ++column) {
      rows[row * matrix.columns + column] = matrix.at(row, column);
    }
  }
  return rows;
}

/// c += a b.
void multiply_add(const Matrix& a, const Matrix& b, double* c) {
  const std::vector<double> b_rows = row_major(b);
  for (uint64_t row = 0; row < a.rows; ++row) {
    double* const c_row = c + row * b.columns;
    for (uint64_t k = 0; k < a.columns; ++k) {
      const double factor = a.at(row, k);
      const double* const b_row = b_rows.data() + k * b.columns;
      for (uint64_t column = 0; column < b.columns; ++column)
        c_row[column] += factor * b_row[column];
    }
  }
}

/// Sizes of the product, of two matrices and any batch dimensions: equal, or 1.
Sizes product_sizes(const Call& call, const Sizes& a, const Sizes& b, bool transpose_a,
                    bool transpose_b) {
  const uint64_t a_columns = a[transpose_a ? 1 : 0];
  const uint64_t b_rows = b[transpose_b ? 0 : 1];
  call.expect(a_columns == b_rows, "the common dimensions of {} and {} are {} and {}", to_text(a),
              to_text(b), a_columns, b_rows);
  Sizes sizes = {b[transpose_b ? 1 : 0], a[transpose_a ? 0 : 1]};
  for (size_t dim = 2; dim < a.size(); ++dim) {
    call.expect(a[dim] == b[dim] || a[dim] == 1 || b[dim] == 1,
                "the batch dimensions of {} and {} are neither equal nor 1", to_text(a),
                to_text(b));
    sizes.push_back(std::max(a[dim], b[dim]));
  }
  return sizes;
}

/// bf16 or f32 inputs; an output of the same type, or f32.
void expect_product_types(const Call& call, size_t inputs) {
  const DataType type = call.in(0).type;
  call.expect(is_float(type), "input 0 is {}: expected f32 or bf16", type_name(type));
  for (size_t i = 1; i < inputs; ++i) call.expect_input_type(i, type);
  if (call.out(0).type != kF32) call.expect_output_type(0, type);
}

void check_gemm(const Call& call) {
  call.expect_inputs(2, 3);
  call.expect_outputs(1, 1);
  call.expect_parameters({2});
  call.expect(call.in(0).rank() == 2 && call.in(1).rank() == 2,
              "the inputs have {} and {} dimensions: expected 2", call.in(0).rank(),
              call.in(1).rank());
  expect_product_types(call, 2);
  const Sizes sizes =
      product_sizes(call, call.in(0).sizes, call.in(1).sizes, call.flag(0), call.flag(1));
  call.expect_output(0, call.out(0).type, sizes);
  if (call.has_input(2)) call.expect_input(2, call.out(0).type, {sizes[0]});
}

void run_gemm(Call& call) {
  multiply_add(matrix_of(call.in(0).data.data(), call.in(0).sizes, call.flag(0)),
               matrix_of(call.in(1).data.data(), call.in(1).sizes, call.flag(1)),
               call.result(0).data());
  if (!call.has_input(2)) return;
  // A node of its own adds the bias, after the product is rounded.
  const uint64_t columns = call.out(0).sizes[0];
  for (size_t i = 0; i < call.result(0).size(); ++i) {
    call.result(0)[i] =
        rounded_to(call.out(0).type, call.result(0)[i]) + call.in(2).data[i % columns];
  }
}

/// The place of batch `index` of `all` in an operand whose batch dimensions may be 1.
uint64_t batch_place(uint64_t index, const Sizes& all, const Sizes& own) {
  uint64_t place = 0;
  uint64_t stride = 1;
  for (size_t dim = 2; dim < all.size(); ++dim) {
    const uint64_t at = index % all[dim];
    index /= all[dim];
    place += (own[dim] == 1 ? 0 : at) * stride;
    stride *= own[dim];
  }
  return place;
}

void add_batched_product(Call& call, size_t a, size_t b) {
  const Sizes& all = call.out(0).sizes;
  const Operand& left = call.in(a);
  const Operand& right = call.in(b);
  const uint64_t batches = count_of(all) / (all[0] * all[1]);
  for (uint64_t batch = 0; batch < batches; ++batch) {
    const uint64_t left_at = batch_place(batch, all, left.sizes) * left.sizes[0] * left.sizes[1];
    const uint64_t right_at =
        batch_place(batch, all, right.sizes) * right.sizes[0] * right.sizes[1];
    multiply_add(matrix_of(left.data.data() + left_at, left.sizes, call.flag(0)),
                 matrix_of(right.data.data() + right_at, right.sizes, call.flag(1)),
                 call.result(0).data() + batch * all[0] * all[1]);
  }
}

void check_batch_gemm(const Call& call) {
  call.expect_inputs(2, 2);
  call.expect_outputs(1, 1);
  call.expect_parameters({2});
  const size_t rank = call.in(0).rank();
  call.expect(rank >= 3 && rank <= 5 && call.in(1).rank() == rank,
              "the inputs have {} and {} dimensions: expected the same, 3 to 5", rank,
              call.in(1).rank());
  expect_product_types(call, 2);
  call.expect_output(
      0, call.out(0).type,
      product_sizes(call, call.in(0).sizes, call.in(1).sizes, call.flag(0), call.flag(1)));
}

void run_batch_gemm(Call& call) {
  add_batched_product(call, 0, 1);
}

/// A, B, maskA, maskB of 4 dimensions, the masks with an inner batch of 1: A B + maskA maskB.
void check_masked_batch_gemm(const Call& call) {
  if (call.device_type == kGaudi) {
    refuse(kFail, rule::kGuid, "node \"{}\": the GUID {} belongs to Gaudi2 and later", call.node,
           call.guid);
  }
  call.expect_inputs(4, 4);
  call.expect_outputs(1, 1);
  call.expect_parameters({2});
  for (size_t i = 0; i < 4; ++i) {
    call.expect(call.in(i).rank() == 4, "input {} has {} dimensions: expected 4", i,
                call.in(i).rank());
  }
  call.expect(call.in(2).sizes[2] == 1 && call.in(3).sizes[2] == 1,
              "the masks {} and {} have an inner batch that is not 1", to_text(call.in(2).sizes),
              to_text(call.in(3).sizes));
  expect_product_types(call, 4);
  const Sizes sizes =
      product_sizes(call, call.in(0).sizes, call.in(1).sizes, call.flag(0), call.flag(1));
  call.expect_output(0, call.out(0).type, sizes);
  Sizes mask = product_sizes(call, call.in(2).sizes, call.in(3).sizes, call.flag(0), call.flag(1));
  call.expect(mask[0] == sizes[0] && mask[1] == sizes[1] && (mask[3] == sizes[3] || mask[3] == 1),
              "the product of the masks has the sizes {} beside {}", to_text(mask), to_text(sizes));
}

void run_masked_batch_gemm(Call& call) {
  add_batched_product(call, 0, 1);
  add_batched_product(call, 2, 3);
}

/// x[K,T], W[K,N], bias[N]? -> y[N,T].
void check_linear(const Call& call) {
  call.expect_inputs(2, 3);
  call.expect_outputs(1, 1);
  call.expect_parameters({0});
  call.expect_float();
  call.expect(call.in(0).rank() == 2 && call.in(1).rank() == 2,
              "x and W have {} and {} dimensions: expected 2", call.in(0).rank(),
              call.in(1).rank());
  call.expect_input_type(0, call.type);
  call.expect_input_type(1, call.type);
  const Sizes sizes = product_sizes(call, call.in(0).sizes, call.in(1).sizes, false, true);
  call.expect_output(0, call.type, sizes);
  if (call.has_input(2)) call.expect_input(2, call.type, {sizes[0]});
}

void run_linear(Call& call) {
  multiply_add(matrix_of(call.in(0).data.data(), call.in(0).sizes, false),
               matrix_of(call.in(1).data.data(), call.in(1).sizes, true), call.result(0).data());
  if (!call.has_input(2)) return;
  const uint64_t columns = call.out(0).sizes[0];
  for (size_t i = 0; i < call.result(0).size(); ++i) {
    call.result(0)[i] += call.in(2).data[i % columns];
  }
}

/// x[K,T], dY[N,T], W[K,N] -> dX, dW[, dBias[N]]. Parameters: bool, whether there is a dBias.
void check_linear_backward(const Call& call) {
  call.expect_inputs(3, 3);
  call.expect_parameters({1});
  const size_t outputs = call.flag(0) ? 3 : 2;
  call.expect_outputs(outputs, outputs);
  call.expect_float();
  const Sizes& x = call.in(0).sizes;
  const Sizes& d_y = call.in(1).sizes;
  call.expect(x.size() == 2 && d_y.size() == 2 && x[1] == d_y[1],
              "x and dY have the sizes {} and {}", to_text(x), to_text(d_y));
  call.expect_input_type(0, call.type);
  call.expect_input_type(1, call.type);
  call.expect_input(2, call.type, {x[0], d_y[0]});
  call.expect_output(0, call.type, x);
  call.expect_output(1, call.type, {x[0], d_y[0]});
  if (call.flag(0)) call.expect_output(2, call.type, {d_y[0]});
}

void run_linear_backward(Call& call) {
  const Operand& x = call.in(0);
  const Operand& d_y = call.in(1);
  const Operand& w = call.in(2);
  multiply_add(matrix_of(d_y.data.data(), d_y.sizes, false),
               matrix_of(w.data.data(), w.sizes, false), call.result(0).data());
  multiply_add(matrix_of(d_y.data.data(), d_y.sizes, true),
               matrix_of(x.data.data(), x.sizes, false), call.result(1).data());
  if (!call.flag(0)) return;
  for (size_t i = 0; i < d_y.data.size(); ++i) call.result(2)[i % d_y.sizes[0]] += d_y.data[i];
}

}  // namespace

void add_matrix_kinds(NodeKinds& kinds) {
  kinds["gemm"] = {.has_suffix = false, .check = check_gemm, .run = run_gemm};
  kinds["batch_gemm"] = {.has_suffix = false, .check = check_batch_gemm, .run = run_batch_gemm};
  kinds["masked_batch_gemm"] = {
      .has_suffix = false, .check = check_masked_batch_gemm, .run = run_masked_batch_gemm};
  kinds["linear_fwd"] = {.check = check_linear, .run = run_linear};
  kinds["linear_temp_bwd"] = {.check = check_linear_backward, .run = run_linear_backward};
}

}  // namespace bertha::standin
