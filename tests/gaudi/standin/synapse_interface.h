#pragma once

// The part of SynapseAI's C interface that a trainer calls, as the stand-in exports it: values,
// struct layouts and signatures of the versions 1.16 to 1.21, which agree in all of them. It is
// written from the documented facts and shares nothing with src/backend/gaudi, so that a mistake in
// one of the two descriptions shows in the tests.

#include <cstddef>
#include <cstdint>

#define STANDIN_EXPORT extern "C" __attribute__((visibility("default")))

namespace bertha::standin {

using Handle = void*;
using DeviceId = uint32_t;
using ModuleId = uint32_t;
using NodeId = uint64_t;
using Status = int32_t;

enum : Status {
  kSuccess = 0,
  kInvalidArgument = 1,
  kOutOfHostMemory = 3,
  kOutOfDeviceMemory = 4,
  kAlreadyInitialized = 5,
  kNoDevice = 8,
  kDeviceReset = 17,
  kUnsupported = 18,
  kAlreadyAcquired = 20,
  kBusy = 22,
  kFail = 26,
  kSectionValidation = 30,
  kTerminated = 31,
  kPatching = 36,
  kSubmit = 37,
  kHccl = 40,
  kTimeout = 42,
};

enum DeviceType : int32_t { kGaudi = 2, kGaudi2 = 4, kGaudi3 = 5 };

enum DataType : int32_t {
  kNoType = 0,
  kI8 = 1,
  kBf16 = 2,
  kF32 = 4,
  kI16 = 8,
  kI32 = 16,
  kU8 = 32,
  kI64 = 32768,
};

enum CopyDirection : int32_t { kHostToDevice = 0, kDeviceToHost = 1, kDeviceToDevice = 2 };
enum TensorType : int32_t { kDataTensor = 0 };
enum GeometryKind : int32_t { kMinimumSizes = 0, kMaximumSizes = 1, kRankOnly = 2 };
enum : uint32_t { kTensorsByName = 1 };  ///< a flag of synLaunch
enum Attribute : int32_t {
  kMemorySize = 3,
  kFreeMemorySize = 4,
  kTpcMask = 5,
  kDeviceTypeAttribute = 7,
  kAddressAlignment = 11,
};

constexpr int kMaximumRank = 25;

/// Sizes are fastest dimension first.
struct TensorGeometry {
  uint64_t sizes[kMaximumRank];
  uint32_t rank;
};
static_assert(sizeof(TensorGeometry) == 208 && offsetof(TensorGeometry, rank) == 200);

struct LaunchTensor {
  const char* name;
  uint64_t address;
  int32_t type;
  uint64_t sizes[kMaximumRank];
  uint64_t id;
};
static_assert(sizeof(LaunchTensor) == 232 && offsetof(LaunchTensor, sizes) == 24 &&
              offsetof(LaunchTensor, id) == 224);

struct DeviceInfo {
  uint64_t sram_base;
  uint64_t dram_base;
  uint32_t sram_size;
  uint64_t dram_size;
  uint64_t tpc_mask;
  uint8_t dram_enabled;
  uint32_t device_id;
  int32_t file_descriptor;
  int32_t type;
};
static_assert(sizeof(DeviceInfo) == 56 && offsetof(DeviceInfo, dram_size) == 24 &&
              offsetof(DeviceInfo, dram_enabled) == 40 && offsetof(DeviceInfo, device_id) == 44 &&
              offsetof(DeviceInfo, type) == 52);

}  // namespace bertha::standin

// Every function returns a status. Names and the order of the arguments are SynapseAI's.
STANDIN_EXPORT int32_t synInitialize();
STANDIN_EXPORT int32_t synDestroy();
STANDIN_EXPORT int32_t synDriverGetVersion(char* text, int32_t length);
STANDIN_EXPORT int32_t synStatusGetBriefDescription(int32_t status, char* text, size_t length);
STANDIN_EXPORT int32_t synConfigurationSet(const char* name, const char* value);

STANDIN_EXPORT int32_t synDeviceGetCount(uint32_t* count);
STANDIN_EXPORT int32_t synDeviceGetCountByDeviceType(uint32_t* count, int32_t type);
STANDIN_EXPORT int32_t synDeviceGetModuleIDs(uint32_t* ids, uint32_t* count);
STANDIN_EXPORT int32_t synDeviceAcquireByDeviceType(uint32_t* device, int32_t type);
STANDIN_EXPORT int32_t synDeviceAcquireByModuleId(uint32_t* device, uint32_t module);
STANDIN_EXPORT int32_t synDeviceAcquire(uint32_t* device, const char* pci_address);
STANDIN_EXPORT int32_t synDeviceRelease(uint32_t device);
STANDIN_EXPORT int32_t synDeviceGetInfo(uint32_t device, bertha::standin::DeviceInfo* info);
STANDIN_EXPORT int32_t synDeviceGetMemoryInfo(uint32_t device, uint64_t* free, uint64_t* total);
STANDIN_EXPORT int32_t synDeviceGetAttribute(uint64_t* values, const int32_t* attributes,
                                             unsigned count, uint32_t device);
STANDIN_EXPORT int32_t synDeviceSynchronize(uint32_t device);

STANDIN_EXPORT int32_t synDeviceMalloc(uint32_t device, uint64_t size, uint64_t wanted,
                                       uint32_t flags, uint64_t* address);
STANDIN_EXPORT int32_t synDeviceFree(uint32_t device, uint64_t address, uint32_t flags);
STANDIN_EXPORT int32_t synHostMalloc(uint32_t device, uint64_t size, uint32_t flags, void** memory);
STANDIN_EXPORT int32_t synHostFree(uint32_t device, const void* memory, uint32_t flags);
STANDIN_EXPORT int32_t synHostMap(uint32_t device, uint64_t size, const void* memory);
STANDIN_EXPORT int32_t synHostUnmap(uint32_t device, const void* memory);

STANDIN_EXPORT int32_t synStreamCreateGeneric(void** stream, uint32_t device, uint32_t flags);
STANDIN_EXPORT int32_t synStreamDestroy(void* stream);
STANDIN_EXPORT int32_t synStreamSynchronize(void* stream);
STANDIN_EXPORT int32_t synStreamQuery(void* stream);
STANDIN_EXPORT int32_t synStreamWaitEvent(void* stream, void* event, uint32_t flags);
STANDIN_EXPORT int32_t synEventCreate(void** event, uint32_t device, uint32_t flags);
STANDIN_EXPORT int32_t synEventRecord(void* event, void* stream);
STANDIN_EXPORT int32_t synEventSynchronize(void* event);
STANDIN_EXPORT int32_t synEventQuery(void* event);
STANDIN_EXPORT int32_t synEventDestroy(void* event);
STANDIN_EXPORT int32_t synEventElapsedTime(uint64_t* nanoseconds, void* start, void* end);
STANDIN_EXPORT int32_t synMemCopyAsync(void* stream, uint64_t from, uint64_t size, uint64_t to,
                                       int32_t direction);
STANDIN_EXPORT int32_t synMemCopyAsyncMultiple(void* stream, const uint64_t* from,
                                               const uint64_t* sizes, const uint64_t* to,
                                               int32_t direction, uint64_t count);
STANDIN_EXPORT int32_t synMemsetD32Async(uint64_t address, uint32_t value, size_t count,
                                         void* stream);

STANDIN_EXPORT int32_t synGraphCreate(void** graph, int32_t device_type);
STANDIN_EXPORT int32_t synGraphDestroy(void* graph);
STANDIN_EXPORT int32_t synSectionCreate(void** section, uint64_t descriptor, void* graph);
STANDIN_EXPORT int32_t synSectionSetPersistent(void* section, bool persistent);
STANDIN_EXPORT int32_t synTensorHandleCreate(void** tensor, void* graph, int32_t type,
                                             const char* name);
STANDIN_EXPORT int32_t synTensorAssignToSection(void* tensor, void* section, uint64_t byte_offset);
STANDIN_EXPORT int32_t synTensorSetGeometry(void* tensor,
                                            const bertha::standin::TensorGeometry* geometry,
                                            int32_t kind);
STANDIN_EXPORT int32_t synTensorGetGeometry(void* tensor, bertha::standin::TensorGeometry* geometry,
                                            int32_t kind);
STANDIN_EXPORT int32_t synTensorSetDeviceDataType(void* tensor, int32_t type);
STANDIN_EXPORT int32_t synTensorSetHostPtr(void* tensor, void* data, uint64_t size, int32_t type,
                                           bool copy);
STANDIN_EXPORT int32_t synNodeCreateWithId(void* graph, void* const* inputs, void* const* outputs,
                                           uint32_t input_count, uint32_t output_count,
                                           const void* parameters, unsigned parameter_bytes,
                                           const char* guid, const char* name, uint64_t* id,
                                           const char** input_layouts, const char** output_layouts);
STANDIN_EXPORT int32_t synNodeDependencySet(void* graph, const uint64_t* before,
                                            const uint64_t* after, uint32_t before_count,
                                            uint32_t after_count);
STANDIN_EXPORT int32_t synNodeSetDeterministic(void* graph, uint64_t node, bool deterministic);
STANDIN_EXPORT int32_t synGraphCompile(void** recipe, void* graph, const char* name,
                                       const char* log);
STANDIN_EXPORT int32_t synRecipeSerialize(void* recipe, const char* file);
STANDIN_EXPORT int32_t synRecipeDeSerialize(void** recipe, const char* file);
STANDIN_EXPORT int32_t synRecipeDestroy(void* recipe);
STANDIN_EXPORT int32_t synWorkspaceGetSize(uint64_t* size, void* recipe);
STANDIN_EXPORT int32_t synTensorRetrieveIds(void* recipe, const char** names, uint64_t* ids,
                                            uint32_t count);
STANDIN_EXPORT int32_t synLaunch(void* stream, const bertha::standin::LaunchTensor* tensors,
                                 uint32_t count, uint64_t workspace, void* recipe, uint32_t flags);

// The stand-in's own: how many rules the process has broken so far, and the line about the last
// one.
STANDIN_EXPORT int32_t standin_broken_rules();
STANDIN_EXPORT const char* standin_last_line();
