#include "gaudi/standin/launch.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "gaudi/standin/settings.h"

namespace bertha::standin {
namespace {

/// Where the persistent tensors of a recipe lie in one launch.
class Binding {
 public:
  Binding(const Recipe& recipe, std::span<const LaunchTensor> tensors, bool by_name)
      : recipe_(recipe), ranges_(recipe.tensors.size()) {
    for (const LaunchTensor& given : tensors) bind(index_of(given, by_name), given);
    for (size_t i = 0; i < recipe.tensors.size(); ++i) {
      require(!recipe.tensors[i].section || ranges_[i].bytes > 0, kInvalidArgument,
              rule::kPersistentTensors,
              "the launch of \"{}\" does not list the persistent tensor \"{}\"", recipe.name,
              recipe.tensors[i].name);
    }
    check_sections();
  }

  const Range& range(size_t tensor) const { return ranges_[tensor]; }

 private:
  size_t index_of(const LaunchTensor& given, bool by_name) const {
    for (size_t i = 0; i < recipe_.tensors.size(); ++i) {
      const RecipeTensor& tensor = recipe_.tensors[i];
      if (!tensor.section) continue;
      if (by_name ? given.name != nullptr && tensor.name == given.name
                  : given.id == Recipe::id_of(i)) {
        return i;
      }
    }
    refuse(kInvalidArgument, rule::kPersistentTensors,
           "the launch of \"{}\" lists {}, which is none of its persistent tensors", recipe_.name,
           by_name ? fmt::format("\"{}\"", given.name == nullptr ? "" : given.name)
                   : fmt::format("the number {}", given.id));
  }

  void bind(size_t index, const LaunchTensor& given) {
    const RecipeTensor& tensor = recipe_.tensors[index];
    require(ranges_[index].bytes == 0, kInvalidArgument, rule::kPersistentTensors,
            "the launch lists tensor \"{}\" twice", tensor.name);
    require(given.type == kDataTensor, kInvalidArgument, rule::kArgument,
            "tensor \"{}\" has the tensor type {}", tensor.name, given.type);
    require(given.address % kAlignmentBytes == 0, kInvalidArgument, rule::kAlignment,
            "tensor \"{}\" lies at {:#x}, which is no multiple of {}", tensor.name, given.address,
            kAlignmentBytes);
    const Sizes sizes(given.sizes, given.sizes + tensor.sizes.size());
    require(sizes == tensor.sizes, kInvalidArgument, rule::kLaunchSizes,
            "tensor \"{}\" was compiled with the sizes {} and is launched with {}", tensor.name,
            to_text(tensor.sizes), to_text(sizes));
    ranges_[index] = {given.address, tensor.size_bytes()};
  }

  /// The library derives one base from any tensor of a section. Two sections lie apart, because
  /// the compiler knows no order between them.
  void check_sections() const {
    std::map<size_t, size_t> first;
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const RecipeTensor& tensor = recipe_.tensors[i];
      if (!tensor.section) continue;
      const auto [entry, added] = first.emplace(*tensor.section, i);
      const RecipeTensor& other = recipe_.tensors[entry->second];
      require(ranges_[i].begin - tensor.offset == ranges_[entry->second].begin - other.offset,
              kPatching, rule::kSectionBase,
              "tensors \"{}\" and \"{}\" of one section give two bases: their addresses less "
              "their offsets differ",
              other.name, tensor.name);
    }
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (recipe_.tensors[i].section && recipe_.tensors[i].produced) check_apart(i);
    }
  }

  void check_apart(size_t written) const {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const RecipeTensor& other = recipe_.tensors[i];
      if (!other.section || other.section == recipe_.tensors[written].section) continue;
      require(!ranges_[i].overlaps(ranges_[written]), kPatching, rule::kSectionsOverlap,
              "tensor \"{}\" is written and shares memory with \"{}\" of another section",
              recipe_.tensors[written].name, other.name);
    }
  }

  const Recipe& recipe_;
  std::vector<Range> ranges_;
};

void check_written(const Runtime& runtime, const Recipe& recipe, const Binding& binding) {
  for (size_t i = 0; i < recipe.tensors.size(); ++i) {
    if (!recipe.tensors[i].reads_earlier_content) continue;
    require(runtime.order.written(binding.range(i)), kFail, rule::kNotWritten,
            "the launch of \"{}\" reads tensor \"{}\", and nothing has written all of its memory",
            recipe.name, recipe.tensors[i].name);
  }
}

Range workspace_range(const Runtime& runtime, const Recipe& recipe, uint64_t workspace) {
  if (recipe.workspace_bytes == 0) return {};
  require(workspace % kAlignmentBytes == 0, kInvalidArgument, rule::kAlignment,
          "the workspace lies at {:#x}, which is no multiple of {}", workspace, kAlignmentBytes);
  try {
    runtime.device->memory.at(workspace, recipe.workspace_bytes);
  } catch (const Refusal&) {
    refuse(kInvalidArgument, rule::kWorkspace,
           "the recipe \"{}\" needs a workspace of {} bytes, which no allocation has at {:#x}",
           recipe.name, recipe.workspace_bytes, workspace);
  }
  return {workspace, recipe.workspace_bytes};
}

/// What the stream runs: poisons what will be replaced, then runs the nodes.
Stream::Operation operation_of(Runtime& runtime, std::shared_ptr<const Recipe> recipe,
                               const Binding& binding, const Range& workspace) {
  const DeviceMemory& memory = runtime.device->memory;
  std::vector<std::byte*> places(recipe->tensors.size(), nullptr);
  for (size_t i = 0; i < places.size(); ++i) {
    if (!recipe->tensors[i].section) continue;
    places[i] = memory.at(binding.range(i).begin, binding.range(i).bytes);
  }
  std::byte* const scratch =
      workspace.bytes == 0 ? nullptr : memory.at(workspace.begin, workspace.bytes);
  const bool lost = fault_is_due("device-lost");
  return {.call = "synLaunch",
          .begin =
              [recipe, places, scratch] {
                if (scratch != nullptr) std::memset(scratch, kPoison, recipe->workspace_bytes);
                for (size_t i = 0; i < places.size(); ++i) {
                  const RecipeTensor& tensor = recipe->tensors[i];
                  if (tensor.replaces_content) std::memset(places[i], kPoison, tensor.size_bytes());
                }
              },
          .work =
              [recipe, places, lost, &runtime] {
                if (lost) runtime.device_lost = true;
                require(!lost, kDeviceReset, rule::kFault, "the device is lost");
                execute(*recipe, places);
              }};
}

}  // namespace

void launch(Runtime& runtime, Stream& stream, std::shared_ptr<const Recipe> recipe,
            std::span<const LaunchTensor> tensors, uint64_t workspace, bool by_name) {
  require(recipe->device_type == settings().device_type, kInvalidArgument, rule::kDeviceType,
          "the recipe \"{}\" was compiled for device type {}, and this device is {}", recipe->name,
          recipe->device_type, settings().device_type);
  require(!fault_is_due("launch"), kSubmit, rule::kFault, "this launch fails");
  const Binding binding(*recipe, tensors, by_name);
  const Range scratch = workspace_range(runtime, *recipe, workspace);
  check_written(runtime, *recipe, binding);
  Runtime::Work work{.call = "launch",
                     .operation = operation_of(runtime, recipe, binding, scratch)};
  for (size_t i = 0; i < recipe->tensors.size(); ++i) {
    const RecipeTensor& tensor = recipe->tensors[i];
    if (!tensor.section) continue;
    if (tensor.consumed) work.reads.push_back(binding.range(i));
    if (tensor.produced) work.writes.push_back(binding.range(i));
  }
  if (scratch.bytes > 0) {
    for (size_t i = 0; i < recipe->tensors.size(); ++i) {
      require(!binding.range(i).overlaps(scratch), kInvalidArgument, rule::kWorkspace,
              "tensor \"{}\" lies in the workspace", recipe->tensors[i].name);
    }
    work.writes.push_back(scratch);
  }
  runtime.submit(stream, std::move(work));
}

}  // namespace bertha::standin
