#pragma once

// The only place where CUDA addresses are taken from tensors; used by backend/cuda and ops/cuda.

#include "core/device.h"
#include "core/error.h"
#include "core/tensor.h"

namespace bertha::cuda {

/// Device address of the first byte; null for an absent operand.
inline std::byte* address(const Tensor& tensor) {
  if (tensor.empty()) return nullptr;
  BERTHA_CHECK(tensor.buffer() != nullptr, "tensor of a dry run");
  BERTHA_CHECK(tensor.buffer()->device()->memory() == Memory::kDevice,
               "CUDA was given a tensor in host memory");
  return tensor.buffer()->base() + tensor.offset_bytes();
}

namespace detail {
template <typename T>
T* elements(const Tensor& tensor) {
  BERTHA_CHECK(tensor.empty() || tensor.dtype() == DTypeOf<std::remove_const_t<T>>::kValue,
               "tensor is {}", name_of(tensor.dtype()));
  return reinterpret_cast<T*>(address(tensor));
}
}  // namespace detail

/// Elements of an operand that is read only; null for an absent one.
template <typename T>
const T* data(const Tensor& tensor) {
  return detail::elements<const T>(tensor);
}
/// Elements of an operand that is written; null for an absent one.
template <typename T>
T* data(const Out& operand) {
  return detail::elements<T>(operand.tensor());
}
template <typename T>
T* data(const InOut& operand) {
  return detail::elements<T>(operand.tensor());
}

}  // namespace bertha::cuda
