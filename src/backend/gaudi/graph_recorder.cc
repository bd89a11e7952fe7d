#include "backend/gaudi/graph_recorder.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "backend/gaudi/graph_memory.h"
#include "backend/gaudi/synapse_abi.h"
#include "core/error.h"

namespace bertha::gaudi {
namespace {

struct Range {
  int64_t begin, end;
};

Range bytes_of(const bertha::Tensor& tensor) {
  return {tensor.offset_bytes(), tensor.offset_bytes() + tensor.size_bytes()};
}

/// The extents of a tensor as the compiler counts them.
Sizes sizes_of(const bertha::Tensor& tensor) {
  const std::span<const int64_t> extents = tensor.shape().extents();
  Sizes sizes(extents.rbegin(), extents.rend());
  sizes.front() *= layout_of(tensor.dtype()).elements_each;
  return sizes;
}

}  // namespace

HostSources::HostSources(std::span<const bertha::Tensor> tensors) {
  for (const bertha::Tensor& tensor : tensors) {
    const auto [begin, end] = bytes_of(tensor);
    parts_.push_back({&allocation_of(tensor), begin, end});
  }
}

std::vector<std::byte> HostSources::bytes() const {
  std::vector<std::byte> bytes;
  for (const auto& [allocation, begin, end] : parts_) {
    BERTHA_CHECK(allocation->mirrored.contains(begin, end),
                 "the host does not know what lies in {} bytes of integers", end - begin);
    const auto first = allocation->mirror.begin();
    bytes.insert(bytes.end(), first + begin, first + end);
  }
  return bytes;
}

bool HostSources::use(const Allocation& allocation) const {
  return std::ranges::any_of(parts_,
                             [&](const Part& part) { return part.allocation == &allocation; });
}

GraphRecorder::State& GraphRecorder::state() {
  BERTHA_CHECK(recording());
  return *recording_;
}

void GraphRecorder::begin() {
  BERTHA_CHECK(!recording(), "a segment in a segment");
  recording_ = std::make_unique<State>();
  recording_->result.host_memory = std::make_unique<Allocation>();
}

void GraphRecorder::abandon() {
  recording_.reset();
}

Recording GraphRecorder::end() {
  State& s = state();
  std::vector<MemoryWrite> writes;
  for (auto& [allocation, memory] : s.memory) {
    for (const auto& [begin, held] : memory.held) {
      if (memory.transient.overlaps(begin, held.end)) continue;
      const GraphValue& value = s.result.graph.values[static_cast<size_t>(held.value)];
      const int section = section_of(*allocation);
      if (value.section == section && value.offset_bytes == held.value_begin) continue;
      writes.push_back({.section = section,
                        .offset_bytes = held.value_begin,
                        .value = held.value,
                        .number = held.written});
    }
  }
  s.result.graph.sections = static_cast<int>(s.sections.size());
  const std::vector<int> sections = place_writes(s.result.graph, std::move(writes));
  std::vector<Allocation*> by_old(s.sections.size());
  for (const auto& [allocation, number] : s.sections)
    by_old[static_cast<size_t>(number)] = allocation;
  for (const int old : sections) {
    s.result.sections.push_back(by_old[static_cast<size_t>(old)]);
  }
  Recording done = std::move(s.result);
  recording_.reset();
  return done;
}

Value GraphRecorder::value(ValueId id) const {
  const GraphValue& of = recording_->result.graph.values[static_cast<size_t>(id)];
  return {.id = id, .type = of.type, .sizes = of.sizes};
}

Value GraphRecorder::add_value(GraphValue made) {
  NodeGraph& graph = state().result.graph;
  graph.values.push_back(std::move(made));
  return value(static_cast<ValueId>(graph.values.size() - 1));
}

int GraphRecorder::section_of(Allocation& allocation) {
  State& s = state();
  return s.sections.try_emplace(&allocation, static_cast<int>(s.sections.size())).first->second;
}

Value GraphRecorder::input(Allocation& allocation, int64_t begin, ElementType type,
                           const Sizes& sizes) {
  const InputKey key{&allocation, begin, type, sizes};
  if (const auto found = state().inputs.find(key); found != state().inputs.end()) {
    return value(found->second);
  }
  Value made = add_value(
      {.type = type, .sizes = sizes, .section = section_of(allocation), .offset_bytes = begin});
  state().inputs.emplace(key, made.id);
  return made;
}

/// Memory as a vector. Operands start at aligned addresses: one that does not is cut from a longer
/// one that does.
Value GraphRecorder::input_at_any_byte(Allocation& allocation, int64_t begin, int64_t end,
                                       ElementType type) {
  const int64_t from = begin / kAlignmentBytes * kAlignmentBytes;
  const int64_t each = gaudi::bytes_of(type);
  Value whole = input(allocation, from, type, {(end - from) / each});
  if (from == begin) return whole;
  return slice(whole, 0, (begin - from) / each, (end - from) / each);
}

Value GraphRecorder::held_part(const Held& held, int64_t begin, int64_t end) {
  const Value whole = value(held.value);
  const int64_t each = gaudi::bytes_of(whole.type);
  const Value flat = reshape(whole, {element_count(whole.sizes)});
  return slice(flat, 0, (begin - held.value_begin) / each, (end - held.value_begin) / each);
}

/// A range that several values fill, or that the recording wrote in part.
Value GraphRecorder::compose(Allocation& allocation, MemoryState& memory, int64_t begin,
                             int64_t end, ElementType type) {
  std::vector<Value> parts;
  const auto from_memory = [&](int64_t from, int64_t to) {
    BERTHA_CHECK(!memory.transient.overlaps(from, to), "{}: reads what nothing has written", op_);
    parts.push_back(input_at_any_byte(allocation, from, to, type));
  };
  auto next = memory.held.upper_bound(begin);
  if (next != memory.held.begin() && std::prev(next)->second.end > begin) --next;
  int64_t at = begin;
  for (; next != memory.held.end() && next->first < end; ++next) {
    const int64_t from = std::max(next->first, begin);
    const int64_t to = std::min(next->second.end, end);
    if (at < from) from_memory(at, from);
    BERTHA_CHECK(value(next->second.value).type == type, "{}: reads {} as {}", op_,
                 suffix(value(next->second.value).type), suffix(type));
    parts.push_back(held_part(next->second, from, to));
    at = to;
  }
  if (at < end) from_memory(at, end);
  return parts.size() == 1 ? parts.front() : concat(parts, 0);
}

Value GraphRecorder::read(const bertha::Tensor& tensor) {
  return read(tensor, sizes_of(tensor));
}

Value GraphRecorder::read(const bertha::Tensor& tensor, const Sizes& sizes) {
  Allocation& allocation = allocation_of(tensor);
  MemoryState& memory = state().memory[&allocation];
  const auto [begin, end] = bytes_of(tensor);
  const ElementType type = layout_of(tensor.dtype()).type;
  BERTHA_CHECK(element_count(sizes) * gaudi::bytes_of(type) == end - begin, "{}: {} of {} bytes",
               op_, to_string(sizes), end - begin);
  const auto next = memory.held.lower_bound(begin);
  const bool exact = next != memory.held.end() && next->first == begin && next->second.end == end &&
                     next->second.value_begin == begin;
  if (exact) {
    const Value whole = value(next->second.value);
    const bool complete = element_count(whole.sizes) == element_count(sizes);
    if (complete && whole.type == type) return reshape(whole, sizes);
  }
  const bool before = next != memory.held.begin() && std::prev(next)->second.end > begin;
  const bool inside = next != memory.held.end() && next->first < end;
  if (before || inside) {
    return reshape(compose(allocation, memory, begin, end, type), sizes);
  }
  BERTHA_CHECK(!memory.transient.overlaps(begin, end), "{}: reads what nothing has written", op_);
  if (begin % kAlignmentBytes != 0) {
    return reshape(input_at_any_byte(allocation, begin, end, type), sizes);
  }
  return input(allocation, begin, type, sizes);
}

void GraphRecorder::forget(MemoryState& memory, int64_t begin, int64_t end) {
  auto next = memory.held.lower_bound(begin);
  if (next != memory.held.begin()) --next;
  while (next != memory.held.end() && next->first < end) {
    const int64_t first = next->first;
    const Held held = next->second;
    if (held.end <= begin) {
      ++next;
      continue;
    }
    next = memory.held.erase(next);
    if (first < begin) {
      Held left = held;
      left.end = begin;
      memory.held.emplace(first, left);
    }
    if (held.end > end) memory.held.emplace(end, held);
  }
}

void GraphRecorder::write(const bertha::Tensor& tensor, const Value& value) {
  Allocation& allocation = allocation_of(tensor);
  MemoryState& memory = state().memory[&allocation];
  const auto [begin, end] = bytes_of(tensor);
  BERTHA_CHECK(value.type == layout_of(tensor.dtype()).type &&
                   element_count(value.sizes) * gaudi::bytes_of(value.type) == end - begin,
               "{}: writes {} {} into {} bytes of {}", op_, suffix(value.type),
               to_string(value.sizes), end - begin, name_of(tensor.dtype()));
  // Results start at aligned addresses: one that does not is written with what lies before it.
  const int64_t from = begin / kAlignmentBytes * kAlignmentBytes;
  Value whole = value;
  if (from < begin && !memory.transient.contains(begin, end)) {
    const std::array<Value, 2> parts = {compose(allocation, memory, from, begin, value.type),
                                        reshape(value, {element_count(value.sizes)})};
    whole = concat(parts, 0);
  }
  const int64_t first = whole.id == value.id ? begin : from;
  forget(memory, first, end);
  memory.held.emplace(
      first,
      Held{.end = end, .value = whole.id, .value_begin = first, .written = state().writes++});
}

void GraphRecorder::value_made(const bertha::Tensor& tensor) {
  MemoryState& memory = state().memory[&allocation_of(tensor)];
  const auto [begin, end] = bytes_of(tensor);
  if (begin == end) return;
  forget(memory, begin, end);
  memory.transient.insert(begin, end);
}

std::vector<Value> GraphRecorder::node(std::string_view guid, std::initializer_list<Value> inputs,
                                       std::initializer_list<ResultType> results,
                                       const Parameters& parameters) {
  return node(guid, std::span(inputs.begin(), inputs.size()),
              std::span(results.begin(), results.size()), parameters);
}

std::vector<Value> GraphRecorder::node(std::string_view guid, std::span<const Value> inputs,
                                       std::span<const ResultType> results,
                                       const Parameters& parameters) {
  NodeGraph& graph = state().result.graph;
  GraphNode made{.guid = std::string(guid), .parameters = parameters.bytes(), .op = op_};
  for (const Value& value : inputs) made.inputs.push_back(value.id);
  std::vector<Value> values;
  for (const ResultType& result : results) {
    values.push_back(add_value({.type = result.type,
                                .sizes = result.sizes,
                                .producer = static_cast<int>(graph.nodes.size())}));
    made.outputs.push_back(values.back().id);
  }
  graph.nodes.push_back(std::move(made));
  return values;
}

Value GraphRecorder::reshape(const Value& value, const Sizes& sizes) {
  BERTHA_CHECK(element_count(value.sizes) == element_count(sizes), "{}: {} as {}", op_,
               to_string(value.sizes), to_string(sizes));
  if (value.sizes == sizes) return value;
  const auto key = std::pair(value.id, sizes);
  if (const auto found = state().reshaped.find(key); found != state().reshaped.end()) {
    return this->value(found->second);
  }
  Value made = node("reshape", {value}, {{value.type, sizes}}).front();
  state().reshaped.emplace(key, made.id);
  return made;
}

Value GraphRecorder::slice(const Value& value, int dimension, int64_t begin, int64_t end) {
  const auto at = static_cast<size_t>(dimension);
  BERTHA_CHECK(0 <= begin && begin < end && end <= value.sizes[at], "{}: [{}, {}) of {}", op_,
               begin, end, value.sizes[at]);
  if (end - begin == value.sizes[at]) return value;
  abi::SliceParameters parameters{};
  Sizes sizes = value.sizes;
  sizes[at] = end - begin;
  for (size_t i = 0; i < sizes.size(); ++i) {
    parameters.axes[i] = static_cast<uint32_t>(i);
    parameters.starts[i] = i == at ? static_cast<uint32_t>(begin) : 0;
    parameters.ends[i] = parameters.starts[i] + static_cast<uint32_t>(sizes[i]);
    parameters.steps[i] = 1;
  }
  return node("slice", {value}, {{value.type, sizes}}, parameters).front();
}

Value GraphRecorder::concat(std::span<const Value> values, int dimension) {
  const auto at = static_cast<size_t>(dimension);
  ResultType result{values.front().type, values.front().sizes};
  result.sizes[at] = 0;
  for (const Value& value : values) result.sizes[at] += value.sizes[at];
  const abi::AxisParameters parameters{.axis = static_cast<uint32_t>(dimension)};
  return node("concat", values, std::span(&result, 1), parameters).front();
}

Value GraphRecorder::host_input(const std::string& name, const ResultType& type,
                                std::span<const bertha::Tensor> sources, HostFill fill) {
  if (Value known = recall(name); !known.empty()) return known;
  Recording& recording = state().result;
  Allocation& memory = *recording.host_memory;
  const int64_t offset = memory.size_bytes;
  const int64_t size = element_count(type.sizes) * gaudi::bytes_of(type.type);
  memory.size_bytes += align_up(size);
  recording.host_inputs.push_back({.offset_bytes = offset,
                                   .size_bytes = size,
                                   .sources = HostSources(sources),
                                   .fill = std::move(fill)});
  Value made = input(memory, offset, type.type, type.sizes);
  remember(name, made);
  return made;
}

Sizes GraphRecorder::host_shape(const std::string& name, std::span<const bertha::Tensor> sources,
                                std::function<Sizes(HostBytes)> sizes_of) {
  if (const auto known = state().shapes.find(name); known != state().shapes.end()) {
    return known->second;
  }
  HostShape shape{.sources = HostSources(sources), .sizes_of = std::move(sizes_of), .recorded = {}};
  shape.recorded = shape.sizes_of(shape.sources.bytes());
  state().result.host_shapes.push_back(shape);
  state().shapes.emplace(name, shape.recorded);
  return shape.recorded;
}

void GraphRecorder::keep(const Value& value) {
  Allocation& memory = *state().result.host_memory;
  const int64_t begin = memory.size_bytes;
  const int64_t size = element_count(value.sizes) * gaudi::bytes_of(value.type);
  memory.size_bytes += align_up(size);
  state().memory[&memory].held.emplace(begin, Held{.end = begin + size,
                                                   .value = value.id,
                                                   .value_begin = begin,
                                                   .written = state().writes++});
}

Value GraphRecorder::recall(const std::string& name) const {
  const auto found = recording_->kept.find(name);
  return found == recording_->kept.end() ? Value() : found->second;
}

void GraphRecorder::remember(const std::string& name, const Value& value) {
  state().kept.insert_or_assign(name, value);
}

}  // namespace bertha::gaudi
