// Exports: the library, the device, its memory, host memory.

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "gaudi/standin/runtime.h"
#include "gaudi/standin/settings.h"

using namespace bertha::standin;  // NOLINT(google-build-using-namespace): the exports are global

namespace {

constexpr const char* kVersion = "1.21.0 (stand-in)";
constexpr DeviceId kDeviceId = 0;

template <typename T>
T* not_null(T* pointer) {
  require(pointer != nullptr, kInvalidArgument, rule::kArgument, "a pointer is null");
  return pointer;
}

void copy_text(std::string_view text, char* to, size_t length) {
  not_null(to);
  require(length > text.size(), kInvalidArgument, rule::kArgument,
          "{} bytes are too few for the text", length);
  std::ranges::copy(text, to);
  to[text.size()] = '\0';
}

void acquire(uint32_t* id, ModuleId module) {
  Runtime& runtime = Runtime::get();
  runtime.check_initialized();
  require(settings().devices > 0, kNoDevice, rule::kOneDevice, "there is no device");
  require(module < settings().devices, kInvalidArgument, rule::kArgument,
          "there is no module {}: expected 0 to {}", module, settings().devices - 1);
  require(!runtime.device, kAlreadyAcquired, rule::kOneDevice,
          "the process has a device already: one for each process");
  runtime.device.emplace(
      Device{.id = kDeviceId, .module = module, .memory = DeviceMemory(settings().memory_bytes)});
  *not_null(id) = kDeviceId;
}

void check_idle(const Range& range) {
  Runtime& runtime = Runtime::get();
  const auto pending = runtime.order.pending(range, runtime.host_clock, false);
  require(!pending, kBusy, rule::kMemoryInUse,
          "the memory at {:#x} is freed while the {} that uses it may still run", range.begin,
          pending ? pending->what : "");
}

std::string_view description_of(Status status) {
  switch (status) {
    case kSuccess:
      return "success";
    case kInvalidArgument:
      return "invalid argument";
    case kOutOfHostMemory:
      return "out of host memory";
    case kOutOfDeviceMemory:
      return "out of device memory";
    case kAlreadyInitialized:
      return "already initialized";
    case kNoDevice:
      return "no device";
    case kDeviceReset:
      return "device reset";
    case kUnsupported:
      return "unsupported";
    case kAlreadyAcquired:
      return "device already acquired";
    case kBusy:
      return "busy";
    case kSectionValidation:
      return "section validation failed";
    case kSubmit:
      return "submission failed";
    case kTimeout:
      return "timeout";
    default:
      return "failure";
  }
}

/// The release ends everything that belongs to the device. Returns the streams, whose threads end
/// after the lock is open.
std::vector<std::shared_ptr<Stream>> release_device() {
  Runtime& runtime = Runtime::get();
  runtime.device.reset();
  runtime.device_lost = false;
  runtime.order = AccessOrder();
  runtime.events.remove_if([](const Event&) { return true; });
  return runtime.streams.remove_if([](const Stream&) { return true; });
}

uint64_t attribute_value(int32_t attribute) {
  const Device& device = *Runtime::get().device;
  switch (attribute) {
    case kMemorySize:
      return device.memory.limit_bytes();
    case kFreeMemorySize:
      return device.memory.free_bytes();
    case kTpcMask:
      return 0xFFFFFF;
    case kDeviceTypeAttribute:
      return static_cast<uint64_t>(settings().device_type);
    case kAddressAlignment:
      return kAlignmentBytes;
    default:
      refuse(kUnsupported, rule::kArgument, "attribute {} is not known", attribute);
  }
}

}  // namespace

int32_t synInitialize() {
  return answer("synInitialize", [] {
    settings();
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    require(!runtime.initialized, kAlreadyInitialized, rule::kCallOrder, "it was called already");
    runtime.initialized = true;
  });
}

int32_t synDestroy() {
  return answer("synDestroy", [] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.check_initialized();
    require(!runtime.device, kBusy, rule::kCallOrder, "the device was not released");
    runtime.initialized = false;
  });
}

int32_t synDriverGetVersion(char* text, int32_t length) {
  return answer("synDriverGetVersion",
                [&] { copy_text(kVersion, text, static_cast<size_t>(std::max(length, 0))); });
}

int32_t synStatusGetBriefDescription(int32_t status, char* text, size_t length) {
  return answer("synStatusGetBriefDescription",
                [&] { copy_text(description_of(status), text, length); });
}

int32_t synConfigurationSet(const char* name, const char* value) {
  return answer("synConfigurationSet", [&] {
    not_null(name);
    not_null(value);
  });
}

int32_t synDeviceGetCount(uint32_t* count) {
  return answer("synDeviceGetCount", [&] {
    Runtime::get().check_initialized();
    *not_null(count) = settings().devices;
  });
}

int32_t synDeviceGetCountByDeviceType(uint32_t* count, int32_t type) {
  return answer("synDeviceGetCountByDeviceType", [&] {
    Runtime::get().check_initialized();
    *not_null(count) = type == settings().device_type ? settings().devices : 0;
  });
}

int32_t synDeviceGetModuleIDs(uint32_t* ids, uint32_t* count) {
  return answer("synDeviceGetModuleIDs", [&] {
    Runtime::get().check_initialized();
    require(*not_null(count) >= settings().devices, kInvalidArgument, rule::kArgument,
            "there is room for {} of {} numbers", *count, settings().devices);
    not_null(ids);
    for (uint32_t module = 0; module < settings().devices; ++module) ids[module] = module;
    *count = settings().devices;
  });
}

int32_t synDeviceAcquireByDeviceType(uint32_t* device, int32_t type) {
  return answer("synDeviceAcquireByDeviceType", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    require(type == settings().device_type, kNoDevice, rule::kDeviceType,
            "there is no device of type {}: expected {}", type, settings().device_type);
    acquire(device, 0);
  });
}

int32_t synDeviceAcquireByModuleId(uint32_t* device, uint32_t module) {
  return answer("synDeviceAcquireByModuleId", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    acquire(device, module);
  });
}

int32_t synDeviceAcquire(uint32_t* device, const char* pci_address) {
  return answer("synDeviceAcquire", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    require(pci_address == nullptr || *pci_address == '\0', kNoDevice, rule::kArgument,
            "there is no device at {}", pci_address == nullptr ? "" : pci_address);
    acquire(device, 0);
  });
}

int32_t synDeviceRelease(uint32_t device) {
  std::vector<std::shared_ptr<Stream>> streams;
  return answer("synDeviceRelease", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.check_initialized();
    require(runtime.device && runtime.device->id == device, kInvalidArgument, rule::kCallOrder,
            "device {} is not acquired", device);
    for (const auto& [handle, stream] : runtime.streams.live()) {
      require(runtime.host_clock.covers(stream->number(), stream->operations) ||
                  stream->operations == 0 || runtime.device_lost,
              kBusy, rule::kMemoryInUse, "work of a stream may still run: wait for it first");
    }
    streams = release_device();
  });
}

int32_t synDeviceGetInfo(uint32_t device, DeviceInfo* info) {
  return answer("synDeviceGetInfo", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    Runtime::get().acquired(device);
    *not_null(info) = {.sram_base = 0,
                       .dram_base = kDeviceMemoryBase,
                       .sram_size = 0,
                       .dram_size = settings().memory_bytes,
                       .tpc_mask = 0xFFFFFF,
                       .dram_enabled = 1,
                       .device_id = device,
                       .file_descriptor = -1,
                       .type = settings().device_type};
  });
}

int32_t synDeviceGetMemoryInfo(uint32_t device, uint64_t* free, uint64_t* total) {
  return answer("synDeviceGetMemoryInfo", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    const Device& found = Runtime::get().acquired(device);
    *not_null(free) = found.memory.free_bytes();
    *not_null(total) = found.memory.limit_bytes();
  });
}

int32_t synDeviceGetAttribute(uint64_t* values, const int32_t* attributes, unsigned count,
                              uint32_t device) {
  return answer("synDeviceGetAttribute", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    Runtime::get().acquired(device);
    not_null(values);
    not_null(attributes);
    for (unsigned i = 0; i < count; ++i) values[i] = attribute_value(attributes[i]);
  });
}

int32_t synDeviceMalloc(uint32_t device, uint64_t size, uint64_t wanted, uint32_t flags,
                        uint64_t* address) {
  return answer("synDeviceMalloc", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    require(wanted == 0 && flags == 0, kUnsupported, rule::kArgument,
            "an address of choice and flags are not offered");
    *not_null(address) = Runtime::get().acquired(device).memory.allocate(size);
  });
}

int32_t synDeviceFree(uint32_t device, uint64_t address, uint32_t /*flags*/) {
  return answer("synDeviceFree", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    DeviceMemory& memory = runtime.acquired(device).memory;
    const Range range = memory.range_of(address);
    check_idle(range);
    memory.free(address);
    runtime.order.forget(range);
  });
}

int32_t synHostMalloc(uint32_t device, uint64_t size, uint32_t flags, void** memory) {
  return answer("synHostMalloc", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    Runtime::get().acquired(device);
    require(flags == 0, kUnsupported, rule::kArgument, "flags are not offered");
    *not_null(memory) = Runtime::get().host.allocate(size);
  });
}

int32_t synHostFree(uint32_t device, const void* memory, uint32_t /*flags*/) {
  return answer("synHostFree", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.acquired(device);
    check_idle(runtime.host.range_of(memory));
    runtime.order.forget(runtime.host.free(memory));
  });
}

int32_t synHostMap(uint32_t device, uint64_t size, const void* memory) {
  return answer("synHostMap", [&] {
    const std::lock_guard lock(Runtime::get().mutex);
    Runtime::get().acquired(device);
    Runtime::get().host.map(memory, size);
  });
}

int32_t synHostUnmap(uint32_t device, const void* memory) {
  return answer("synHostUnmap", [&] {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    runtime.acquired(device);
    check_idle(runtime.host.range_of(memory));
    runtime.order.forget(runtime.host.unmap(memory));
  });
}
