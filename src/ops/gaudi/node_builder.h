#pragma once

// Arithmetic on values of a recorded graph, one node each. Extents are counted as the compiler
// counts them, fastest dimension first: a tensor [T,H] has the extents {H,T}. GUIDs, operands and
// parameters are those of SynapseAI's public headers and examples.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "backend/gaudi/graph_recorder.h"
#include "core/tensor.h"

namespace bertha::ops {

using gaudi::ElementType;
using gaudi::ResultType;
using gaudi::Sizes;
using gaudi::Value;

class NodeBuilder {
 public:
  explicit NodeBuilder(gaudi::GraphRecorder& recorder) : recorder_(recorder) {}

  gaudi::GraphRecorder& recorder() const { return recorder_; }

  Value read(const Tensor& tensor) const { return recorder_.read(tensor); }
  Value read(const Tensor& tensor, const Sizes& sizes) const {
    return recorder_.read(tensor, sizes);
  }
  /// The tensor gets the value, rounded to its type.
  void write(const Tensor& tensor, const Value& value) const;
  /// Adds to what the tensor holds.
  void add_to(const Tensor& tensor, const Value& value) const;

  // Two operands of one type; an extent of 1 fits any. Comparisons give i8.
  Value add(const Value& a, const Value& b) const { return binary("add_fwd", a, b); }
  Value sub(const Value& a, const Value& b) const { return binary("sub_fwd", a, b); }
  Value mult(const Value& a, const Value& b) const { return binary("mult_fwd", a, b); }
  Value div(const Value& a, const Value& b) const { return binary("div_fwd", a, b); }
  Value greater(const Value& a, const Value& b) const { return compare("greater_fwd", a, b); }
  Value equal(const Value& a, const Value& b) const { return compare("equal_fwd", a, b); }
  Value less_equal(const Value& a, const Value& b) const { return compare("less_equal_fwd", a, b); }
  /// a where `condition` (i8) is not 0, else b.
  Value where(const Value& condition, const Value& a, const Value& b) const;
  Value sqrt(const Value& x) const { return unary("sqrt_fwd", x); }
  Value tanh(const Value& x) const { return unary("tanh_fwd", x); }

  /// The same elements in another type; the value itself where it has it.
  Value cast(const Value& x, ElementType type) const;
  Value f32(const Value& x) const { return cast(x, ElementType::kF32); }
  Value reshape(const Value& x, const Sizes& sizes) const { return recorder_.reshape(x, sizes); }
  Value slice(const Value& x, int dimension, int64_t begin, int64_t end) const {
    return recorder_.slice(x, dimension, begin, end);
  }
  Value concat(std::initializer_list<Value> values, int dimension) const {
    return recorder_.concat(std::span(values.begin(), values.size()), dimension);
  }
  Value transpose(const Value& x, std::initializer_list<uint32_t> permutation) const;

  /// One f32, extents {1}.
  Value constant(float value) const;
  /// Zeros.
  Value zeros(ElementType type, const Sizes& sizes) const;
  /// i32 0, 1, 2, … with these extents.
  Value counting(const Sizes& sizes) const;

  /// Σ over a dimension, which stays with extent 1.
  Value reduce_sum(const Value& x, int dimension) const;
  /// Σ of all elements, extents {1}.
  Value sum(const Value& x) const;
  Value softmax(const Value& x, int dimension) const { return along("softmax_fwd", x, dimension); }
  Value log_softmax(const Value& x, int dimension) const {
    return along("logsoftmax_fwd", x, dimension);
  }
  /// The gradient of softmax's operand from its result y and the result's gradient.
  Value softmax_backward(const Value& y, const Value& d_y, int dimension) const;

  /// Row-major: a [M,K] times b [K,N], or their transposes; sums are f32.
  struct Transposed {
    bool a = false;
    bool b = false;
  };
  Value gemm(const Value& a, const Value& b, Transposed transposed, ElementType type) const;
  /// The same for the two fastest dimensions of more.
  Value batch_gemm(const Value& a, const Value& b, Transposed transposed, ElementType type) const;

  /// Rows of x {H,T} by ids i32 {N}: {H,N}.
  Value gather(const Value& x, const Value& ids) const;

 private:
  Value unary(const char* kernel, const Value& x) const;
  Value binary(const char* kernel, const Value& a, const Value& b) const;
  Value compare(const char* kernel, const Value& a, const Value& b) const;
  Value along(const char* kernel, const Value& x, int dimension) const;
  Value product(const char* guid, const Value& a, const Value& b, Transposed transposed,
                ElementType type) const;

  gaudi::GraphRecorder& recorder_;
};

/// "add_fwd_bf16".
std::string kernel_name(const char* kernel, ElementType type);

}  // namespace bertha::ops
