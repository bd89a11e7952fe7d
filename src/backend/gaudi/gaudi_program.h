#pragma once

// A recorded and compiled segment with what a launch needs: the addresses of its operands, and what
// the host computes for it.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/gaudi/graph_recorder.h"
#include "backend/gaudi/recipe_cache.h"

namespace bertha::gaudi {

class GaudiProgram {
 public:
  /// `name` is that of the segment or of the op.
  GaudiProgram(std::string_view name, Recording recording,
               std::shared_ptr<const CompiledRecipe> recipe);

  const std::string& name() const { return name_; }

  /// Whether the shapes that depend on what the host wrote are still those of the recording.
  bool fits() const;
  /// Whether a launch reads or writes this allocation, or computes from it.
  bool uses(const Allocation& allocation) const;
  Allocation& host_memory() const { return *recording_.host_memory; }
  /// What the host computes lies at this address from now on, and nothing of it is there yet.
  void place_host_memory(abi::Address address);
  const std::vector<Allocation*>& sections() const { return recording_.sections; }
  const CompiledRecipe& recipe() const { return *recipe_; }

  /// Calls write(offset, bytes) for each host input whose sources changed since the last call.
  template <typename Write>
  void renew_host_inputs(const Write& write) {
    for (size_t i = 0; i < recording_.host_inputs.size(); ++i) {
      if (!renew(i)) continue;
      const HostInput& input = recording_.host_inputs[i];
      filled_.resize(static_cast<size_t>(input.size_bytes));
      input.fill(known_sources_[i], filled_);
      write(input.offset_bytes, std::span<const std::byte>(filled_));
    }
  }
  /// The operands with their addresses. All sections have device memory.
  const std::vector<abi::LaunchTensor>& launch_tensors();
  /// What the launch writes is no longer known to the host.
  void forget_mirrors() const;

 private:
  bool renew(size_t input);

  std::string name_;
  Recording recording_;
  std::shared_ptr<const CompiledRecipe> recipe_;
  std::vector<std::vector<std::byte>> known_sources_;  ///< of each host input, at its last fill
  std::vector<bool> filled_once_;
  std::vector<std::byte> filled_;
  std::vector<abi::LaunchTensor> tensors_;
};

}  // namespace bertha::gaudi
