#pragma once

// The binary interface of libSynapse.so, as far as this program uses it: handles, structs, values
// and signatures, written down from the documented layout, which is the same in SynapseAI 1.16 to
// 1.21. The names of functions are those that the library exports. probe_layout() of
// synapse_library.h looks whether a loaded library has this layout.

#include <cstddef>
#include <cstdint>

namespace bertha::gaudi::abi {

using Status = int;
inline constexpr Status kSuccess = 0;
inline constexpr Status kOutOfHostMemory = 3;
inline constexpr Status kOutOfDeviceMemory = 4;
inline constexpr Status kAlreadyInitialised = 5;

using DeviceId = uint32_t;
using ModuleId = uint32_t;
using NodeId = uint64_t;
using Address = uint64_t;

// Handles are pointers to what only the library knows.
using Graph = struct GraphTag*;
using Section = struct SectionTag*;
using Tensor = struct TensorTag*;
using Recipe = struct RecipeTag*;
using Stream = struct StreamTag*;
using Event = struct EventTag*;

enum DeviceType : int { kGaudi = 2, kGaudi2 = 4, kGaudi3 = 5 };
enum ElementType : int { kInt8 = 1, kBF16 = 2, kF32 = 4, kInt32 = 16 };
enum CopyDirection : int { kHostToDevice = 0, kDeviceToHost = 1, kDeviceToDevice = 2 };
enum TensorType : int { kData = 0 };
enum GeometryKind : int { kSizes = 1 };
inline constexpr uint32_t kMostDimensions = 25;

/// Extents, fastest dimension first.
struct TensorGeometry {
  uint64_t sizes[kMostDimensions];
  uint32_t dimensions;
};
static_assert(sizeof(TensorGeometry) == 208 && offsetof(TensorGeometry, dimensions) == 200);

/// A persistent tensor at a launch.
struct LaunchTensor {
  const char* name;
  Address address;
  TensorType type;
  uint64_t sizes[kMostDimensions];
  uint64_t id;
};
static_assert(sizeof(LaunchTensor) == 232 && offsetof(LaunchTensor, sizes) == 24 &&
              offsetof(LaunchTensor, id) == 224);

struct DeviceInfo {
  uint64_t sram_base;
  uint64_t dram_base;
  uint32_t sram_bytes;
  uint64_t dram_bytes;
  uint64_t tpc_mask;
  bool dram_enabled;
  uint32_t device_id;
  int descriptor;
  DeviceType type;
};
static_assert(sizeof(DeviceInfo) == 56 && offsetof(DeviceInfo, dram_bytes) == 24 &&
              offsetof(DeviceInfo, dram_enabled) == 40 && offsetof(DeviceInfo, type) == 52);

// Parameters of nodes. The kernels' structs only grow from version to version, and their size says
// which version is meant, so these are the oldest that say enough.

/// gemm, batch_gemm.
struct GemmParameters {
  bool transpose_a;
  bool transpose_b;
};
static_assert(sizeof(GemmParameters) == 2);

/// transpose: dimension i of the result is dimension permutation[i] of the operand.
struct TransposeParameters {
  uint32_t permutation[5];
  uint32_t rank;
};
static_assert(sizeof(TransposeParameters) == 24);

/// slice: one entry for each dimension that is cut.
struct SliceParameters {
  uint32_t axes[5];
  uint32_t starts[5];
  uint32_t ends[5];
  uint32_t steps[5];
};
static_assert(sizeof(SliceParameters) == 80);

/// concat.
struct AxisParameters {
  uint32_t axis;
};

/// reduce_sum_fwd, softmax_fwd, softmax_bwd, logsoftmax_fwd, gather_fwd.
struct DimensionParameters {
  int32_t dimension;
};

/// embedding_dense_pt_bwd.
struct TableGradientParameters {
  int32_t rows;
  int32_t padding_row;  ///< -1: none
  bool scale_by_frequency;
};
static_assert(sizeof(TableGradientParameters) == 12);

/// layer_norm_fwd and layer_norm_bwd.
struct LayerNormParameters {
  bool has_eps;
  float eps;
};
static_assert(sizeof(LayerNormParameters) == 8);

/// dropout_fwd. An operand takes the place of the seed.
struct DropoutParameters {
  float ratio;  ///< of the elements that are dropped
  uint32_t seed;
};
static_assert(sizeof(DropoutParameters) == 8);

/// gelu_fwd.
struct GeluParameters {
  bool approximation;
};
static_assert(sizeof(GeluParameters) == 1);

/// cast_*: 0 rounds to nearest even.
struct CastParameters {
  int32_t rounding;
};

/// constant_f32.
struct ConstantParameters {
  float value;
};

/// hcclUniqueId, passed by value.
struct UniqueId {
  char bytes[1024];
  size_t length;
};
static_assert(sizeof(UniqueId) == 1032);

// The functions: X(name, result, parameters).
// clang-format off
#define BERTHA_SYNAPSE_FUNCTIONS(X)                                                               \
  X(synInitialize, Status, ())                                                                    \
  X(synDestroy, Status, ())                                                                       \
  X(synDriverGetVersion, Status, (char*, int))                                                    \
  X(synStatusGetBriefDescription, Status, (Status, char*, size_t))                                \
  X(synDeviceGetCount, Status, (uint32_t*))                                                       \
  X(synDeviceGetModuleIDs, Status, (uint32_t*, uint32_t*))                                        \
  X(synDeviceAcquireByModuleId, Status, (DeviceId*, ModuleId))                                    \
  X(synDeviceRelease, Status, (DeviceId))                                                         \
  X(synDeviceGetInfo, Status, (DeviceId, DeviceInfo*))                                            \
  X(synDeviceGetMemoryInfo, Status, (DeviceId, uint64_t*, uint64_t*))                             \
  X(synDeviceMalloc, Status, (DeviceId, uint64_t, uint64_t, uint32_t, uint64_t*))                 \
  X(synDeviceFree, Status, (DeviceId, uint64_t, uint32_t))                                        \
  X(synHostMalloc, Status, (DeviceId, uint64_t, uint32_t, void**))                                \
  X(synHostFree, Status, (DeviceId, const void*, uint32_t))                                       \
  X(synStreamCreateGeneric, Status, (Stream*, DeviceId, uint32_t))                                \
  X(synStreamDestroy, Status, (Stream))                                                           \
  X(synStreamSynchronize, Status, (Stream))                                                       \
  X(synEventCreate, Status, (Event*, DeviceId, uint32_t))                                         \
  X(synEventRecord, Status, (Event, Stream))                                                      \
  X(synEventSynchronize, Status, (Event))                                                         \
  X(synEventDestroy, Status, (Event))                                                             \
  X(synMemCopyAsync, Status, (Stream, uint64_t, uint64_t, uint64_t, CopyDirection))               \
  X(synMemsetD32Async, Status, (uint64_t, uint32_t, size_t, Stream))                              \
  X(synGraphCreate, Status, (Graph*, DeviceType))                                                 \
  X(synGraphDestroy, Status, (Graph))                                                             \
  X(synSectionCreate, Status, (Section*, uint64_t, Graph))                                        \
  X(synSectionSetPersistent, Status, (Section, bool))                                             \
  X(synTensorHandleCreate, Status, (Tensor*, Graph, TensorType, const char*))                     \
  X(synTensorAssignToSection, Status, (Tensor, Section, uint64_t))                                \
  X(synTensorSetDeviceDataType, Status, (Tensor, ElementType))                                    \
  X(synNodeCreateWithId, Status, (Graph, const Tensor*, const Tensor*, uint32_t, uint32_t,        \
    const void*, unsigned, const char*, const char*, NodeId*, const char**, const char**))        \
  X(synNodeDependencySet, Status, (Graph, const NodeId*, const NodeId*, uint32_t, uint32_t))      \
  X(synGraphCompile, Status, (Recipe*, Graph, const char*, const char*))                          \
  X(synRecipeSerialize, Status, (Recipe, const char*))                                            \
  X(synRecipeDeSerialize, Status, (Recipe*, const char*))                                         \
  X(synRecipeDestroy, Status, (Recipe))                                                           \
  X(synWorkspaceGetSize, Status, (uint64_t*, Recipe))                                             \
  X(synTensorRetrieveIds, Status, (Recipe, const char**, uint64_t*, uint32_t))

/// Functions that were once exported with 64-bit extents under a name that ends in "Ext", while the
/// plain name kept 32-bit ones. Where that name exists it is the one to call.
#define BERTHA_SYNAPSE_WIDE_FUNCTIONS(X)                                                          \
  X(synTensorSetGeometry, Status, (Tensor, const TensorGeometry*, GeometryKind))                  \
  X(synTensorGetGeometry, Status, (Tensor, TensorGeometry*, GeometryKind))                        \
  X(synLaunch, Status, (Stream, const LaunchTensor*, uint32_t, uint64_t, Recipe, uint32_t))
// clang-format on

/// The functions of a loaded library.
struct Functions {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration takes none around its name
#define BERTHA_DECLARE(name, result, parameters) result(*name) parameters = nullptr;
  BERTHA_SYNAPSE_FUNCTIONS(BERTHA_DECLARE)
  BERTHA_SYNAPSE_WIDE_FUNCTIONS(BERTHA_DECLARE)
#undef BERTHA_DECLARE
};

}  // namespace bertha::gaudi::abi
