#pragma once

// A tensor is a view {buffer, offset, dtype, shape} of dense, row-major elements. It owns no memory
// and is cheap to copy. Only backend/ and the device files of an op may use addresses
// (backend/cpu/cpu_view.h). An op receives each operand that it writes as Out or InOut, so that
// readers and recording devices see every write at the call.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "core/dtype.h"

namespace bertha {

class Device;

/// Up to four extents, outermost first.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents);

  int rank() const { return rank_; }
  std::span<const int64_t> extents() const {
    return std::span(extents_).first(static_cast<size_t>(rank_));
  }
  int64_t operator[](int dimension) const;
  /// Number of elements; 1 for rank 0.
  int64_t size() const;
  bool operator==(const Shape& other) const;
  /// "[3, 5]".
  std::string to_string() const;

 private:
  std::array<int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

/// Device memory, made by Device::allocate and freed with this object.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device* device, std::byte* base, int64_t size_bytes)
      : device_(device), base_(base), size_bytes_(size_bytes) {}
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  int64_t size_bytes() const { return size_bytes_; }
  Device* device() const { return device_; }
  /// Device address, for backend/ and the device files of ops only.
  std::byte* base() const { return base_; }

 private:
  Device* device_ = nullptr;
  std::byte* base_ = nullptr;
  int64_t size_bytes_ = 0;
};

/// Views in flat buffers and in arenas start at multiples of this number of bytes.
inline constexpr int64_t kAlignmentBytes = 128;
constexpr int64_t align_up(int64_t bytes, int64_t to = kAlignmentBytes) {
  return (bytes + to - 1) / to * to;
}

class Tensor {
 public:
  /// No tensor. Callers pass it for an absent operand, for example no bias or no residual.
  Tensor() = default;
  /// View of `buffer` from `offset_bytes`. Throws LogicError when the view does not fit. A null
  /// buffer makes a view without memory, which dry runs use.
  Tensor(const Buffer* buffer, int64_t offset_bytes, DType dtype, Shape shape);

  bool empty() const { return shape_.rank() == 0; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int dimension) const { return shape_[dimension]; }
  int64_t size() const { return empty() ? 0 : shape_.size(); }
  int64_t size_bytes() const { return size() * size_of(dtype_); }
  const Buffer* buffer() const { return buffer_; }
  int64_t offset_bytes() const { return offset_bytes_; }

  /// The same elements with another shape of equal size.
  Tensor reshape(Shape shape) const;
  /// Rows [begin, begin + count) of the first dimension.
  Tensor rows(int64_t begin, int64_t count) const;

 private:
  const Buffer* buffer_ = nullptr;
  int64_t offset_bytes_ = 0;
  DType dtype_ = DType::kF32;
  Shape shape_;
};

/// An operand that an op overwrites. Its previous contents do not matter.
class Out {
 public:
  Out() = default;
  explicit Out(const Tensor& tensor) : tensor_(tensor) {}
  const Tensor& tensor() const { return tensor_; }
  bool empty() const { return tensor_.empty(); }

 private:
  Tensor tensor_;
};

/// An operand that an op reads and changes in place, or adds to.
class InOut {
 public:
  InOut() = default;
  explicit InOut(const Tensor& tensor) : tensor_(tensor) {}
  const Tensor& tensor() const { return tensor_; }
  bool empty() const { return tensor_.empty(); }

 private:
  Tensor tensor_;
};

inline Out out(const Tensor& tensor) {
  return Out(tensor);
}
inline InOut inout(const Tensor& tensor) {
  return InOut(tensor);
}

}  // namespace bertha
