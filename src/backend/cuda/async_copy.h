#pragma once

// Copies from device memory to shared memory that run beside the thread (PTX ISA, "cp.async", of
// compute capability 8.0 on). A thread issues copies, closes them as a group, and later waits until
// all but its latest groups are complete. A barrier then shows them to the other threads.

#include <cstdint>

#include "backend/cuda/kernel.h"

namespace bertha::cuda {

#if defined(__CUDACC__)

/// 16 bytes: the first `bytes` (0 to 16) from `from`, then zeros. Both addresses are multiples of
/// 16, and `from` is valid memory even for 0 bytes.
__device__ inline void copy_async_16(void* to, const void* from, int bytes = 16) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(address), "l"(from), "r"(bytes)
               : "memory");
}
/// 4 bytes: those at `from`, or zeros for `bytes` of 0.
__device__ inline void copy_async_4(void* to, const void* from, int bytes = 4) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               :
               : "r"(address), "l"(from), "r"(bytes)
               : "memory");
}
__device__ inline void end_copy_group() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}
/// Waits until at most kPending of this thread's groups are under way.
template <int kPending>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;" : : "n"(kPending) : "memory");
}

#endif

}  // namespace bertha::cuda
