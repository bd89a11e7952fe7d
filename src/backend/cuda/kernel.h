#pragma once

// Shared by device code: element types, 16-byte access, reductions in a fixed order. Only .cu files
// include this header. They are plain C++ except for the keywords of CUDA, which
// tests/cuda/emulation.h defines for the host, so that every kernel also runs without a GPU.

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#elif !defined(BERTHA_CUDA_EMULATION)
#error "kernel.h is for nvcc, or for tests/cuda/emulation.h"
#endif

#include <cstdint>

#include "core/dtype.h"
#include "core/fp8.h"

namespace bertha::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffU;

#if defined(__CUDACC__)
/// The block's dynamic shared memory.
template <typename T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char bertha_shared[];
  return reinterpret_cast<T*>(bertha_shared);
}
__device__ inline float bits_to_float(uint32_t bits) {
  return __uint_as_float(bits);
}
__device__ inline uint16_t float_to_bf16_bits(float value) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(value));
}
/// fp8_bits of core/fp8.h, by the instruction of compute capability 8.9 and newer.
__device__ inline uint8_t float_to_fp8_bits(float value, Fp8Format format) {
  return __nv_cvt_float_to_fp8(value, __NV_SATFINITE,
                               format == Fp8Format::kE4M3 ? __NV_E4M3 : __NV_E5M2);
}
/// 2^x by the special function unit, within 2 units of the last place (PTX ISA, "ex2"); a result
/// below the normal numbers is 0.
__device__ inline float fast_exp2(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
#endif

__device__ inline float widen(float value) {
  return value;
}
__device__ inline float widen(BFloat16 value) {
  return bits_to_float(static_cast<uint32_t>(value.bits) << 16);
}
/// Rounded to nearest even for bf16.
template <typename E>
__device__ inline E narrow(float value) {
  if constexpr (sizeof(E) == sizeof(float)) {
    return value;
  } else {
    E rounded;
    rounded.bits = float_to_bf16_bits(value);
    return rounded;
  }
}

/// Elements that are loaded and stored at once: 16 bytes of bf16, 32 of f32.
inline constexpr int kElementPack = 8;

template <typename E, int kCount>
struct alignas(sizeof(E) * kCount) Pack {
  E at[kCount];
};

/// `from` is a multiple of kCount elements from an aligned address.
template <typename E, int kCount>
__device__ inline void load(const E* from, float (&to)[kCount]) {
  const Pack<E, kCount> pack = *reinterpret_cast<const Pack<E, kCount>*>(from);
#pragma unroll
  for (int i = 0; i < kCount; ++i) to[i] = widen(pack.at[i]);
}
template <typename E, int kCount>
__device__ inline void store(E* to, const float (&from)[kCount]) {
  Pack<E, kCount> pack;
#pragma unroll
  for (int i = 0; i < kCount; ++i) pack.at[i] = narrow<E>(from[i]);
  *reinterpret_cast<Pack<E, kCount>*>(to) = pack;
}

struct Sum {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};
struct Smaller {
  __device__ int operator()(int a, int b) const { return a < b ? a : b; }
};

/// Every lane receives the result. The order of the operations is fixed.
template <typename T, typename Operation>
__device__ inline T warp_reduce(T value, Operation operation) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value = operation(value, __shfl_xor_sync(kAllLanes, value, distance));
  }
  return value;
}

/// Every thread of a one-dimensional block of kThreads (whole warps) receives the result.
template <int kThreads, typename T, typename Operation>
__device__ inline T block_reduce(T value, Operation operation) {
  constexpr int kWarps = kThreads / kWarp;
  static_assert(kThreads % kWarp == 0 && kWarps <= kWarp);
  __shared__ T of_warp[kWarps];
  value = warp_reduce(value, operation);
  __syncthreads();  // an earlier reduction may still be read
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = value;
  __syncthreads();
  T result = of_warp[0];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) result = operation(result, of_warp[warp]);
  return result;
}

}  // namespace bertha::cuda
