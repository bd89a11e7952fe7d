#include "io/weights/onnx_writer.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/byte_order.h"
#include "io/weights/protobuf.h"

namespace bertha::io {
namespace {

using protobuf::append_bytes;
using protobuf::append_float;
using protobuf::append_integer;

// Field numbers from onnx/onnx.proto3.
constexpr uint32_t kModelIrVersion = 1;
constexpr uint32_t kModelProducer = 2;
constexpr uint32_t kModelProducerVersion = 3;
constexpr uint32_t kModelGraph = 7;
constexpr uint32_t kModelOpset = 8;
constexpr uint32_t kOpsetVersion = 2;
constexpr uint32_t kGraphNode = 1;
constexpr uint32_t kGraphName = 2;
constexpr uint32_t kGraphInitializer = 5;
constexpr uint32_t kGraphInput = 11;
constexpr uint32_t kGraphOutput = 12;
constexpr uint32_t kNodeInput = 1;
constexpr uint32_t kNodeOutput = 2;
constexpr uint32_t kNodeName = 3;
constexpr uint32_t kNodeOp = 4;
constexpr uint32_t kNodeAttribute = 5;
constexpr uint32_t kAttributeName = 1;
constexpr uint32_t kAttributeFloat = 2;
constexpr uint32_t kAttributeInteger = 3;
constexpr uint32_t kAttributeIntegers = 8;
constexpr uint32_t kAttributeType = 20;
constexpr uint32_t kTensorDims = 1;
constexpr uint32_t kTensorType = 2;
constexpr uint32_t kTensorName = 8;
constexpr uint32_t kTensorRawData = 9;
constexpr uint32_t kTensorExternalData = 13;
constexpr uint32_t kTensorLocation = 14;
constexpr int64_t kExternal = 1;
constexpr uint32_t kEntryKey = 1;
constexpr uint32_t kEntryValue = 2;
constexpr uint32_t kValueName = 1;
constexpr uint32_t kValueType = 2;
constexpr uint32_t kTypeTensor = 1;
constexpr uint32_t kTensorTypeElement = 1;
constexpr uint32_t kTensorTypeShape = 2;
constexpr uint32_t kShapeDim = 1;
constexpr uint32_t kDimValue = 1;
constexpr uint32_t kDimParam = 2;

constexpr int64_t kIrVersion = 8;  // the IR version of opset 17

std::string encode(const OnnxGraph::Attribute& attribute) {
  std::string out;
  append_bytes(out, kAttributeName, attribute.name);
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    append_integer(out, kAttributeInteger, *integer);
    append_integer(out, kAttributeType, 2);
  } else if (const auto* real = std::get_if<float>(&attribute.value)) {
    append_float(out, kAttributeFloat, *real);
    append_integer(out, kAttributeType, 1);
  } else {
    for (const int64_t value : std::get<std::vector<int64_t>>(attribute.value)) {
      append_integer(out, kAttributeIntegers, value);
    }
    append_integer(out, kAttributeType, 7);
  }
  return out;
}

std::string value_info(const std::string& name, DType dtype,
                       const std::vector<OnnxGraph::Extent>& shape) {
  std::string extents;
  for (const OnnxGraph::Extent& extent : shape) {
    std::string dim;
    if (const auto* fixed = std::get_if<int64_t>(&extent)) {
      append_integer(dim, kDimValue, *fixed);
    } else {
      append_bytes(dim, kDimParam, std::get<std::string>(extent));
    }
    append_bytes(extents, kShapeDim, dim);
  }
  std::string tensor;
  append_integer(tensor, kTensorTypeElement, onnx_type(dtype));
  append_bytes(tensor, kTensorTypeShape, extents);
  std::string type;
  append_bytes(type, kTypeTensor, tensor);
  std::string info;
  append_bytes(info, kValueName, name);
  append_bytes(info, kValueType, type);
  return info;
}

/// A TensorProto without its data.
std::string tensor_head(const std::string& name, DType dtype, const std::vector<int64_t>& shape) {
  std::string out;
  for (const int64_t extent : shape) append_integer(out, kTensorDims, extent);
  append_integer(out, kTensorType, onnx_type(dtype));
  append_bytes(out, kTensorName, name);
  return out;
}

/// Key and length of a bytes field, without the bytes.
std::string field_head(uint32_t field, int64_t size_bytes) {
  std::string out;
  protobuf::append_key(out, field, protobuf::Wire::kBytes);
  protobuf::append_varint(out, static_cast<uint64_t>(size_bytes));
  return out;
}

std::string model_head(int64_t opset) {
  std::string version;
  append_integer(version, kOpsetVersion, opset);
  std::string out;
  append_integer(out, kModelIrVersion, kIrVersion);
  append_bytes(out, kModelProducer, "bertha");
  append_bytes(out, kModelProducerVersion, BERTHA_VERSION);
  append_bytes(out, kModelOpset, version);
  return out;
}

std::string external_tensor(const std::string& head, const std::string& location, int64_t offset,
                            int64_t size_bytes) {
  std::string out = head;
  const auto entry = [&out](std::string_view key, std::string_view value) {
    std::string pair;
    append_bytes(pair, kEntryKey, key);
    append_bytes(pair, kEntryValue, value);
    append_bytes(out, kTensorExternalData, pair);
  };
  entry("location", location);
  entry("offset", std::to_string(offset));
  entry("length", std::to_string(size_bytes));
  append_integer(out, kTensorLocation, kExternal);
  return out;
}

}  // namespace

int64_t onnx_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return 1;
    case DType::kU8:
      return 2;
    case DType::kI8:
      return 3;
    case DType::kI32:
      return 6;
    case DType::kI64:
      return 7;
    case DType::kBool:
      return 9;
    case DType::kF16:
      return 10;
    case DType::kF64:
      return 11;
    case DType::kBF16:
      return 16;
  }
  BERTHA_CHECK(false);
}

std::string OnnxGraph::input(const std::string& name, DType dtype,
                             const std::vector<Extent>& shape) {
  append_bytes(values_, kGraphInput, value_info(name, dtype, shape));
  return name;
}

void OnnxGraph::output(const std::string& name, DType dtype, const std::vector<Extent>& shape) {
  append_bytes(values_, kGraphOutput, value_info(name, dtype, shape));
}

std::string OnnxGraph::weight(const std::string& name, DType dtype, std::vector<int64_t> shape,
                              ByteSource source) {
  const int64_t size_bytes = element_count(shape) * size_of(dtype);
  BERTHA_CHECK(size_bytes >= 0, "{}: {}", name, shape_string(shape));
  weights_.push_back({name, dtype, std::move(shape), std::move(source), size_bytes});
  return name;
}

std::string OnnxGraph::small(const std::string& name, DType dtype,
                             const std::vector<int64_t>& shape, std::string_view bytes) {
  if (std::ranges::find(small_names_, name) != small_names_.end()) return name;
  small_names_.push_back(name);
  std::string tensor = tensor_head(name, dtype, shape);
  append_bytes(tensor, kTensorRawData, bytes);
  append_bytes(small_, kGraphInitializer, tensor);
  return name;
}

std::string OnnxGraph::scalar(float value) {
  std::string bytes;
  store(bytes, value);
  return small(fmt::format("f32_{}", value), DType::kF32, {}, bytes);
}

std::string OnnxGraph::integer(int64_t value) {
  std::string bytes;
  store(bytes, value);
  return small(fmt::format("i64_{}", value), DType::kI64, {}, bytes);
}

std::string OnnxGraph::integers(const std::vector<int64_t>& values) {
  std::string name = "i64";
  std::string bytes;
  for (const int64_t value : values) {
    name += fmt::format("_{}", value);
    store(bytes, value);
  }
  return small(name + "_list", DType::kI64, {std::ssize(values)}, bytes);
}

std::string OnnxGraph::node(const std::string& op, const std::vector<std::string>& inputs,
                            const std::vector<Attribute>& attributes, const std::string& result) {
  const std::string name = fmt::format("{}_{}", op, made_++);
  std::string made = result.empty() ? name : result;
  std::string out;
  for (const std::string& value : inputs) append_bytes(out, kNodeInput, value);
  append_bytes(out, kNodeOutput, made);
  append_bytes(out, kNodeName, name);
  append_bytes(out, kNodeOp, op);
  for (const Attribute& attribute : attributes) {
    append_bytes(out, kNodeAttribute, encode(attribute));
  }
  append_bytes(nodes_, kGraphNode, out);
  return made;
}

void OnnxGraph::save(const std::string& path, int64_t opset, int64_t most_inline_bytes) const {
  int64_t size_bytes = 0;
  for (const Weight& weight : weights_) size_bytes += weight.size_bytes;
  if (size_bytes > most_inline_bytes) return save_external(path, opset);
  save_inline(path, opset);
}

// A bytes field starts with its length, so the lengths of all parts are computed before the parts.
void OnnxGraph::save_inline(const std::string& path, int64_t opset) const {
  std::vector<std::string> heads;
  int64_t weights_bytes = 0;
  for (const Weight& weight : weights_) {
    const std::string tensor = tensor_head(weight.name, weight.dtype, weight.shape) +
                               field_head(kTensorRawData, weight.size_bytes);
    heads.push_back(field_head(kGraphInitializer, std::ssize(tensor) + weight.size_bytes) + tensor);
    weights_bytes += std::ssize(heads.back()) + weight.size_bytes;
  }
  std::string rest = nodes_;
  append_bytes(rest, kGraphName, name_);
  rest += small_ + values_;
  AtomicFile file(path);
  file.write(model_head(opset));
  file.write(field_head(kModelGraph, std::ssize(rest) + weights_bytes));
  file.write(rest);
  for (size_t i = 0; i < weights_.size(); ++i) {
    file.write(heads[i]);
    const int64_t begin = file.size_bytes();
    weights_[i].source([&](std::span<const std::byte> data) { file.write(data); });
    BERTHA_CHECK(file.size_bytes() - begin == weights_[i].size_bytes, "{}", weights_[i].name);
  }
  file.commit();
}

void OnnxGraph::save_external(const std::string& path, int64_t opset) const {
  const std::string location = std::filesystem::path(path).filename().string() + ".data";
  std::string graph = nodes_;
  append_bytes(graph, kGraphName, name_);
  graph += small_;
  AtomicFile data(path + ".data");
  for (const Weight& weight : weights_) {
    const int64_t offset = data.size_bytes();
    weight.source([&](std::span<const std::byte> bytes) { data.write(bytes); });
    BERTHA_CHECK(data.size_bytes() - offset == weight.size_bytes, "{}", weight.name);
    append_bytes(graph, kGraphInitializer,
                 external_tensor(tensor_head(weight.name, weight.dtype, weight.shape), location,
                                 offset, weight.size_bytes));
    // Loaders map the file: tensors start at multiples of a page, as the format recommends.
    constexpr int64_t kPage = 4096;
    const auto gap = static_cast<size_t>((kPage - data.size_bytes() % kPage) % kPage);
    data.write(std::string(gap, '\0'));
  }
  data.commit();
  std::string model = model_head(opset);
  append_bytes(model, kModelGraph, graph + values_);
  write_file(path, model);
}

}  // namespace bertha::io
