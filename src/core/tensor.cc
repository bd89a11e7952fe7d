#include "core/tensor.h"

#include <utility>

#include "core/device.h"
#include "core/error.h"

namespace bertha {

Shape::Shape(std::initializer_list<int64_t> extents) {
  BERTHA_CHECK(extents.size() <= kMaxRank, "rank {}", extents.size());
  for (const int64_t extent : extents) {
    BERTHA_CHECK(extent >= 0, "extent {}", extent);
    extents_[static_cast<size_t>(rank_++)] = extent;
  }
}

int64_t Shape::operator[](int dimension) const {
  BERTHA_CHECK(dimension >= 0 && dimension < rank_, "dimension {} of {}", dimension, to_string());
  return extents_[static_cast<size_t>(dimension)];
}

int64_t Shape::size() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= extents_[static_cast<size_t>(i)];
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ && extents_ == other.extents_;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(extents_[static_cast<size_t>(i)]);
  }
  return text + "]";
}

Buffer::Buffer(Buffer&& other) noexcept {
  *this = std::move(other);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(base_, other.base_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (device_ != nullptr) device_->free(base_, size_bytes_);
}

Tensor::Tensor(const Buffer* buffer, int64_t offset_bytes, DType dtype, Shape shape)
    : buffer_(buffer), offset_bytes_(offset_bytes), dtype_(dtype), shape_(shape) {
  BERTHA_CHECK(offset_bytes >= 0);
  BERTHA_CHECK(buffer == nullptr || offset_bytes + size_bytes() <= buffer->size_bytes(),
               "view {} at byte {} of a buffer of {} bytes", shape.to_string(), offset_bytes,
               buffer->size_bytes());
}

Tensor Tensor::reshape(Shape shape) const {
  BERTHA_CHECK(shape.size() == shape_.size(), "{} as {}", shape_.to_string(), shape.to_string());
  return Tensor(buffer_, offset_bytes_, dtype_, shape);
}

Tensor Tensor::rows(int64_t begin, int64_t count) const {
  BERTHA_CHECK(begin >= 0 && count >= 0 && begin + count <= dim(0), "rows {}+{} of {}", begin,
               count, shape_.to_string());
  Shape shape;
  switch (shape_.rank()) {
    case 1:
      shape = {count};
      break;
    case 2:
      shape = {count, dim(1)};
      break;
    case 3:
      shape = {count, dim(1), dim(2)};
      break;
    default:
      shape = {count, dim(1), dim(2), dim(3)};
  }
  const int64_t row_bytes = dim(0) == 0 ? 0 : size_bytes() / dim(0);
  return Tensor(buffer_, offset_bytes_ + begin * row_bytes, dtype_, shape);
}

}  // namespace bertha
