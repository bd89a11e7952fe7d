#include "backend/cpu/weight_copies.h"

namespace bertha::cpu {

void WeightCopies::forget(const void* base, int64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const auto* begin = static_cast<const std::byte*>(base);
  std::erase_if(copies_, [&](const auto& entry) {
    const auto* at = static_cast<const std::byte*>(entry.first.address);
    return at >= begin && at < begin + size_bytes;
  });
}

}  // namespace bertha::cpu
