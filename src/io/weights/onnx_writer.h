#pragma once

// Writes ONNX models (onnx/onnx.proto3, IR version 8). The data of the weights is read one tensor
// at a time.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/weights/tensor_data.h"

namespace bertha::io {

/// A graph whose nodes are in execution order. Values have names; each node makes one value.
class OnnxGraph {
 public:
  /// A fixed extent, or the name of a dynamic one.
  using Extent = std::variant<int64_t, std::string>;
  struct Attribute {
    std::string name;
    std::variant<int64_t, float, std::vector<int64_t>> value;
  };

  explicit OnnxGraph(std::string name) : name_(std::move(name)) {}

  std::string input(const std::string& name, DType dtype, const std::vector<Extent>& shape);
  void output(const std::string& name, DType dtype, const std::vector<Extent>& shape);
  /// Adds a tensor whose bytes `source` gives when the model is written. Returns its name.
  std::string weight(const std::string& name, DType dtype, std::vector<int64_t> shape,
                     ByteSource source);
  /// Small tensors: a number, or a list of integers. Equal ones are stored once.
  std::string scalar(float value);
  std::string integers(const std::vector<int64_t>& values);
  std::string integer(int64_t value);
  /// Appends a node and returns its value: `result`, or a generated name.
  std::string node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<Attribute>& attributes = {}, const std::string& result = "");

  /// Writes the model for `opset`. If the weights together exceed `most_inline_bytes`, they are
  /// written to `path`.data, before the model, because protobuf messages are limited to 2 GB.
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

/// Number of the element type in TensorProto.DataType.
int64_t onnx_type(DType dtype);

}  // namespace bertha::io
