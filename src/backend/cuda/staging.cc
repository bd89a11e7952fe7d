#include "backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "core/tensor.h"

namespace bertha::cuda {

Staging::Staging(cudaStream_t stream) : stream_(stream) {
  for (OwnedEvent& event : done_) {
    event = make<OwnedEvent>("cudaEventCreate", cudaEventCreateWithFlags,
                             unsigned{cudaEventDisableTiming});
  }
  void* base = nullptr;
  BERTHA_CUDA(cudaHostAlloc(&base, 2 * kHalfBytes, cudaHostAllocDefault));
  base_ = static_cast<std::byte*>(base);
}

Staging::~Staging() {
  cudaFreeHost(base_);
}

void Staging::turn() {
  BERTHA_CUDA(cudaEventRecord(done_[static_cast<size_t>(half_)].get(), stream_));
  half_ ^= 1;
  used_ = 0;
  // An event that was never recorded counts as complete.
  BERTHA_CUDA(cudaEventSynchronize(done_[static_cast<size_t>(half_)].get()));
}

void Staging::copy(std::byte* to, const std::byte* host, int64_t size) {
  while (size > 0) {
    if (used_ == kHalfBytes) turn();
    const int64_t part = std::min(size, kHalfBytes - used_);
    std::byte* const pinned = base_ + half_ * kHalfBytes + used_;
    std::memcpy(pinned, host, static_cast<size_t>(part));
    BERTHA_CUDA(
        cudaMemcpyAsync(to, pinned, static_cast<size_t>(part), cudaMemcpyHostToDevice, stream_));
    used_ = std::min(align_up(used_ + part), kHalfBytes);
    to += part;
    host += part;
    size -= part;
  }
}

}  // namespace bertha::cuda
