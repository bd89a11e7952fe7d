#pragma once

// Records what operations do to memory as a graph in which every value is written once. The last
// value of each piece of memory is known by the range of bytes that it fills: a later read gets
// that value, not the memory. So values of an arena never reach memory, and of memory that outlives
// the segment only the last value does.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "backend/gaudi/allocation.h"
#include "backend/gaudi/node_graph.h"
#include "core/tensor.h"

namespace bertha::gaudi {

/// A value of the graph under way.
struct Value {
  ValueId id = -1;
  ElementType type = ElementType::kF32;
  Sizes sizes;

  bool empty() const { return id < 0; }
};

/// Parameters of a node as bytes.
class Parameters {
 public:
  Parameters() = default;
  template <typename Struct, typename = std::enable_if_t<std::is_trivially_copyable_v<Struct> &&
                                                         !std::is_same_v<Struct, Parameters>>>
  Parameters(const Struct& parameters)  // NOLINT(google-explicit-constructor)
      : bytes_(reinterpret_cast<const std::byte*>(&parameters),
               reinterpret_cast<const std::byte*>(&parameters) + sizeof(parameters)) {}
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

struct ResultType {
  ElementType type;
  Sizes sizes;
};

/// Tensors of integers that the host wrote, as bytes end to end.
class HostSources {
 public:
  HostSources() = default;
  explicit HostSources(std::span<const bertha::Tensor> tensors);

  /// Throws LogicError when the device wrote there since, or nobody.
  std::vector<std::byte> bytes() const;
  bool use(const Allocation& allocation) const;

 private:
  struct Part {
    const Allocation* allocation;
    int64_t begin, end;
  };
  std::vector<Part> parts_;
};

using HostBytes = std::span<const std::byte>;
/// Computes an operand from the bytes of its sources.
using HostFill = std::function<void(HostBytes sources, std::span<std::byte> operand)>;

/// What the host computes before a launch and copies to the device, from what it wrote itself:
/// where tokens lie, which elements dropout keeps.
struct HostInput {
  int64_t offset_bytes = 0;  ///< in Recording::host_memory
  int64_t size_bytes = 0;
  HostSources sources;  ///< none: the same for every launch
  HostFill fill;
};

/// Extents that depend on what the host wrote: a launch is right only while they are the same.
struct HostShape {
  HostSources sources;
  std::function<Sizes(HostBytes sources)> sizes_of;
  Sizes recorded;
};

/// A finished recording.
struct Recording {
  NodeGraph graph;
  std::vector<Allocation*> sections;  ///< by the graph's numbers
  std::unique_ptr<Allocation> host_memory;
  std::vector<HostInput> host_inputs;
  std::vector<HostShape> host_shapes;
};

class GraphRecorder {
 public:
  bool recording() const { return recording_ != nullptr; }
  void begin();
  /// Ends the recording. What was written to memory that outlives it is placed there.
  Recording end();
  /// Forgets the recording after an exception.
  void abandon();

  /// What nodes are made for, until the next call.
  void begin_op(std::string_view name) {
    op_ = name;
    ++ops_;
  }
  /// How many operations began before the one under way.
  int64_t op_number() const { return ops_; }

  /// The value of a tensor, with the tensor's extents, or with `sizes` of as many elements.
  Value read(const bertha::Tensor& tensor);
  Value read(const bertha::Tensor& tensor, const Sizes& sizes);
  /// From now on the tensor has this value.
  void write(const bertha::Tensor& tensor, const Value& value);
  /// The memory of this tensor ends with the recording (Device::value_made).
  void value_made(const bertha::Tensor& tensor);

  std::vector<Value> node(std::string_view guid, std::initializer_list<Value> inputs,
                          std::initializer_list<ResultType> results,
                          const Parameters& parameters = {});
  std::vector<Value> node(std::string_view guid, std::span<const Value> inputs,
                          std::span<const ResultType> results, const Parameters& parameters);
  /// The same elements with other extents.
  Value reshape(const Value& value, const Sizes& sizes);
  /// Elements [begin, end) of a dimension.
  Value slice(const Value& value, int dimension, int64_t begin, int64_t end);
  Value concat(std::span<const Value> values, int dimension);

  /// An operand that the host fills before each launch. One for each `name`, which says all that it
  /// depends on.
  Value host_input(const std::string& name, const ResultType& type,
                   std::span<const bertha::Tensor> sources, HostFill fill);
  /// Extents that depend on what the host wrote. The recording holds for these alone. One for each
  /// `name`.
  Sizes host_shape(const std::string& name, std::span<const bertha::Tensor> sources,
                   std::function<Sizes(HostBytes sources)> sizes_of);

  /// Makes a value a result that lies in memory, of a graph that is only compiled.
  void keep(const Value& value);

  /// Values that one operation keeps for others of the same recording, by name. Empty when unknown.
  Value recall(const std::string& name) const;
  void remember(const std::string& name, const Value& value);

 private:
  /// What a range of memory holds: bytes of a value that starts at value_begin.
  struct Held {
    int64_t end = 0;
    ValueId value = -1;
    int64_t value_begin = 0;
    int64_t written = 0;  ///< which write it was
  };
  struct MemoryState {
    std::map<int64_t, Held> held;  ///< by the first byte
    ByteRanges transient;
  };
  using InputKey = std::tuple<Allocation*, int64_t, ElementType, Sizes>;
  struct State {
    Recording result;
    std::map<Allocation*, MemoryState> memory;
    std::map<Allocation*, int> sections;
    std::map<InputKey, ValueId> inputs;
    std::map<std::pair<ValueId, Sizes>, ValueId> reshaped;
    std::unordered_map<std::string, Value> kept;
    std::unordered_map<std::string, Sizes> shapes;
    int64_t writes = 0;
  };

  State& state();
  Value value(ValueId id) const;
  Value add_value(GraphValue made);
  int section_of(Allocation& allocation);
  Value input(Allocation& allocation, int64_t begin, ElementType type, const Sizes& sizes);
  Value input_at_any_byte(Allocation& allocation, int64_t begin, int64_t end, ElementType type);
  Value held_part(const Held& held, int64_t begin, int64_t end);
  Value compose(Allocation& allocation, MemoryState& memory, int64_t begin, int64_t end,
                ElementType type);
  static void forget(MemoryState& memory, int64_t begin, int64_t end);

  std::unique_ptr<State> recording_;
  std::string op_;
  int64_t ops_ = 0;
};

}  // namespace bertha::gaudi
