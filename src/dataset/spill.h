#pragma once

// An unnamed temporary file for data that does not fit in memory. It disappears with the object, or
// with the process in every case.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace bertha::dataset {

class Spill {
 public:
  /// Creates the file in `folder`, which must exist. Throws Error when that fails.
  explicit Spill(std::string folder);
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;
  ~Spill();

  /// Appends `bytes` in one piece. Several threads may call it, in any order. Throws Error when the
  /// disk is full.
  void append(std::span<const std::byte> bytes);
  std::vector<std::byte> read_all() const;

 private:
  std::string folder_;
  int descriptor_ = -1;
  int64_t size_bytes_ = 0;
  std::mutex mutex_;
};

}  // namespace bertha::dataset
