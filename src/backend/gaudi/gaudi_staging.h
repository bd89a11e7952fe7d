#pragma once

// Pinned memory of the host through which copies to and from the device go. A copy to the device is
// queued, so the caller may reuse its own memory at once. Its two halves alternate; a half is
// written again when the copies from it are done.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/gaudi/synapse_library.h"

namespace bertha::gaudi {

class GaudiStaging {
 public:
  GaudiStaging(const SynapseLibrary& library, abi::DeviceId device, abi::Stream stream);
  ~GaudiStaging();
  GaudiStaging(const GaudiStaging&) = delete;
  GaudiStaging& operator=(const GaudiStaging&) = delete;

  /// Queues the copy of these bytes to device memory.
  void write(abi::Address to, std::span<const std::byte> host);
  /// Copies from device memory; waits for all queued work first.
  void read(abi::Address from, std::span<std::byte> host);

 private:
  static constexpr int64_t kHalfBytes = int64_t{8} << 20;
  void turn();
  std::byte* half() const { return base_ + half_ * kHalfBytes; }

  const SynapseLibrary& library_;
  abi::DeviceId device_;
  abi::Stream stream_;
  std::byte* base_ = nullptr;
  std::array<abi::Event, 2> done_{};
  std::array<bool, 2> recorded_{};
  int half_ = 0;
  int64_t used_ = 0;  ///< of the half
};

}  // namespace bertha::gaudi
