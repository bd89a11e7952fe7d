#pragma once

// A graph of nodes as the compiler of SynapseAI takes it: values with one producer each, nodes with
// operands and parameters, places of the values that lie in device memory, and orders between nodes
// that share memory. It is plain data: it can be compared, written as JSON and compiled later.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dtype.h"

namespace bertha::gaudi {

enum class ElementType : uint8_t { kF32, kBF16, kI32, kI8 };
/// "f32": the suffix of a kernel's name.
const char* suffix(ElementType type);
int64_t bytes_of(ElementType type);

/// Extents, fastest dimension first.
using Sizes = std::vector<int64_t>;
int64_t element_count(const Sizes& sizes);
std::string to_string(const Sizes& sizes);

/// How elements of a tensor lie in the device's memory. There are no 64-bit types: an i64 is two
/// i32, low half first, and an f64 is two f32 whose sum it is.
struct ElementLayout {
  ElementType type;
  int64_t elements_each;  ///< for each element of the tensor
};
ElementLayout layout_of(DType dtype);

using ValueId = int32_t;
inline constexpr int kNoSection = -1;

struct GraphValue {
  ElementType type = ElementType::kF32;
  Sizes sizes = {};
  int section = kNoSection;  ///< the memory in which it lies; none: where the compiler likes
  int64_t offset_bytes = 0;  ///< from the start of that memory
  int producer = -1;         ///< a node; -1: it is read from its section

  int64_t size_bytes() const { return element_count(sizes) * bytes_of(type); }
};

struct GraphNode {
  std::string guid;
  std::vector<ValueId> inputs = {};  ///< -1: an operand that is left out
  std::vector<ValueId> outputs = {};
  std::vector<std::byte> parameters = {};
  std::string op = {};  ///< the operation for which it was made, for people
};

struct NodeGraph {
  std::vector<GraphValue> values;
  std::vector<GraphNode> nodes;
  std::vector<std::pair<int, int>> orders;  ///< the first node runs before the second
  int sections = 0;

  /// All that the compiler sees, as bytes: two graphs with equal keys are the same program.
  std::string key() const;
};

/// 64 bits of FNV-1a (Fowler, Noll, Vo), in hexadecimal.
std::string digest(std::string_view bytes);

/// The graph as JSON: nodes with GUID, operands and parameters in hexadecimal, values with shape
/// and place, orders.
std::string to_json(const NodeGraph& graph, std::string_view name);

}  // namespace bertha::gaudi
