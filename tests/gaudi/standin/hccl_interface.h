#pragma once

// The collectives of HCCL that the stand-in exports beside the functions of synapse_interface.h.

#include <cstddef>
#include <cstdint>

#include "gaudi/standin/synapse_interface.h"

namespace bertha::standin {

using HcclResult = int32_t;

enum : HcclResult {
  kHcclSuccess = 0,
  kHcclUnsupported = 2,
  kHcclSystemError = 5,
  kHcclInvalidArgument = 7,
  kHcclInvalidUsage = 8,
  kHcclSocketError = 9,
};

enum HcclType : int32_t { kHcclInt32 = 2, kHcclFloat32 = 7, kHcclBfloat16 = 9 };
enum HcclReduction : int32_t { kHcclSum = 0, kHcclMin = 2, kHcclMax = 3 };

struct HcclUniqueId {
  uint8_t bytes[1024];
  size_t length;
};
static_assert(sizeof(HcclUniqueId) == 1032);

}  // namespace bertha::standin

STANDIN_EXPORT int32_t hcclGetVersion(int* version);
STANDIN_EXPORT int32_t hcclGetUniqueId(bertha::standin::HcclUniqueId* id);
STANDIN_EXPORT int32_t hcclCommInitRank(void** comm, int ranks, bertha::standin::HcclUniqueId id,
                                        int rank);
STANDIN_EXPORT int32_t hcclCommFinalize(void* comm);
STANDIN_EXPORT int32_t hcclCommDestroy(void* comm);
STANDIN_EXPORT int32_t hcclCommAbort(void* comm);
STANDIN_EXPORT const char* hcclGetErrorString(int32_t result);
STANDIN_EXPORT int32_t hcclCommGetAsyncError(void* comm, int32_t* error);
STANDIN_EXPORT int32_t hcclAllReduce(const void* send, void* receive, size_t count, int32_t type,
                                     int32_t reduction, void* comm, void* stream);
STANDIN_EXPORT int32_t hcclBroadcast(const void* send, void* receive, size_t count, int32_t type,
                                     int root, void* comm, void* stream);
STANDIN_EXPORT int32_t hcclAllGather(const void* send, void* receive, size_t send_count,
                                     int32_t type, void* comm, void* stream);
STANDIN_EXPORT int32_t hcclReduceScatter(const void* send, void* receive, size_t receive_count,
                                         int32_t type, int32_t reduction, void* comm, void* stream);
STANDIN_EXPORT int32_t hcclGroupStart();
STANDIN_EXPORT int32_t hcclGroupEnd();
