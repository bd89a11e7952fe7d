#include "backend/gaudi/compiling_device.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/gaudi/allocation.h"
#include "backend/gaudi/gaudi_program.h"
#include "backend/gaudi/synapse_library.h"
#include "core/error.h"

namespace bertha::gaudi {
namespace {

/// What lies there is no longer known to the host.
void forget_mirror(const Tensor& tensor) {
  if (tensor.size_bytes() == 0) return;
  const int64_t begin = tensor.offset_bytes();
  allocation_of(tensor).mirrored.erase(begin, begin + tensor.size_bytes());
}

}  // namespace

std::string name_of(abi::DeviceType type) {
  switch (type) {
    case abi::kGaudi:
      return "Gaudi";
    case abi::kGaudi2:
      return "Gaudi2";
    case abi::kGaudi3:
      return "Gaudi3";
  }
  return fmt::format("Gaudi (device type {})", int{type});
}

CompilingDevice::CompilingDevice(const SynapseLibrary& library, abi::DeviceType type,
                                 std::string dump_folder)
    : library_(library), type_(type), recipes_(library, type, "", std::move(dump_folder)) {}

std::string CompilingDevice::description() const {
  return fmt::format("the compiler of SynapseAI {} for {}", library_.version(), name_of(type_));
}

Buffer CompilingDevice::allocate(int64_t size_bytes) {
  auto allocation = std::make_unique<Allocation>();
  allocation->size_bytes = size_bytes;
  return Buffer(this, reinterpret_cast<std::byte*>(allocation.release()), size_bytes);
}

void CompilingDevice::free(std::byte* base, int64_t /*size_bytes*/) noexcept {
  const std::unique_ptr<Allocation> allocation(reinterpret_cast<Allocation*>(base));
  const auto used = operands_.find(allocation.get());
  if (used == operands_.end()) return;
  operand_bytes_ -= used->second;
  operands_.erase(used);
}

void CompilingDevice::write(Out to, const void* host) {
  const Tensor& tensor = to.tensor();
  forget_mirror(tensor);
  const bool integers = tensor.dtype() == DType::kI32 || tensor.dtype() == DType::kI64;
  if (tensor.size_bytes() > 0 && integers) allocation_of(tensor).remember(tensor, host);
}

void CompilingDevice::read(const Tensor& from, void* host) {
  std::memset(host, 0, static_cast<size_t>(from.size_bytes()));
}

void CompilingDevice::copy(const Tensor& /*from*/, Out to) {
  forget_mirror(to.tensor());
}

void CompilingDevice::zero(Out to) {
  forget_mirror(to.tensor());
}

void CompilingDevice::run(const Segment& segment, BodyRef body) {
  compile_recording(segment.name, body);
}

void CompilingDevice::value_made(const Tensor& value) {
  if (recorder_.recording()) recorder_.value_made(value);
}

void CompilingDevice::record(std::string_view op, BodyRef body) {
  if (recorder_.recording()) {
    recorder_.begin_op(op);
    return body();
  }
  compile_recording(op, [&] {
    recorder_.begin_op(op);
    body();
  });
}

void CompilingDevice::compile_recording(std::string_view name, BodyRef body) {
  recorder_.begin();
  try {
    body();
    Recording recording = recorder_.end();
    if (recording.graph.nodes.empty()) return;
    note_operands(recording);
    auto recipe = recipes_.find_or_compile(recording.graph, name);
    GaudiProgram(name, std::move(recording), std::move(recipe)).forget_mirrors();
  } catch (...) {
    recorder_.abandon();
    throw;
  }
}

void CompilingDevice::note_operands(const Recording& recording) {
  for (const Allocation* section : recording.sections) {
    if (section == recording.host_memory.get()) continue;
    if (operands_.emplace(section, section->size_bytes).second) {
      operand_bytes_ += section->size_bytes;
    }
  }
  peak_.buffers = std::max(peak_.buffers, operand_bytes_);
  peak_.host = std::max(peak_.host, recording.host_memory->size_bytes);
}

OperandBytes CompilingDevice::take_operand_bytes() {
  return std::exchange(peak_, {.buffers = operand_bytes_, .host = 0});
}

bool CompilingDevice::compiles(const NodeGraph& graph, std::string_view name) const {
  return gaudi::compiles(library_, type_, graph, name);
}

}  // namespace bertha::gaudi
