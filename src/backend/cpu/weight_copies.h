#pragma once

// Copies of weights in the layouts that products read fastest. A copy is made when it is first
// needed, made again when the parameters have changed, and dropped with the weight's buffer.

#include <cstdint>
#include <map>
#include <mutex>

#include "backend/cpu/aligned_memory.h"

namespace bertha::cpu {

/// How a copy lies in memory. What a layout means is up to who fills it.
enum class WeightLayout : uint8_t { kForward, kBackwardData };

class WeightCopies {
 public:
  struct Key {
    const void* address;  ///< of the weight
    WeightLayout layout;
    int64_t rows;
    int64_t columns;

    auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr): none is here
  };

  /// The copy of `key` for the parameters of `version`, `size_bytes` long. Where there is none,
  /// fill(memory) makes it first. Callers on several threads take turns.
  template <typename Fill>
  const std::byte* get(const Key& key, int64_t size_bytes, uint64_t version, const Fill& fill) {
    const std::lock_guard lock(mutex_);
    Copy& copy = copies_[key];
    const bool has_room = copy.memory.size_bytes() == size_bytes;
    if (has_room && copy.version == version) return copy.memory.at();
    if (!has_room) copy.memory = AlignedMemory(size_bytes);
    fill(copy.memory.at());
    copy.version = version;
    return copy.memory.at();
  }

  /// Drops the copies of weights that lie in [base, base + size_bytes).
  void forget(const void* base, int64_t size_bytes);

 private:
  struct Copy {
    AlignedMemory memory;
    uint64_t version = 0;
  };
  std::mutex mutex_;
  std::map<Key, Copy> copies_;
};

}  // namespace bertha::cpu
