#include "backend/gaudi/gaudi_program.h"

#include <algorithm>
#include <utility>

namespace bertha::gaudi {

GaudiProgram::GaudiProgram(std::string_view name, Recording recording,
                           std::shared_ptr<const CompiledRecipe> recipe)
    : name_(name),
      recording_(std::move(recording)),
      recipe_(std::move(recipe)),
      known_sources_(recording_.host_inputs.size()),
      filled_once_(recording_.host_inputs.size()) {}

bool GaudiProgram::fits() const {
  return std::ranges::all_of(recording_.host_shapes, [](const HostShape& shape) {
    return shape.sizes_of(shape.sources.bytes()) == shape.recorded;
  });
}

bool GaudiProgram::uses(const Allocation& allocation) const {
  if (std::ranges::find(recording_.sections, &allocation) != recording_.sections.end()) return true;
  const auto from = [&](const auto& computed) { return computed.sources.use(allocation); };
  return std::ranges::any_of(recording_.host_inputs, from) ||
         std::ranges::any_of(recording_.host_shapes, from);
}

void GaudiProgram::place_host_memory(abi::Address address) {
  host_memory().address = address;
  filled_once_.assign(filled_once_.size(), false);
  tensors_.clear();
}

bool GaudiProgram::renew(size_t input) {
  std::vector<std::byte> sources = recording_.host_inputs[input].sources.bytes();
  if (filled_once_[input] && sources == known_sources_[input]) return false;
  filled_once_[input] = true;
  known_sources_[input] = std::move(sources);
  return true;
}

const std::vector<abi::LaunchTensor>& GaudiProgram::launch_tensors() {
  if (!tensors_.empty()) return tensors_;
  for (const CompiledRecipe::Operand& operand : recipe_->operands()) {
    const Allocation& section = *recording_.sections[static_cast<size_t>(operand.section)];
    BERTHA_CHECK(section.address != 0);
    abi::LaunchTensor tensor{};
    tensor.name = operand.name.c_str();
    tensor.address = section.address + static_cast<uint64_t>(operand.offset_bytes);
    tensor.type = abi::kData;
    for (size_t d = 0; d < operand.sizes.size(); ++d) {
      tensor.sizes[d] = static_cast<uint64_t>(operand.sizes[d]);
    }
    tensor.id = operand.id;
    tensors_.push_back(tensor);
  }
  return tensors_;
}

void GaudiProgram::forget_mirrors() const {
  for (const GraphValue& value : recording_.graph.values) {
    if (value.section == kNoSection || value.producer < 0) continue;
    Allocation& allocation = *recording_.sections[static_cast<size_t>(value.section)];
    allocation.mirrored.erase(value.offset_bytes, value.offset_bytes + value.size_bytes());
  }
}

}  // namespace bertha::gaudi
