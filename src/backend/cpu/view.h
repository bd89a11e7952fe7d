#pragma once

// The one place where CPU addresses come out of tensors. For backend/cpu and the *_cpu.cc files of
// ops (and for tests).

#include <span>

#include "core/error.h"
#include "core/tensor.h"

namespace bertha::cpu {

namespace detail {
template <typename T>
T* address(const Tensor& tensor) {
  if (tensor.empty()) return nullptr;
  BERTHA_CHECK(tensor.dtype() == DTypeOf<std::remove_const_t<T>>::kValue, "tensor is {}",
               name_of(tensor.dtype()));
  BERTHA_CHECK(tensor.buffer() != nullptr, "tensor of a dry run");
  return reinterpret_cast<T*>(tensor.buffer()->base() + tensor.offset_bytes());
}
}  // namespace detail

/// Elements of an operand that is only read; null for an absent one.
template <typename T>
const T* data(const Tensor& tensor) {
  return detail::address<const T>(tensor);
}
/// Elements of an operand that is written; null for an absent one.
template <typename T>
T* data(const Out& operand) {
  return detail::address<T>(operand.tensor());
}
template <typename T>
T* data(const InOut& operand) {
  return detail::address<T>(operand.tensor());
}
/// Address of the first byte, whatever the dtype.
inline void* address(const Tensor& tensor) {
  return tensor.empty() ? nullptr : tensor.buffer()->base() + tensor.offset_bytes();
}

}  // namespace bertha::cpu
