#include "backend/cpu/weight_copies.h"

namespace bertha::cpu {

const std::byte* WeightCopies::get(const Key& key, int64_t size_bytes, uint64_t version,
                                   const std::function<void(std::byte*)>& fill) {
  const std::lock_guard lock(mutex_);
  Copy& copy = copies_[key];
  const bool has_room = copy.memory.size_bytes() == size_bytes;
  if (has_room && copy.version == version) return copy.memory.at();
  if (!has_room) copy.memory = AlignedMemory(size_bytes);
  fill(copy.memory.at());
  copy.version = version;
  return copy.memory.at();
}

void WeightCopies::forget(const void* base, int64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const auto* begin = static_cast<const std::byte*>(base);
  std::erase_if(copies_, [&](const auto& entry) {
    const auto* at = static_cast<const std::byte*>(entry.first.address);
    return at >= begin && at < begin + size_bytes;
  });
}

}  // namespace bertha::cpu
