#pragma once

// Memory of a Gaudi device as tensors see it. A Buffer's base is the address of an Allocation on
// the host, which only backend/gaudi and ops/gaudi look into. Device memory is taken at the first
// use: an arena whose values a compiler keeps elsewhere takes none.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <vector>

#include "backend/gaudi/synapse_abi.h"
#include "core/device.h"
#include "core/error.h"
#include "core/tensor.h"

namespace bertha::gaudi {

/// Ranges of bytes that do not touch each other.
class ByteRanges {
 public:
  void insert(int64_t begin, int64_t end) {
    auto next = ranges_.upper_bound(begin);
    if (next != ranges_.begin() && std::prev(next)->second >= begin) --next;
    while (next != ranges_.end() && next->first <= end) {
      begin = std::min(begin, next->first);
      end = std::max(end, next->second);
      next = ranges_.erase(next);
    }
    ranges_.emplace(begin, end);
  }
  void erase(int64_t begin, int64_t end) {
    auto next = ranges_.upper_bound(begin);
    if (next != ranges_.begin()) --next;
    while (next != ranges_.end() && next->first < end) {
      const auto [first, last] = *next;
      if (last <= begin) {
        ++next;
        continue;
      }
      next = ranges_.erase(next);
      if (first < begin) ranges_.emplace(first, begin);
      if (last > end) ranges_.emplace(end, last);
    }
  }
  bool contains(int64_t begin, int64_t end) const {
    auto next = ranges_.upper_bound(begin);
    if (next == ranges_.begin()) return false;
    --next;
    return next->first <= begin && end <= next->second;
  }
  bool overlaps(int64_t begin, int64_t end) const {
    auto next = ranges_.lower_bound(end);
    if (next == ranges_.begin()) return false;
    --next;
    return next->second > begin;
  }

 private:
  std::map<int64_t, int64_t> ranges_;  ///< end by begin
};

struct Allocation {
  int64_t size_bytes = 0;
  abi::Address address = 0;  ///< 0: no device memory yet
  /// What the host wrote into tensors of integers: the program places tokens by it. Valid where
  /// `mirrored` says so, which is until the device writes there.
  std::vector<std::byte> mirror;
  ByteRanges mirrored;

  /// The host wrote these bytes there.
  void remember(const bertha::Tensor& tensor, const void* host) {
    mirror.resize(static_cast<size_t>(size_bytes));
    const int64_t begin = tensor.offset_bytes();
    std::memcpy(mirror.data() + begin, host, static_cast<size_t>(tensor.size_bytes()));
    mirrored.insert(begin, begin + tensor.size_bytes());
  }
};

/// The allocation of a tensor that is not one of a dry run.
inline Allocation& allocation_of(const bertha::Tensor& tensor) {
  BERTHA_CHECK(tensor.buffer() != nullptr, "tensor of a dry run");
  BERTHA_CHECK(tensor.buffer()->device()->kind() == DeviceKind::kGaudi,
               "Gaudi was given a tensor of another device");
  return *reinterpret_cast<Allocation*>(tensor.buffer()->base());
}

}  // namespace bertha::gaudi
