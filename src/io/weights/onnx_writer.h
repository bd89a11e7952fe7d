#pragma once

// ONNX models (onnx/onnx.proto3, IR version 8), written with data that are asked for one tensor at
// a time.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/weights/tensor_data.h"

namespace bertha::io {

/// A graph in the order its nodes run. Values have names; a node makes one.
class OnnxGraph {
 public:
  /// A fixed extent, or the name of a free one.
  using Extent = std::variant<int64_t, std::string>;
  struct Attribute {
    std::string name;
    std::variant<int64_t, float, std::vector<int64_t>> value;
  };

  explicit OnnxGraph(std::string name) : name_(std::move(name)) {}

  std::string input(const std::string& name, DType dtype, const std::vector<Extent>& shape);
  void output(const std::string& name, DType dtype, const std::vector<Extent>& shape);
  /// A tensor whose bytes are asked for when the model is written. Returns its name.
  std::string weight(const std::string& name, DType dtype, std::vector<int64_t> shape,
                     ByteSource source);
  /// Small tensors: a number, a list of integers. Equal ones are one.
  std::string scalar(float value);
  std::string integers(const std::vector<int64_t>& values);
  std::string integer(int64_t value);
  /// Appends a node and returns the value it makes: `result`, or a name made up.
  std::string node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<Attribute>& attributes = {}, const std::string& result = "");

  /// Writes the model for `opset`. Weights of more than `most_inline_bytes` together lie in
  /// `path`.data, which protobuf's limit of 2 GB asks for; that file is written first.
  void save(const std::string& path, int64_t opset,
            int64_t most_inline_bytes = int64_t{2'000'000'000}) const;

 private:
  struct Weight {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    ByteSource source;
    int64_t size_bytes;
  };

  std::string small(const std::string& name, DType dtype, const std::vector<int64_t>& shape,
                    std::string_view bytes);
  void save_inline(const std::string& path, int64_t opset) const;
  void save_external(const std::string& path, int64_t opset) const;

  std::string name_;
  std::string nodes_;   ///< encoded fields of GraphProto
  std::string values_;  ///< inputs and outputs, encoded
  std::string small_;   ///< small initializers, encoded
  std::vector<std::string> small_names_;
  std::vector<Weight> weights_;
  int64_t made_ = 0;
};

/// The element type's number in TensorProto.DataType.
int64_t onnx_type(DType dtype);

}  // namespace bertha::io
