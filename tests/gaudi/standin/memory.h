#pragma once

// The memory of the stand-in's device and the host memory that it may reach. Addresses of the
// device are no addresses of the process: a program that dereferences one crashes, as it must.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "gaudi/standin/access_order.h"

namespace bertha::standin {

constexpr uint64_t kDeviceMemoryBase = 0x1001'0000'0000'0000;
constexpr uint64_t kAlignmentBytes = 128;
/// All bits set: a NaN in f32 and in bf16.
constexpr int kPoison = 0xFF;

class DeviceMemory {
 public:
  explicit DeviceMemory(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// Poisoned memory at a multiple of 128. An address is never used twice, so that a use of freed
  /// memory is found. Throws Refusal at the limit.
  uint64_t allocate(uint64_t size_bytes);
  /// Returns what was freed.
  Range free(uint64_t address);
  Range range_of(uint64_t address) const;

  /// Where [address, address + size) lies in the process. Throws Refusal unless one allocation
  /// holds it.
  std::byte* at(uint64_t address, uint64_t size_bytes) const;
  uint64_t free_bytes() const { return limit_bytes_ - used_bytes_; }
  uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  struct Block {
    uint64_t size_bytes;
    std::unique_ptr<std::byte[]> bytes;
  };
  std::map<uint64_t, Block> blocks_;
  uint64_t limit_bytes_;
  uint64_t used_bytes_ = 0;
  uint64_t next_ = kDeviceMemoryBase;
};

/// Host memory that the device may reach: from synHostMalloc, or of the program and mapped.
class PinnedHostMemory {
 public:
  void* allocate(uint64_t size_bytes);
  Range free(const void* memory);
  void map(const void* memory, uint64_t size_bytes);
  Range unmap(const void* memory);
  /// The range of an allocation or a mapping that begins here.
  Range range_of(const void* memory) const;
  /// Throws Refusal unless one allocation or mapping holds the range.
  void check(const Range& range) const;

 private:
  struct Block {
    uint64_t size_bytes;
    std::vector<std::byte> bytes;  ///< empty for a mapping
  };
  Range erase(const void* memory, bool mapping);

  std::map<uint64_t, Block> blocks_;
};

}  // namespace bertha::standin
