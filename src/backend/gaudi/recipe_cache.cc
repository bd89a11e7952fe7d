#include "backend/gaudi/recipe_cache.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "backend/gaudi/refused_node.h"
#include "core/error.h"

namespace bertha::gaudi {
namespace {

namespace fs = std::filesystem;

std::string name_of_value(size_t id) {
  return fmt::format("v{}", id);
}

abi::ElementType abi_type(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return abi::kF32;
    case ElementType::kBF16:
      return abi::kBF16;
    case ElementType::kI32:
      return abi::kInt32;
    case ElementType::kI8:
      return abi::kInt8;
  }
  BERTHA_CHECK(false, "element type {}", static_cast<int>(type));
}

/// A graph of the library, made from ours.
class GraphBuilder {
 public:
  GraphBuilder(const SynapseLibrary& library, abi::DeviceType type, const NodeGraph& graph,
               std::string_view name)
      : library_(library), from_(graph), name_(name) {
    BERTHA_SYNAPSE(library_, synGraphCreate, &graph_, type);
  }
  ~GraphBuilder() { library_->synGraphDestroy(graph_); }
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  abi::Recipe compile() {
    add_sections();
    for (size_t i = 0; i < from_.values.size(); ++i) add_value(i);
    for (size_t i = 0; i < from_.nodes.size(); ++i) add_node(i);
    for (const auto& [first, second] : from_.orders) {
      BERTHA_SYNAPSE(library_, synNodeDependencySet, graph_, &nodes_[static_cast<size_t>(first)],
                     &nodes_[static_cast<size_t>(second)], 1, 1);
    }
    abi::Recipe recipe = nullptr;
    const abi::Status status = library_->synGraphCompile(&recipe, graph_, name_.c_str(), nullptr);
    if (status != abi::kSuccess) refuse(status, "synGraphCompile");
    return recipe;
  }

 private:
  [[noreturn]] void refuse(abi::Status status, const char* function) const {
    fail("Gaudi: \"{}\", a graph of {} nodes, is refused by the compiler of {}: {}", name_,
         from_.nodes.size(), library_.version(), library_.describe(status, function));
  }

  void add_sections() {
    sections_.resize(static_cast<size_t>(from_.sections));
    for (abi::Section& section : sections_) {
      BERTHA_SYNAPSE(library_, synSectionCreate, &section, 0, graph_);
      BERTHA_SYNAPSE(library_, synSectionSetPersistent, section, true);
    }
  }

  void add_value(size_t i) {
    const GraphValue& value = from_.values[i];
    BERTHA_CHECK(value.sizes.size() <= abi::kMostDimensions);
    abi::Tensor tensor = nullptr;
    BERTHA_SYNAPSE(library_, synTensorHandleCreate, &tensor, graph_, abi::kData,
                   name_of_value(i).c_str());
    if (value.section != kNoSection) {
      BERTHA_SYNAPSE(library_, synTensorAssignToSection, tensor,
                     sections_[static_cast<size_t>(value.section)],
                     static_cast<uint64_t>(value.offset_bytes));
    }
    abi::TensorGeometry geometry{};
    for (size_t d = 0; d < value.sizes.size(); ++d) {
      geometry.sizes[d] = static_cast<uint64_t>(value.sizes[d]);
    }
    geometry.dimensions = static_cast<uint32_t>(value.sizes.size());
    BERTHA_SYNAPSE(library_, synTensorSetGeometry, tensor, &geometry, abi::kSizes);
    BERTHA_SYNAPSE(library_, synTensorSetDeviceDataType, tensor, abi_type(value.type));
    tensors_.push_back(tensor);
  }

  std::vector<abi::Tensor> tensors(const std::vector<ValueId>& ids) const {
    std::vector<abi::Tensor> found;
    found.reserve(ids.size());
    for (const ValueId id : ids) {
      found.push_back(id < 0 ? nullptr : tensors_[static_cast<size_t>(id)]);
    }
    return found;
  }

  void add_node(size_t i) {
    const GraphNode& node = from_.nodes[i];
    const std::vector<abi::Tensor> inputs = tensors(node.inputs);
    const std::vector<abi::Tensor> outputs = tensors(node.outputs);
    const std::string name = fmt::format("{}_{}", node.guid, i);
    const void* parameters = node.parameters.empty() ? nullptr : node.parameters.data();
    abi::NodeId id = 0;
    const abi::Status status = library_->synNodeCreateWithId(
        graph_, inputs.data(), outputs.data(), static_cast<uint32_t>(inputs.size()),
        static_cast<uint32_t>(outputs.size()), parameters,
        static_cast<unsigned>(node.parameters.size()), node.guid.c_str(), name.c_str(), &id,
        nullptr, nullptr);
    if (status != abi::kSuccess) refuse(status, "synNodeCreateWithId");
    nodes_.push_back(id);
  }

  const SynapseLibrary& library_;
  const NodeGraph& from_;
  std::string name_;
  abi::Graph graph_ = nullptr;
  std::vector<abi::Section> sections_;
  std::vector<abi::Tensor> tensors_;
  std::vector<abi::NodeId> nodes_;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Writes a file aside and renames it, so that another process sees all of it or nothing. The
/// cache and the dump are conveniences: a file that cannot be written is left out.
void publish(const std::string& path, const std::string& content) {
  const std::string aside = fmt::format("{}.{}", path, getpid());
  std::error_code ignored;
  {
    std::ofstream file(aside, std::ios::binary);
    file << content;
    if (!file.flush()) {
      fs::remove(aside, ignored);
      return;
    }
  }
  fs::rename(aside, path, ignored);
}

/// A name of a graph that can be part of a file's name.
std::string file_name_of(std::string_view name) {
  std::string safe(name);
  for (char& letter : safe) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9');
    if (!plain) letter = '_';
  }
  return safe;
}

}  // namespace

CompiledRecipe::CompiledRecipe(const SynapseLibrary& library, abi::Recipe recipe,
                               const NodeGraph& graph)
    : library_(library), recipe_(recipe) {
  std::vector<const char*> names;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const GraphValue& value = graph.values[i];
    if (value.section == kNoSection) continue;
    operands_.push_back({.name = name_of_value(i),
                         .section = value.section,
                         .offset_bytes = value.offset_bytes,
                         .sizes = value.sizes});
  }
  for (const Operand& operand : operands_) names.push_back(operand.name.c_str());
  std::vector<uint64_t> ids(names.size());
  BERTHA_SYNAPSE(library_, synTensorRetrieveIds, recipe_, names.data(), ids.data(),
                 static_cast<uint32_t>(names.size()));
  for (size_t i = 0; i < ids.size(); ++i) operands_[i].id = ids[i];
  BERTHA_SYNAPSE(library_, synWorkspaceGetSize, &workspace_bytes_, recipe_);
}

CompiledRecipe::~CompiledRecipe() {
  library_->synRecipeDestroy(recipe_);
}

abi::Recipe compile(const SynapseLibrary& library, abi::DeviceType type, const NodeGraph& graph,
                    std::string_view name) {
  return GraphBuilder(library, type, graph, name).compile();
}

bool compiles(const SynapseLibrary& library, abi::DeviceType type, const NodeGraph& graph,
              std::string_view name) {
  try {
    library->synRecipeDestroy(compile(library, type, graph, name));
    return true;
  } catch (const Error&) {
    return false;
  }
}

RecipeCache::RecipeCache(const SynapseLibrary& library, abi::DeviceType type, std::string folder,
                         std::string dump_folder)
    : library_(library),
      type_(type),
      folder_(std::move(folder)),
      dump_folder_(std::move(dump_folder)) {
  if (!dump_folder_.empty()) {
    std::error_code problem;
    fs::create_directories(dump_folder_, problem);
    if (problem) fail("{}: cannot be made: {}", dump_folder_, problem.message());
  }
}

std::shared_ptr<const CompiledRecipe> RecipeCache::find_or_compile(const NodeGraph& graph,
                                                                   std::string_view name) {
  const std::string key = graph.key();
  if (const auto found = recipes_.find(key); found != recipes_.end()) return found->second;
  dump(graph, name, key);
  // The version and the device are part of what a file is valid for.
  const std::string whole = fmt::format("{}\n{}\n{}", library_.version(), int{type_}, key);
  const std::string path = folder_.empty() ? "" : fmt::format("{}/{}", folder_, digest(whole));
  abi::Recipe recipe = load(path, whole);
  const bool is_loaded = recipe != nullptr;
  const auto start = std::chrono::steady_clock::now();
  if (is_loaded) {
    ++loaded_;
  } else {
    recipe = compile_or_name_node(graph, name);
    store(path, whole, recipe);
  }
  auto made = std::make_shared<const CompiledRecipe>(library_, recipe, graph);
  if (!is_loaded) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    compilations_.push_back({.name = std::string(name),
                             .digest = digest(key),
                             .nodes = std::ssize(graph.nodes),
                             .live = live_memory(graph),
                             .workspace_bytes = made->workspace_bytes(),
                             .seconds = taken.count()});
  }
  recipes_.emplace(key, made);
  return made;
}

abi::Recipe RecipeCache::compile_or_name_node(const NodeGraph& graph, std::string_view name) const {
  try {
    return compile(library_, type_, graph, name);
  } catch (const Error& error) {
    const auto accepts = [&](const NodeGraph& part) {
      return compiles(library_, type_, part, name);
    };
    fail("{}; {}", error.what(), find_refused_node(graph, accepts));
  }
}

/// Null where the folder has no recipe of exactly this graph, or one that the library cannot read.
abi::Recipe RecipeCache::load(const std::string& path, const std::string& key) const {
  if (path.empty() || read_file(path + ".graph") != key) return nullptr;
  abi::Recipe recipe = nullptr;
  const abi::Status status = library_->synRecipeDeSerialize(&recipe, (path + ".recipe").c_str());
  return status == abi::kSuccess ? recipe : nullptr;
}

void RecipeCache::store(const std::string& path, const std::string& key, abi::Recipe recipe) const {
  if (path.empty()) return;
  std::error_code ignored;
  fs::create_directories(folder_, ignored);
  const std::string aside = fmt::format("{}.{}.recipe", path, getpid());
  if (library_->synRecipeSerialize(recipe, aside.c_str()) != abi::kSuccess) {
    fs::remove(aside, ignored);
    return;
  }
  // The graph's file comes last: a recipe without it is not used.
  fs::remove(path + ".graph", ignored);
  fs::rename(aside, path + ".recipe", ignored);
  publish(path + ".graph", key);
}

void RecipeCache::dump(const NodeGraph& graph, std::string_view name,
                       const std::string& key) const {
  if (dump_folder_.empty()) return;
  publish(fmt::format("{}/{}-{}.json", dump_folder_, file_name_of(name), digest(key)),
          to_json(graph, name));
}

std::string recipe_folder() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  const std::string named = variable("BERTHA_GAUDI_RECIPES");
  if (!named.empty()) return named == "0" ? "" : named;
  std::string cache = variable("XDG_CACHE_HOME");
  if (cache.empty() && !variable("HOME").empty()) cache = variable("HOME") + "/.cache";
  return cache.empty() ? "" : cache + "/bertha/gaudi";
}

}  // namespace bertha::gaudi
