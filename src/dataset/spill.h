#pragma once

// A file without a name that takes what does not fit in memory; it goes with the object, or with
// the process however that ends.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace bertha::dataset {

class Spill {
 public:
  /// In `folder`, which must exist. Throws Error when it takes no file.
  explicit Spill(std::string folder);
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;
  ~Spill();

  /// Appends `bytes` in one piece. Several threads may call it; the order is theirs. Throws Error
  /// when the disk is full.
  void append(std::span<const std::byte> bytes);
  std::vector<std::byte> read_all() const;

 private:
  std::string folder_;
  int descriptor_ = -1;
  int64_t size_bytes_ = 0;
  std::mutex mutex_;
};

}  // namespace bertha::dataset
