#include "core/context.h"

#include <algorithm>

#include "core/error.h"

namespace bertha {

Arena::Arena(Device& device, int64_t capacity_bytes)
    : buffer_(device.allocate(std::max(capacity_bytes, kAlignmentBytes))) {}

Tensor Arena::make(const Shape& shape, DType dtype) {
  const int64_t begin = used_bytes_;
  used_bytes_ += align_up(shape.size() * size_of(dtype));
  peak_bytes_ = std::max(peak_bytes_, used_bytes_);
  BERTHA_CHECK(dry() || used_bytes_ <= buffer_.size_bytes(), "arena of {} bytes needs {}",
               buffer_.size_bytes(), used_bytes_);
  const Tensor value(dry() ? nullptr : &buffer_, begin, dtype, shape);
  if (!dry()) buffer_.device()->value_made(value);
  return value;
}

void Arena::rewind(int64_t used_bytes) {
  BERTHA_CHECK(used_bytes >= 0 && used_bytes <= used_bytes_);
  used_bytes_ = used_bytes;
}

}  // namespace bertha
