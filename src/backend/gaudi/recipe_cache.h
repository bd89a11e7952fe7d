#pragma once

// Compiled graphs. A graph is compiled once in a process; with a folder, once for all processes
// that use the same version of the library on the same kind of device.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/gaudi/live_memory.h"
#include "backend/gaudi/node_graph.h"
#include "backend/gaudi/synapse_library.h"

namespace bertha::gaudi {

/// A compiled graph.
class CompiledRecipe {
 public:
  CompiledRecipe(const SynapseLibrary& library, abi::Recipe recipe, const NodeGraph& graph);
  ~CompiledRecipe();
  CompiledRecipe(const CompiledRecipe&) = delete;
  CompiledRecipe& operator=(const CompiledRecipe&) = delete;

  /// One tensor of the graph that lies in memory of the caller.
  struct Operand {
    std::string name = {};
    uint64_t id = 0;  ///< as the library numbers it
    int section = 0;
    int64_t offset_bytes = 0;
    Sizes sizes = {};
  };
  const std::vector<Operand>& operands() const { return operands_; }
  uint64_t workspace_bytes() const { return workspace_bytes_; }
  abi::Recipe handle() const { return recipe_; }

 private:
  const SynapseLibrary& library_;
  abi::Recipe recipe_;
  std::vector<Operand> operands_;
  uint64_t workspace_bytes_ = 0;
};

/// The recipe of a graph, compiled now. Needs no device. Throws Error when the compiler refuses the
/// graph; `name` says what it is.
abi::Recipe compile(const SynapseLibrary& library, abi::DeviceType type, const NodeGraph& graph,
                    std::string_view name);
/// Whether the compiler takes the graph.
bool compiles(const SynapseLibrary& library, abi::DeviceType type, const NodeGraph& graph,
              std::string_view name);

/// What it took to compile a graph.
struct Compilation {
  std::string name;    ///< of the segment or the op
  std::string digest;  ///< of NodeGraph::key()
  int64_t nodes = 0;
  LiveMemory live;               ///< of values without a place, in the order of recording
  uint64_t workspace_bytes = 0;  ///< as the compiler plans it
  double seconds = 0;
};

class RecipeCache {
 public:
  /// `folder` holds recipes on disk; empty: none are kept there. Graphs that are compiled are also
  /// written as JSON to `dump_folder`, unless it is empty.
  RecipeCache(const SynapseLibrary& library, abi::DeviceType type, std::string folder,
              std::string dump_folder);

  /// Throws Error when the compiler refuses the graph, and names the node if one can be found.
  std::shared_ptr<const CompiledRecipe> find_or_compile(const NodeGraph& graph,
                                                        std::string_view name);
  /// Graphs that this process compiled, and those that it read from the folder.
  int64_t compiled() const { return std::ssize(compilations_); }
  const std::vector<Compilation>& compilations() const { return compilations_; }
  int64_t loaded() const { return loaded_; }

 private:
  abi::Recipe compile_or_name_node(const NodeGraph& graph, std::string_view name) const;
  abi::Recipe load(const std::string& path, const std::string& key) const;
  void store(const std::string& path, const std::string& key, abi::Recipe recipe) const;
  void dump(const NodeGraph& graph, std::string_view name, const std::string& key) const;

  const SynapseLibrary& library_;
  abi::DeviceType type_;
  std::string folder_;
  std::string dump_folder_;
  /// By NodeGraph::key(): a digest alone could be that of another graph.
  std::unordered_map<std::string, std::shared_ptr<const CompiledRecipe>> recipes_;
  std::vector<Compilation> compilations_;
  int64_t loaded_ = 0;
};

/// Where recipes are kept when the environment's BERTHA_GAUDI_RECIPES names no folder:
/// "bertha/gaudi" in the user's cache folder. "0" in the variable keeps none.
std::string recipe_folder();

}  // namespace bertha::gaudi
