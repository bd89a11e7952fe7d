#include "gaudi/standin/memory.h"

#include <cstring>

#include "gaudi/standin/refusal.h"
#include "gaudi/standin/settings.h"

namespace bertha::standin {
namespace {

constexpr uint64_t kGapBytes =
    4096;  // between allocations, so that one past the end belongs to none

uint64_t address_of(const void* memory) {
  return reinterpret_cast<uint64_t>(memory);
}

}  // namespace

uint64_t DeviceMemory::allocate(uint64_t size_bytes) {
  require(size_bytes > 0, kInvalidArgument, rule::kArgument, "the size is 0");
  require(!fault_is_due("memory"), kOutOfDeviceMemory, rule::kFault,
          "this allocation of {} bytes fails", size_bytes);
  require(size_bytes <= free_bytes(), kOutOfDeviceMemory, rule::kMemoryLimit,
          "{} bytes are wanted and {} of {} are free", size_bytes, free_bytes(), limit_bytes_);
  Block block{.size_bytes = size_bytes,
              .bytes = std::make_unique_for_overwrite<std::byte[]>(size_bytes)};
  std::memset(block.bytes.get(), kPoison, size_bytes);
  const uint64_t address = next_;
  next_ += (size_bytes + kGapBytes + kAlignmentBytes) / kAlignmentBytes * kAlignmentBytes;
  blocks_.emplace(address, std::move(block));
  used_bytes_ += size_bytes;
  return address;
}

Range DeviceMemory::range_of(uint64_t address) const {
  const auto block = blocks_.find(address);
  require(block != blocks_.end(), kInvalidArgument, rule::kMemoryRange,
          "no allocation begins at {:#x}", address);
  return {address, block->second.size_bytes};
}

Range DeviceMemory::free(uint64_t address) {
  const Range range = range_of(address);
  blocks_.erase(address);
  used_bytes_ -= range.bytes;
  return range;
}

std::byte* DeviceMemory::at(uint64_t address, uint64_t size_bytes) const {
  auto block = blocks_.upper_bound(address);
  if (block != blocks_.begin()) {
    --block;
    const uint64_t offset = address - block->first;
    if (offset <= block->second.size_bytes && size_bytes <= block->second.size_bytes - offset) {
      return block->second.bytes.get() + offset;
    }
  }
  refuse(kInvalidArgument, rule::kMemoryRange,
         "no allocation of the device holds the {} bytes at {:#x}", size_bytes, address);
}

void* PinnedHostMemory::allocate(uint64_t size_bytes) {
  require(size_bytes > 0, kInvalidArgument, rule::kArgument, "the size is 0");
  Block block{.size_bytes = size_bytes,
              .bytes = std::vector<std::byte>(size_bytes, std::byte{kPoison})};
  void* const memory = block.bytes.data();
  blocks_.emplace(address_of(memory), std::move(block));
  return memory;
}

void PinnedHostMemory::map(const void* memory, uint64_t size_bytes) {
  require(memory != nullptr && size_bytes > 0, kInvalidArgument, rule::kArgument,
          "there is nothing to map");
  const Range wanted{address_of(memory), size_bytes};
  for (const auto& [address, block] : blocks_) {
    require(!wanted.overlaps({address, block.size_bytes}), kInvalidArgument,
            rule::kPinnedHostMemory, "a part of [{:#x}, {:#x}) is pinned already", wanted.begin,
            wanted.end());
  }
  blocks_.emplace(wanted.begin, Block{.size_bytes = size_bytes, .bytes = {}});
}

Range PinnedHostMemory::range_of(const void* memory) const {
  const auto block = blocks_.find(address_of(memory));
  require(block != blocks_.end(), kInvalidArgument, rule::kPinnedHostMemory,
          "no pinned memory begins at {:#x}", address_of(memory));
  return {block->first, block->second.size_bytes};
}

Range PinnedHostMemory::erase(const void* memory, bool mapping) {
  const Range range = range_of(memory);
  require(blocks_.at(range.begin).bytes.empty() == mapping, kInvalidArgument,
          rule::kPinnedHostMemory, "the memory at {:#x} was {}", range.begin,
          mapping ? "allocated: free it with synHostFree" : "mapped: end that with synHostUnmap");
  blocks_.erase(range.begin);
  return range;
}

Range PinnedHostMemory::free(const void* memory) {
  return erase(memory, false);
}

Range PinnedHostMemory::unmap(const void* memory) {
  return erase(memory, true);
}

void PinnedHostMemory::check(const Range& range) const {
  auto block = blocks_.upper_bound(range.begin);
  if (block != blocks_.begin()) {
    --block;
    if (range.end() <= block->first + block->second.size_bytes) return;
  }
  refuse(kInvalidArgument, rule::kPinnedHostMemory,
         "the device cannot reach the host memory [{:#x}, {:#x}): allocate it with synHostMalloc "
         "or map it",
         range.begin, range.end());
}

}  // namespace bertha::standin
