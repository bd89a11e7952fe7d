// Exports: graphs, recipes, launches.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "gaudi/standin/launch.h"
#include "gaudi/standin/runtime.h"
#include "gaudi/standin/settings.h"

using namespace bertha::standin;  // NOLINT(google-build-using-namespace): the exports are global

namespace {

/// The geometry as a library of 2021 laid it out, for BERTHA_STANDIN_FAULT=layout.
struct OldGeometry {
  uint32_t sizes[5];
  uint32_t rank;
};

Sizes sizes_from(const TensorGeometry& geometry) {
  if (settings().old_layout) {
    OldGeometry old;
    std::memcpy(&old, &geometry, sizeof(old));
    return {old.sizes, old.sizes + std::min<uint32_t>(old.rank, 5)};
  }
  require(geometry.rank <= kMaximumRank, kInvalidArgument, rule::kRank,
          "there are {} dimensions: expected 1 to {}", geometry.rank, kMaximumRank);
  return {geometry.sizes, geometry.sizes + geometry.rank};
}

void sizes_to(const Sizes& sizes, TensorGeometry& geometry) {
  if (settings().old_layout) {
    OldGeometry old{};
    old.rank = static_cast<uint32_t>(sizes.size());
    for (size_t dim = 0; dim < std::min<size_t>(sizes.size(), 5); ++dim) {
      old.sizes[dim] = static_cast<uint32_t>(sizes[dim]);
    }
    std::memcpy(&geometry, &old, sizeof(old));
    return;
  }
  std::fill(std::begin(geometry.sizes), std::end(geometry.sizes), 0);
  std::ranges::copy(sizes, geometry.sizes);
  geometry.rank = static_cast<uint32_t>(sizes.size());
}

/// An object that belongs to a graph, with the graph locked. The runtime's lock may be taken while
/// a graph is locked, never the other way round.
template <typename T>
struct Locked {
  std::shared_ptr<T> object;
  std::unique_lock<std::mutex> lock;
  T* operator->() const { return object.get(); }
  T& operator*() const { return *object; }
};

Locked<Graph> lock_graph(void* handle) {
  Runtime& runtime = Runtime::get();
  std::shared_ptr<Graph> graph;
  {
    const std::lock_guard lock(runtime.mutex);
    runtime.check_initialized();
    graph = runtime.graphs.get(handle);
  }
  return {graph, std::unique_lock(graph->mutex)};
}

Locked<Tensor> lock_tensor(void* handle) {
  Runtime& runtime = Runtime::get();
  std::shared_ptr<Tensor> tensor;
  {
    const std::lock_guard lock(runtime.mutex);
    tensor = runtime.tensors.get(handle);
  }
  return {tensor, std::unique_lock(tensor->graph->mutex)};
}

std::shared_ptr<Section> find_section(void* handle) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  return runtime.sections.get(handle);
}

std::vector<size_t> operands_of(const Graph& graph, void* const* handles, uint32_t count) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  require(count == 0 || handles != nullptr, kInvalidArgument, rule::kArgument,
          "the list of tensors is null");
  std::vector<size_t> operands;
  for (uint32_t i = 0; i < count; ++i) {
    if (handles[i] == nullptr) {
      operands.push_back(kNoTensor);
      continue;
    }
    const std::shared_ptr<Tensor> tensor = runtime.tensors.get(handles[i]);
    require(tensor->graph == &graph, kInvalidArgument, rule::kHandle,
            "tensor \"{}\" belongs to another graph", tensor->name);
    operands.push_back(tensor->index);
  }
  return operands;
}

std::shared_ptr<const Recipe> find_recipe(void* handle) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  runtime.check_initialized();
  return runtime.recipes.get(handle);
}

template <typename T>
void store_handle(Handles<T>& handles, std::shared_ptr<T> object, void** to) {
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  require(to != nullptr, kInvalidArgument, rule::kArgument, "the pointer is null");
  *to = handles.add(std::move(object));
}

}  // namespace

int32_t synGraphCreate(void** graph, int32_t device_type) {
  return answer("synGraphCreate", [&] {
    Runtime& runtime = Runtime::get();
    runtime.check_initialized();
    require(device_type == kGaudi || device_type == kGaudi2 || device_type == kGaudi3,
            kInvalidArgument, rule::kDeviceType, "the device type {} is not known", device_type);
    auto created = std::make_shared<Graph>();
    created->device_type = device_type;
    store_handle(runtime.graphs, std::move(created), graph);
  });
}

int32_t synGraphDestroy(void* graph) {
  return answer("synGraphDestroy", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    const std::shared_ptr<Graph> removed = runtime.graphs.remove(graph);
    runtime.sections.remove_if([&](const Section& s) { return s.graph == removed.get(); });
    runtime.tensors.remove_if([&](const Tensor& t) { return t.graph == removed.get(); });
  });
}

int32_t synSectionCreate(void** section, uint64_t descriptor, void* graph) {
  return answer("synSectionCreate", [&] {
    require(descriptor == 0, kInvalidArgument, rule::kArgument, "the descriptor is not 0");
    const Locked<Graph> locked = lock_graph(graph);
    store_handle(Runtime::get().sections,
                 std::shared_ptr<Section>(locked.object, &locked->add_section()), section);
  });
}

int32_t synSectionSetPersistent(void* section, bool persistent) {
  return answer("synSectionSetPersistent", [&] {
    const std::shared_ptr<Section> found = find_section(section);
    const std::lock_guard lock(found->graph->mutex);
    found->graph->check_open();
    found->persistent = persistent;
  });
}

int32_t synTensorHandleCreate(void** tensor, void* graph, int32_t type, const char* name) {
  return answer("synTensorHandleCreate", [&] {
    const Locked<Graph> locked = lock_graph(graph);
    store_handle(Runtime::get().tensors,
                 std::shared_ptr<Tensor>(locked.object, &locked->add_tensor(type, name)), tensor);
  });
}

int32_t synTensorAssignToSection(void* tensor, void* section, uint64_t byte_offset) {
  return answer("synTensorAssignToSection", [&] {
    const Locked<Tensor> locked = lock_tensor(tensor);
    assign(*locked, *find_section(section), byte_offset);
  });
}

int32_t synTensorSetGeometry(void* tensor, const TensorGeometry* geometry, int32_t kind) {
  return answer("synTensorSetGeometry", [&] {
    require(geometry != nullptr, kInvalidArgument, rule::kArgument, "the geometry is null");
    require(kind == kMaximumSizes, kUnsupported, rule::kArgument,
            "geometry {} belongs to dynamic shapes, which the stand-in does not have", kind);
    set_sizes(*lock_tensor(tensor), sizes_from(*geometry));
  });
}

int32_t synTensorGetGeometry(void* tensor, TensorGeometry* geometry, int32_t kind) {
  return answer("synTensorGetGeometry", [&] {
    require(geometry != nullptr, kInvalidArgument, rule::kArgument, "the geometry is null");
    require(kind == kMaximumSizes, kUnsupported, rule::kArgument,
            "geometry {} belongs to dynamic shapes, which the stand-in does not have", kind);
    const Locked<Tensor> locked = lock_tensor(tensor);
    require(locked->sizes.has_value(), kInvalidArgument, rule::kTensorIncomplete,
            "the geometry of tensor \"{}\" is not set", locked->name);
    sizes_to(*locked->sizes, *geometry);
  });
}

int32_t synTensorSetDeviceDataType(void* tensor, int32_t type) {
  return answer("synTensorSetDeviceDataType", [&] { set_type(*lock_tensor(tensor), type); });
}

int32_t synTensorSetHostPtr(void* tensor, void* data, uint64_t size, int32_t type, bool /*copy*/) {
  return answer("synTensorSetHostPtr",
                [&] { set_constant(*lock_tensor(tensor), data, size, type); });
}

int32_t synNodeCreateWithId(void* graph, void* const* inputs, void* const* outputs,
                            uint32_t input_count, uint32_t output_count, const void* parameters,
                            unsigned parameter_bytes, const char* guid, const char* name,
                            uint64_t* id, const char** /*input_layouts*/,
                            const char** /*output_layouts*/) {
  return answer("synNodeCreateWithId", [&] {
    require(guid != nullptr && (parameters != nullptr || parameter_bytes == 0), kInvalidArgument,
            rule::kArgument, "the GUID or the parameters are null");
    const Locked<Graph> locked = lock_graph(graph);
    Node node{.guid = guid,
              .name = name == nullptr ? "" : name,
              .inputs = operands_of(*locked, inputs, input_count),
              .outputs = operands_of(*locked, outputs, output_count),
              .parameters = std::vector<std::byte>(parameter_bytes),
              .after = {}};
    if (parameter_bytes > 0) std::memcpy(node.parameters.data(), parameters, parameter_bytes);
    const NodeId created = locked->add_node(std::move(node));
    if (id != nullptr) *id = created;
  });
}

int32_t synNodeDependencySet(void* graph, const uint64_t* before, const uint64_t* after,
                             uint32_t before_count, uint32_t after_count) {
  return answer("synNodeDependencySet", [&] {
    require(before != nullptr && after != nullptr, kInvalidArgument, rule::kArgument,
            "a list of nodes is null");
    lock_graph(graph)->add_order({before, before + before_count}, {after, after + after_count});
  });
}

int32_t synNodeSetDeterministic(void* graph, uint64_t node, bool /*deterministic*/) {
  return answer("synNodeSetDeterministic", [&] { lock_graph(graph)->node(node); });
}

int32_t synGraphCompile(void** recipe, void* graph, const char* name, const char* /*log*/) {
  return answer("synGraphCompile", [&] {
    require(name != nullptr, kInvalidArgument, rule::kArgument, "the recipe has no name");
    const Locked<Graph> locked = lock_graph(graph);
    locked->check_open();
    require(!fault_is_due("compile"), kFail, rule::kFault, "this compilation fails");
    std::shared_ptr<const Recipe> compiled = compile(*locked, name, settings().seed);
    locked->compiled = true;
    store_handle(Runtime::get().recipes, std::move(compiled), recipe);
  });
}

int32_t synRecipeSerialize(void* recipe, const char* file) {
  return answer("synRecipeSerialize", [&] {
    require(file != nullptr, kInvalidArgument, rule::kArgument, "the file name is null");
    const std::vector<uint8_t> bytes = to_bytes(*find_recipe(recipe));
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    require(out.flush().good(), kFail, rule::kArgument, "{} cannot be written", file);
  });
}

int32_t synRecipeDeSerialize(void** recipe, const char* file) {
  return answer("synRecipeDeSerialize", [&] {
    Runtime& runtime = Runtime::get();
    runtime.check_initialized();
    require(file != nullptr, kInvalidArgument, rule::kArgument, "the file name is null");
    std::ifstream in(file, std::ios::binary);
    require(in.good(), kInvalidArgument, rule::kArgument, "{} cannot be read", file);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    store_handle(runtime.recipes, recipe_from_bytes({text.begin(), text.end()}), recipe);
  });
}

int32_t synRecipeDestroy(void* recipe) {
  return answer("synRecipeDestroy", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.recipes.remove(recipe);
  });
}

int32_t synWorkspaceGetSize(uint64_t* size, void* recipe) {
  return answer("synWorkspaceGetSize", [&] {
    require(size != nullptr, kInvalidArgument, rule::kArgument, "the pointer is null");
    *size = find_recipe(recipe)->workspace_bytes;
  });
}

int32_t synTensorRetrieveIds(void* recipe, const char** names, uint64_t* ids, uint32_t count) {
  return answer("synTensorRetrieveIds", [&] {
    const std::shared_ptr<const Recipe> found = find_recipe(recipe);
    require(names != nullptr && ids != nullptr, kInvalidArgument, rule::kArgument,
            "a pointer is null");
    for (uint32_t i = 0; i < count; ++i) {
      const auto tensor = std::ranges::find_if(found->tensors, [&](const RecipeTensor& t) {
        return t.section && names[i] != nullptr && t.name == names[i];
      });
      require(tensor != found->tensors.end(), kInvalidArgument, rule::kPersistentTensors,
              "the recipe \"{}\" has no persistent tensor \"{}\"", found->name,
              names[i] == nullptr ? "" : names[i]);
      ids[i] = Recipe::id_of(static_cast<size_t>(tensor - found->tensors.begin()));
    }
  });
}

int32_t synLaunch(void* stream, const LaunchTensor* tensors, uint32_t count, uint64_t workspace,
                  void* recipe, uint32_t flags) {
  return answer("synLaunch", [&] {
    Runtime& runtime = Runtime::get();
    std::shared_ptr<Stream> found;
    std::shared_ptr<const Recipe> compiled;
    {
      const std::lock_guard lock(runtime.mutex);
      runtime.acquired();
      found = runtime.streams.get(stream);
      compiled = runtime.recipes.get(recipe);
    }
    const Stream::Use use(*found, "synLaunch");
    const std::lock_guard lock(runtime.mutex);
    require((flags & ~uint32_t{kTensorsByName}) == 0, kUnsupported, rule::kArgument,
            "the flags {:#x} are not known", flags);
    require(count == 0 || tensors != nullptr, kInvalidArgument, rule::kArgument,
            "the list of tensors is null");
    launch(runtime, *found, std::move(compiled), {tensors, count}, workspace,
           (flags & kTensorsByName) != 0);
  });
}
