#include "backend/gaudi/gaudi_staging.h"

#include <algorithm>
#include <cstring>

#include "core/tensor.h"

namespace bertha::gaudi {
namespace {

/// Host addresses travel as integers.
uint64_t host_address(const std::byte* host) {
  return reinterpret_cast<uint64_t>(host);
}

}  // namespace

GaudiStaging::GaudiStaging(const SynapseLibrary& library, abi::DeviceId device, abi::Stream stream)
    : library_(library), device_(device), stream_(stream) {
  void* base = nullptr;
  BERTHA_SYNAPSE(library_, synHostMalloc, device_, 2 * kHalfBytes, 0, &base);
  base_ = static_cast<std::byte*>(base);
  for (abi::Event& event : done_) BERTHA_SYNAPSE(library_, synEventCreate, &event, device_, 0);
}

GaudiStaging::~GaudiStaging() {
  library_->synStreamSynchronize(stream_);
  for (const abi::Event event : done_) library_->synEventDestroy(event);
  library_->synHostFree(device_, base_, 0);
}

void GaudiStaging::turn() {
  const auto full = static_cast<size_t>(half_);
  BERTHA_SYNAPSE(library_, synEventRecord, done_[full], stream_);
  recorded_[full] = true;
  half_ ^= 1;
  used_ = 0;
  const auto next = static_cast<size_t>(half_);
  if (recorded_[next]) BERTHA_SYNAPSE(library_, synEventSynchronize, done_[next]);
}

void GaudiStaging::write(abi::Address to, std::span<const std::byte> host) {
  while (!host.empty()) {
    if (used_ == kHalfBytes) turn();
    const int64_t part = std::min<int64_t>(std::ssize(host), kHalfBytes - used_);
    std::byte* const pinned = half() + used_;
    const auto size = static_cast<size_t>(part);
    std::memcpy(pinned, host.data(), size);
    BERTHA_SYNAPSE(library_, synMemCopyAsync, stream_, host_address(pinned), size, to,
                   abi::kHostToDevice);
    used_ = std::min(align_up(used_ + part), kHalfBytes);
    to += size;
    host = host.subspan(size);
  }
}

void GaudiStaging::read(abi::Address from, std::span<std::byte> host) {
  // All copies are in the stream's order, so a half that is written next is free once this waited.
  while (!host.empty()) {
    turn();
    const size_t size = std::min<size_t>(host.size(), kHalfBytes);
    BERTHA_SYNAPSE(library_, synMemCopyAsync, stream_, from, size, host_address(half()),
                   abi::kDeviceToHost);
    BERTHA_SYNAPSE(library_, synStreamSynchronize, stream_);
    std::memcpy(host.data(), half(), size);
    from += size;
    host = host.subspan(size);
  }
}

}  // namespace bertha::gaudi
