#include "backend/gaudi/node_graph.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "core/error.h"

namespace bertha::gaudi {
namespace {

/// Appends integers and texts so that no two sequences of them give the same bytes.
class KeyWriter {
 public:
  void number(int64_t value) {
    std::array<char, sizeof(value)> bytes{};
    std::memcpy(bytes.data(), &value, sizeof(value));
    key_.append(bytes.data(), bytes.size());
  }
  void text(std::string_view text) {
    number(std::ssize(text));
    key_ += text;
  }
  template <typename Numbers>
  void numbers(const Numbers& numbers) {
    number(std::ssize(numbers));
    for (const auto value : numbers) number(int64_t{value});
  }
  std::string take() { return std::move(key_); }

 private:
  std::string key_;
};

constexpr std::string_view kHexadecimal = "0123456789abcdef";

std::string hexadecimal(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += kHexadecimal[static_cast<size_t>(byte >> 4)];
    text += kHexadecimal[static_cast<size_t>(byte & std::byte{15})];
  }
  return text;
}

template <typename Numbers>
std::string json_list(const Numbers& numbers) {
  std::string list = "[";
  for (const auto number : numbers) {
    if (list.size() > 1) list += ',';
    list += std::to_string(number);
  }
  return list + "]";
}

}  // namespace

const char* suffix(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return "f32";
    case ElementType::kBF16:
      return "bf16";
    case ElementType::kI32:
      return "i32";
    case ElementType::kI8:
      return "i8";
  }
  BERTHA_CHECK(false, "element type {}", static_cast<int>(type));
}

int64_t bytes_of(ElementType type) {
  if (type == ElementType::kI8) return 1;
  return type == ElementType::kBF16 ? 2 : 4;
}

int64_t element_count(const Sizes& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

std::string to_string(const Sizes& sizes) {
  return json_list(sizes);
}

ElementLayout layout_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return {ElementType::kF32, 1};
    case DType::kF64:
      return {ElementType::kF32, 2};
    case DType::kBF16:
      return {ElementType::kBF16, 1};
    case DType::kI32:
      return {ElementType::kI32, 1};
    case DType::kI64:
      return {ElementType::kI32, 2};
    case DType::kI8:
      return {ElementType::kI8, 1};
    default:
      BERTHA_CHECK(false, "Gaudi has no tensors of {}", name_of(dtype));
  }
}

std::string NodeGraph::key() const {
  KeyWriter writer;
  writer.number(std::ssize(values));
  for (const GraphValue& value : values) {
    writer.number(static_cast<int64_t>(value.type));
    writer.numbers(value.sizes);
    writer.number(value.section);
    writer.number(value.offset_bytes);
  }
  writer.number(std::ssize(nodes));
  for (const GraphNode& node : nodes) {
    writer.text(node.guid);
    writer.numbers(node.inputs);
    writer.numbers(node.outputs);
    writer.text({reinterpret_cast<const char*>(node.parameters.data()), node.parameters.size()});
  }
  for (const auto& [first, second] : orders) {
    writer.number(first);
    writer.number(second);
  }
  return writer.take();
}

std::string digest(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kHexadecimal[(hash >> shift) & 15];
  return text;
}

std::string to_json(const NodeGraph& graph, std::string_view name) {
  std::string json =
      fmt::format("{{\"name\":\"{}\",\"digest\":\"{}\",\n\"values\":[", name, digest(graph.key()));
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const GraphValue& value = graph.values[i];
    json += fmt::format("{}\n{{\"id\":{},\"type\":\"{}\",\"sizes\":{}", i == 0 ? "" : ",", i,
                        suffix(value.type), json_list(value.sizes));
    if (value.section != kNoSection) {
      json += fmt::format(",\"section\":{},\"offset\":{}", value.section, value.offset_bytes);
    }
    json += "}";
  }
  json += "],\n\"nodes\":[";
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    json += fmt::format(
        "{}\n{{\"id\":{},\"op\":\"{}\",\"guid\":\"{}\",\"inputs\":{},\"outputs\":{},"
        "\"parameters\":\"{}\"}}",
        i == 0 ? "" : ",", i, node.op, node.guid, json_list(node.inputs), json_list(node.outputs),
        hexadecimal(node.parameters));
  }
  json += "],\n\"orders\":[";
  for (size_t i = 0; i < graph.orders.size(); ++i) {
    json +=
        fmt::format("{}[{},{}]", i == 0 ? "" : ",", graph.orders[i].first, graph.orders[i].second);
  }
  return json + "]}\n";
}

}  // namespace bertha::gaudi
