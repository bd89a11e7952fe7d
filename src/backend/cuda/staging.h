#pragma once

// Pinned memory for host writes to the GPU. A copy from it is queued, so the caller may reuse its
// own memory at once. Its two halves alternate; a half is written again when the copies from it are
// done.

#include <array>
#include <cstddef>
#include <cstdint>

#include "backend/cuda/handles.h"

namespace bertha::cuda {

class Staging {
 public:
  explicit Staging(cudaStream_t stream);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// Queues the copy of `size` bytes to device memory.
  void copy(std::byte* to, const std::byte* host, int64_t size);

 private:
  static constexpr int64_t kHalfBytes = int64_t{8} << 20;
  void turn();

  cudaStream_t stream_;
  std::byte* base_ = nullptr;
  std::array<OwnedEvent, 2> done_;
  int half_ = 0;
  int64_t used_ = 0;  ///< of the half
};

}  // namespace bertha::cuda
