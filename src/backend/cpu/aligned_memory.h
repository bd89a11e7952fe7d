#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "core/tensor.h"

namespace bertha::cpu {

/// A block of memory that begins where tensors may begin. Its contents are not initialised.
class AlignedMemory {
 public:
  AlignedMemory() = default;
  explicit AlignedMemory(int64_t size_bytes)
      : at_(static_cast<std::byte*>(::operator new(static_cast<size_t>(size_bytes), kAlignment))),
        size_bytes_(size_bytes) {}

  std::byte* at() const { return at_.get(); }
  int64_t size_bytes() const { return at_ ? size_bytes_ : 0; }

 private:
  static constexpr std::align_val_t kAlignment{static_cast<size_t>(kAlignmentBytes)};
  struct Free {
    void operator()(std::byte* at) const { ::operator delete(at, kAlignment); }
  };
  std::unique_ptr<std::byte, Free> at_;
  int64_t size_bytes_ = 0;
};

}  // namespace bertha::cpu
