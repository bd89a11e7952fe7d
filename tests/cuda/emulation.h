#pragma once

// The keywords of CUDA for the host, so that .cu files run thread by thread without a GPU. The
// threads of a block are fibers that switch at barriers; blocks run one after another. The
// emulation checks what a kernel computes, that every lane reaches every warp operation, and that
// barriers are met. An asynchronous copy happens only when its thread waits for it, so that a
// missing wait shows. It does not find races, wrong alignment or slow code.

#define BERTHA_CUDA_EMULATION 1

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "backend/cuda/cuda_device.h"
#include "core/fp8.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// Blocks run one at a time: what they share may be static.
#define __shared__ static

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}  // NOLINT
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace bertha::cuda::emulation {

/// Runs body for every thread of every block. Throws LogicError when a barrier cannot be met.
void run(const dim3& blocks, const dim3& threads, int64_t shared_bytes,
         const std::function<void()>& body);
std::byte* shared_memory();

/// Called by CudaDevice::drop_graphs(). The emulated device has no graphs of its own.
std::function<void()>& on_drop_graphs();

/// Waits for the block; the number of threads with `value` is returned.
int block_barrier(bool value);
/// Gives `value` (size bytes) to the warp and returns the 32 values; they stay until the next call.
constexpr size_t kLaneBytes = 64;
using WarpValues = std::byte[32][kLaneBytes];
const WarpValues& exchange(const void* value, size_t size);
int lane();

/// Copies `bytes` bytes and then zeros, `size` in all, when the thread waits for its group.
void copy_later(void* to, const void* from, size_t bytes, size_t size);
void end_group();
void wait_groups(size_t pending);

template <typename T>
T value_of(const WarpValues& values, int of_lane) {
  static_assert(sizeof(T) <= kLaneBytes);
  T value;
  __builtin_memcpy(&value, values[of_lane], sizeof(T));
  return value;
}

}  // namespace bertha::cuda::emulation

inline void __syncthreads() {
  bertha::cuda::emulation::block_barrier(false);
}
inline int __syncthreads_or(int value) {
  return bertha::cuda::emulation::block_barrier(value != 0) > 0 ? 1 : 0;
}
inline void __syncwarp() {
  const char nothing = 0;
  bertha::cuda::emulation::exchange(&nothing, 1);
}
template <typename T>
T __shfl_sync(unsigned, T value, int from) {
  return bertha::cuda::emulation::value_of<T>(bertha::cuda::emulation::exchange(&value, sizeof(T)),
                                              from % 32);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int with) {
  return __shfl_sync(mask, value, bertha::cuda::emulation::lane() ^ with);
}
inline unsigned __ballot_sync(unsigned, int value) {
  const auto& values = bertha::cuda::emulation::exchange(&value, sizeof(value));
  unsigned bits = 0;
  for (int i = 0; i < 32; ++i) {
    if (bertha::cuda::emulation::value_of<int>(values, i) != 0) bits |= 1U << i;
  }
  return bits;
}
inline int __popc(unsigned bits) {
  return __builtin_popcount(bits);
}
inline int __ffs(unsigned bits) {
  return __builtin_ffs(static_cast<int>(bits));
}
using std::min;
inline float __expf(float x) {
  return std::exp(x);
}
/// The normal distribution function, exact in its tail.
float normcdff(float x);

namespace bertha::cuda {

template <typename T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(emulation::shared_memory());
}
float bits_to_float(uint32_t bits);
inline uint8_t float_to_fp8_bits(float value, Fp8Format format) {
  return fp8_bits(value, format);
}
inline float fast_exp2(float x) {
  return std::exp2(x);
}
inline void copy_async_16(void* to, const void* from, int bytes = 16) {
  emulation::copy_later(to, from, static_cast<size_t>(bytes), 16);
}
inline void copy_async_4(void* to, const void* from, int bytes = 4) {
  emulation::copy_later(to, from, static_cast<size_t>(bytes), 4);
}
inline void end_copy_group() {
  emulation::end_group();
}
template <int kPending>
void wait_copies() {
  emulation::wait_groups(kPending);
}
uint16_t float_to_bf16_bits(float value);

void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
void load_matrices(uint32_t (&to)[4], const void* row);
void load_matrices_transposed(uint32_t (&to)[4], const void* row);

}  // namespace bertha::cuda
