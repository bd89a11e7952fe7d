#pragma once

// The binary interface of libcudnn.so.9, as far as this program uses it: the calls of its graph
// interface, and the numbers of its descriptors and attributes, written down from the documented
// interface. A number keeps its meaning over all 9.x; kLeastVersion has all that are used.

#include <cstddef>
#include <cstdint>

#include "backend/cuda/cuda_device.h"

namespace bertha::cuda::cudnn_abi {

/// 9.15: attention as one operation with lengths and ragged tensors.
inline constexpr size_t kLeastVersion = 91500;

using Status = int;
inline constexpr Status kSuccess = 0;

using Handle = struct HandleTag*;
using Descriptor = void*;

enum DescriptorType : int {
  kEngine = 2,
  kEngineConfig = 3,
  kEngineHeuristics = 4,
  kExecutionPlan = 5,
  kOperationGraph = 15,
  kVariantPack = 16,
  kTensor = 17,
  kDeviceProperties = 38,
  kAttentionForward = 41
};

enum ValueType : int {
  kHandleValue = 0,
  kDataTypeValue = 1,
  kBooleanValue = 2,
  kInt64Value = 3,
  kPointerValue = 6,
  kHeuristicModeValue = 8,
  kNumericalNoteValue = 11,
  kDescriptorValue = 15,
  kCharValue = 24
};

enum DataType : int { kF32 = 0, kI32 = 4, kBF16 = 9 };
enum HeuristicMode : int { kDecisionTree = 3 };
enum NumericalNote : int { kNotDeterministic = 4 };

enum Attribute : int {
  kHeuristicsMode = 200,
  kHeuristicsGraph = 201,
  kHeuristicsResults = 202,
  kHeuristicsDevice = 204,
  kConfigEngine = 300,
  kPlanHandle = 400,
  kPlanConfig = 401,
  kPlanWorkspaceBytes = 402,
  kPlanDevice = 407,
  kGraphHandle = 800,
  kGraphOperations = 801,
  kTensorAlignment = 900,
  kTensorType = 901,
  kTensorDimensions = 902,
  kTensorStrides = 903,
  kTensorId = 906,
  kTensorByValue = 908,
  kTensorRaggedOffset = 913,
  kPackIds = 1000,
  kPackPointers = 1001,
  kPackWorkspace = 1003,
  kEngineNumber = 1301,
  kEngineNotes = 1303,
  kDeviceJson = 2702,
  kAttentionQuery = 2800,
  kAttentionKey = 2801,
  kAttentionValue = 2802,
  kAttentionOutput = 2803,
  kAttentionStatistics = 2804,
  kAttentionScale = 2805,
  kAttentionQueryLengths = 2809,
  kAttentionKeyLengths = 2810
};

struct Functions {
  size_t (*cudnnGetVersion)() = nullptr;
  const char* (*cudnnGetErrorString)(Status) = nullptr;
  Status (*cudnnCreate)(Handle*) = nullptr;
  Status (*cudnnDestroy)(Handle) = nullptr;
  Status (*cudnnSetStream)(Handle, Stream) = nullptr;
  Status (*cudnnBackendCreateDescriptor)(DescriptorType, Descriptor*) = nullptr;
  Status (*cudnnBackendDestroyDescriptor)(Descriptor) = nullptr;
  Status (*cudnnBackendSetAttribute)(Descriptor, Attribute, ValueType, int64_t count,
                                     const void* values) = nullptr;
  Status (*cudnnBackendGetAttribute)(Descriptor, Attribute, ValueType, int64_t most, int64_t* count,
                                     void* values) = nullptr;
  Status (*cudnnBackendFinalize)(Descriptor) = nullptr;
  Status (*cudnnBackendExecute)(Handle, Descriptor plan, Descriptor pack) = nullptr;
};

}  // namespace bertha::cuda::cudnn_abi
