#include "backend/gaudi/gaudi_device.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/gaudi/allocation.h"
#include "backend/gaudi/gaudi_program.h"
#include "backend/gaudi/gaudi_staging.h"
#include "backend/gaudi/graph_recorder.h"
#include "backend/gaudi/recipe_cache.h"
#include "backend/gaudi/synapse_library.h"
#include "core/error.h"
#include "core/free_memory.h"

namespace bertha::gaudi {
namespace {

/// Programs of a segment that are kept for different lengths of sequences.
constexpr size_t kMostShapes = 64;

std::string dump_folder() {
  const char* folder = std::getenv("BERTHA_GAUDI_GRAPHS");
  return folder == nullptr ? "" : folder;
}

/// The device of a module, acquired for the length of this object's life.
class AcquiredDevice {
 public:
  AcquiredDevice(const SynapseLibrary& library, abi::ModuleId module) : library_(library) {
    BERTHA_SYNAPSE(library_, synDeviceAcquireByModuleId, &id_, module);
    const abi::Status status = library_->synDeviceGetInfo(id_, &info_);
    if (status == abi::kSuccess) return;
    library_->synDeviceRelease(id_);
    library_.check(status, "synDeviceGetInfo");
  }
  ~AcquiredDevice() { library_->synDeviceRelease(id_); }
  AcquiredDevice(const AcquiredDevice&) = delete;
  AcquiredDevice& operator=(const AcquiredDevice&) = delete;

  abi::DeviceId id() const { return id_; }
  const abi::DeviceInfo& info() const { return info_; }

 private:
  const SynapseLibrary& library_;
  abi::DeviceId id_ = 0;
  abi::DeviceInfo info_{};
};

class OwnedSynapseStream {
 public:
  OwnedSynapseStream(const SynapseLibrary& library, abi::DeviceId device) : library_(library) {
    BERTHA_SYNAPSE(library_, synStreamCreateGeneric, &stream_, device, 0);
  }
  ~OwnedSynapseStream() { library_->synStreamDestroy(stream_); }
  OwnedSynapseStream(const OwnedSynapseStream&) = delete;
  OwnedSynapseStream& operator=(const OwnedSynapseStream&) = delete;

  abi::Stream get() const { return stream_; }

 private:
  const SynapseLibrary& library_;
  abi::Stream stream_ = nullptr;
};

std::span<const std::byte> host_bytes(const void* host, int64_t size) {
  return {static_cast<const std::byte*>(host), static_cast<size_t>(size)};
}

/// An f64 as two f32 whose sum it is: the second holds what the first rounds off.
std::vector<float> halves_of(std::span<const double> values) {
  std::vector<float> halves;
  for (const double value : values) {
    const auto high = static_cast<float>(value);
    halves.push_back(high);
    halves.push_back(std::isfinite(high) ? static_cast<float>(value - double{high}) : 0.0F);
  }
  return halves;
}

}  // namespace

std::string absence(int64_t number) {
  std::string why;
  const SynapseLibrary* library = process_library(&why);
  if (library == nullptr) return why;
  try {
    const auto present = std::ssize(library->modules());
    if (present == 0) return fmt::format("{} reports no Gaudi device", library->path());
    if (number < present) return "";
    return fmt::format("this host has {} Gaudi devices; rank {} of the host needs one of its own",
                       present, number);
  } catch (const Error& error) {
    return error.what();
  }
}

std::unique_ptr<Device> open_device(int64_t number) {
  if (const std::string why = absence(number); !why.empty()) fail("{}", why);
  std::string why;
  SynapseLibrary& library = *process_library(&why);
  return std::make_unique<GaudiDevice>(library, library.modules()[static_cast<size_t>(number)]);
}

struct GaudiDevice::State {
  using Key = std::tuple<std::string, int64_t, int64_t, int64_t, DType>;
  using Programs = std::vector<std::unique_ptr<GaudiProgram>>;

  State(SynapseLibrary& of, uint32_t of_module)
      : library(of),
        module(of_module),
        device(of, of_module),
        stream(of, device.id()),
        staging(of, device.id(), stream.get()),
        recipes(of, device.info().type, recipe_folder(), dump_folder()) {}

  abi::Address take(int64_t size_bytes);
  void give_back(abi::Address& address) noexcept;
  void back(Allocation& allocation);
  void reserve_workspace(uint64_t bytes);
  void lend_host_memory(GaudiProgram& program);
  void copy_in(Allocation& to, int64_t offset, std::span<const std::byte> bytes);
  std::unique_ptr<GaudiProgram> build(std::string_view name);
  void launch(GaudiProgram& program);
  void drop(const GaudiProgram& program) noexcept;
  void forget(const Allocation& allocation) noexcept;

  SynapseLibrary& library;
  uint32_t module;
  AcquiredDevice device;
  OwnedSynapseStream stream;
  GaudiStaging staging;
  RecipeCache recipes;
  GraphRecorder recorder;
  std::map<Key, Programs> programs;
  abi::Address workspace = 0;
  uint64_t workspace_bytes = 0;
  abi::Address host_memory = 0;
  int64_t host_memory_bytes = 0;
  const GaudiProgram* borrower = nullptr;  ///< whose operands lie in host_memory
};

GaudiDevice::GaudiDevice(SynapseLibrary& library, uint32_t module)
    : state_(std::make_unique<State>(library, module)) {}

GaudiDevice::~GaudiDevice() {
  // A destructor must not throw. The last checked call has reported a broken device.
  state_->library->synStreamSynchronize(state_->stream.get());
  state_->give_back(state_->host_memory);
  state_->give_back(state_->workspace);
}

std::string GaudiDevice::description() const {
  const abi::DeviceInfo& info = state_->device.info();
  return fmt::format("{}, module {}, {:.0f} GB, SynapseAI {}{}{}", name_of(info.type),
                     state_->module, static_cast<double>(info.dram_bytes) * 1e-9,
                     state_->library.version(), remark().empty() ? "" : ", ", remark());
}

abi::Address GaudiDevice::State::take(int64_t size_bytes) {
  abi::Address address = 0;
  const auto size = static_cast<uint64_t>(align_up(std::max<int64_t>(size_bytes, 1)));
  const abi::Status status = library->synDeviceMalloc(device.id(), size, 0, 0, &address);
  if (status == abi::kOutOfDeviceMemory) {
    uint64_t free = 0;
    uint64_t total = 0;
    library->synDeviceGetMemoryInfo(device.id(), &free, &total);
    throw OutOfMemory(name_of(device.info().type), static_cast<double>(size),
                      static_cast<double>(free));
  }
  library.check(status, "synDeviceMalloc");
  return address;
}

void GaudiDevice::State::give_back(abi::Address& address) noexcept {
  if (address == 0) return;
  library->synStreamSynchronize(stream.get());
  library->synDeviceFree(device.id(), address, 0);
  address = 0;
}

/// Gives an allocation zeroed device memory.
void GaudiDevice::State::back(Allocation& allocation) {
  if (allocation.address != 0) return;
  allocation.address = take(allocation.size_bytes);
  const auto words = static_cast<size_t>(align_up(std::max<int64_t>(allocation.size_bytes, 1)) / 4);
  BERTHA_SYNAPSE(library, synMemsetD32Async, allocation.address, 0, words, stream.get());
}

/// One workspace serves all recipes, because they run one after the other.
void GaudiDevice::State::reserve_workspace(uint64_t bytes) {
  if (bytes <= workspace_bytes) return;
  give_back(workspace);
  workspace_bytes = 0;
  workspace = take(static_cast<int64_t>(bytes));
  workspace_bytes = bytes;
}

/// One buffer serves all programs for what the host computes, masks of dropout above all, because
/// they run one after the other. A program that finds another's operands there writes its own.
void GaudiDevice::State::lend_host_memory(GaudiProgram& program) {
  const int64_t bytes = program.host_memory().size_bytes;
  if (bytes == 0) return;
  if (bytes > host_memory_bytes) {
    give_back(host_memory);
    host_memory_bytes = 0;
    borrower = nullptr;
    host_memory = take(bytes);
    host_memory_bytes = bytes;
  }
  if (borrower == &program) return;
  program.place_host_memory(host_memory);
  borrower = &program;
}

void GaudiDevice::State::copy_in(Allocation& to, int64_t offset, std::span<const std::byte> bytes) {
  back(to);
  staging.write(to.address + static_cast<uint64_t>(offset), bytes);
}

/// Ends the recording. Null where it has nothing to run.
std::unique_ptr<GaudiProgram> GaudiDevice::State::build(std::string_view name) {
  Recording recording = recorder.end();
  if (recording.graph.nodes.empty()) return nullptr;
  auto recipe = recipes.find_or_compile(recording.graph, name);
  return std::make_unique<GaudiProgram>(name, std::move(recording), std::move(recipe));
}

void GaudiDevice::State::launch(GaudiProgram& program) {
  lend_host_memory(program);
  program.renew_host_inputs([&](int64_t offset, std::span<const std::byte> bytes) {
    copy_in(program.host_memory(), offset, bytes);
  });
  for (Allocation* section : program.sections()) back(*section);
  reserve_workspace(program.recipe().workspace_bytes());
  const std::vector<abi::LaunchTensor>& tensors = program.launch_tensors();
  const abi::Status status =
      library->synLaunch(stream.get(), tensors.data(), static_cast<uint32_t>(tensors.size()),
                         workspace, program.recipe().handle(), 0);
  if (status != abi::kSuccess) {
    fail("Gaudi: \"{}\": {}", program.name(), library.describe(status, "synLaunch"));
  }
  program.forget_mirrors();
}

/// Before the program's end: another may be made at its address.
void GaudiDevice::State::drop(const GaudiProgram& program) noexcept {
  if (borrower == &program) borrower = nullptr;
}

/// Drops the programs that use memory which is freed.
void GaudiDevice::State::forget(const Allocation& allocation) noexcept {
  for (auto& [key, of_segment] : programs) {
    std::erase_if(of_segment, [&](const std::unique_ptr<GaudiProgram>& program) {
      if (!program->uses(allocation)) return false;
      drop(*program);
      return true;
    });
  }
}

Buffer GaudiDevice::allocate(int64_t size_bytes) {
  auto allocation = std::make_unique<Allocation>();
  allocation->size_bytes = size_bytes;
  return Buffer(this, reinterpret_cast<std::byte*>(allocation.release()), size_bytes);
}

void GaudiDevice::free(std::byte* base, int64_t /*size_bytes*/) noexcept {
  const std::unique_ptr<Allocation> allocation(reinterpret_cast<Allocation*>(base));
  state_->forget(*allocation);
  state_->give_back(allocation->address);
}

void GaudiDevice::write(Out to, const void* host) {
  BERTHA_CHECK(!state_->recorder.recording(), "a segment copies from the host");
  const Tensor& tensor = to.tensor();
  if (tensor.size_bytes() == 0) return;
  Allocation& allocation = allocation_of(tensor);
  const int64_t begin = tensor.offset_bytes();
  const std::span<const std::byte> bytes = host_bytes(host, tensor.size_bytes());
  allocation.mirrored.erase(begin, begin + tensor.size_bytes());
  if (tensor.dtype() == DType::kF64) {
    const std::vector<float> halves =
        halves_of({static_cast<const double*>(host), static_cast<size_t>(tensor.size())});
    return state_->copy_in(allocation, begin, std::as_bytes(std::span(halves)));
  }
  state_->copy_in(allocation, begin, bytes);
  if (tensor.dtype() != DType::kI32 && tensor.dtype() != DType::kI64) return;
  allocation.remember(tensor, host);
}

void GaudiDevice::read(const Tensor& from, void* host) {
  BERTHA_CHECK(!state_->recorder.recording(), "a segment copies to the host");
  if (from.size_bytes() == 0) return;
  Allocation& allocation = allocation_of(from);
  state_->back(allocation);
  auto* bytes = static_cast<std::byte*>(host);
  const auto size = static_cast<size_t>(from.size_bytes());
  state_->staging.read(allocation.address + static_cast<uint64_t>(from.offset_bytes()),
                       {bytes, size});
  if (from.dtype() != DType::kF64) return;
  for (size_t i = 0; i < size; i += sizeof(double)) {
    std::array<float, 2> halves{};
    std::memcpy(halves.data(), bytes + i, sizeof(halves));
    const double value = double{halves[0]} + double{halves[1]};
    std::memcpy(bytes + i, &value, sizeof(value));
  }
}

void GaudiDevice::copy(const Tensor& from, Out to) {
  BERTHA_CHECK(!state_->recorder.recording(), "a segment copies by an op");
  BERTHA_CHECK(from.size_bytes() == to.tensor().size_bytes(), "{} to {} bytes", from.size_bytes(),
               to.tensor().size_bytes());
  if (from.size_bytes() == 0) return;
  Allocation& source = allocation_of(from);
  Allocation& target = allocation_of(to.tensor());
  state_->back(source);
  state_->back(target);
  const int64_t begin = to.tensor().offset_bytes();
  target.mirrored.erase(begin, begin + from.size_bytes());
  BERTHA_SYNAPSE(state_->library, synMemCopyAsync, state_->stream.get(),
                 source.address + static_cast<uint64_t>(from.offset_bytes()),
                 static_cast<uint64_t>(from.size_bytes()),
                 target.address + static_cast<uint64_t>(begin), abi::kDeviceToDevice);
}

void GaudiDevice::zero(Out to) {
  BERTHA_CHECK(!state_->recorder.recording(), "a segment zeroes by an op");
  const int64_t size = to.tensor().size_bytes();
  if (size == 0) return;
  Allocation& allocation = allocation_of(to.tensor());
  state_->back(allocation);
  const int64_t begin = to.tensor().offset_bytes();
  allocation.mirrored.erase(begin, begin + size);
  const abi::Address address = allocation.address + static_cast<uint64_t>(begin);
  // The library sets words of 32 bits; a rest is copied.
  const int64_t rest = size % 4;
  if (size > rest) {
    BERTHA_SYNAPSE(state_->library, synMemsetD32Async, address, 0, static_cast<size_t>(size / 4),
                   state_->stream.get());
  }
  const std::array<std::byte, 4> zeros{};
  state_->staging.write(address + static_cast<uint64_t>(size - rest),
                        std::span(zeros).first(static_cast<size_t>(rest)));
}

void GaudiDevice::value_made(const Tensor& value) {
  if (state_->recorder.recording()) state_->recorder.value_made(value);
}

void GaudiDevice::run(const Segment& segment, BodyRef body) {
  State::Programs& programs = state_->programs[{std::string(segment.name), segment.bucket,
                                                segment.sequences, segment.rows, segment.dtype}];
  const auto known = std::ranges::find_if(programs, [](const auto& p) { return p->fits(); });
  if (known != programs.end()) return state_->launch(**known);
  state_->recorder.begin();
  std::unique_ptr<GaudiProgram> program;
  try {
    body();
    program = state_->build(segment.name);
  } catch (...) {
    state_->recorder.abandon();
    throw;
  }
  if (!program) return;
  if (programs.size() == kMostShapes) {
    state_->drop(*programs.front());
    programs.erase(programs.begin());
  }
  programs.push_back(std::move(program));
  state_->launch(*programs.back());
}

void GaudiDevice::record(std::string_view op, BodyRef body) {
  GraphRecorder& recorder = state_->recorder;
  if (recorder.recording()) {
    recorder.begin_op(op);
    return body();
  }
  recorder.begin();
  std::unique_ptr<GaudiProgram> program;
  try {
    recorder.begin_op(op);
    body();
    program = state_->build(op);
  } catch (...) {
    recorder.abandon();
    throw;
  }
  if (!program) return;
  state_->launch(*program);
  state_->drop(*program);
}

GraphRecorder& GaudiDevice::recorder() {
  return state_->recorder;
}

SynapseLibrary& GaudiDevice::library() {
  return state_->library;
}

abi::Stream GaudiDevice::stream() const {
  return state_->stream.get();
}

uint64_t GaudiDevice::address(const Tensor& tensor) {
  Allocation& allocation = allocation_of(tensor);
  state_->back(allocation);
  return allocation.address + static_cast<uint64_t>(tensor.offset_bytes());
}

const RecipeCache& GaudiDevice::recipes() const {
  return state_->recipes;
}

bool GaudiDevice::compiles(const NodeGraph& graph, std::string_view name) const {
  return gaudi::compiles(state_->library, state_->device.info().type, graph, name);
}

void GaudiDevice::synchronize() {
  BERTHA_SYNAPSE(state_->library, synStreamSynchronize, state_->stream.get());
}

}  // namespace bertha::gaudi
