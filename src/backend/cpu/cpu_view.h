#pragma once

// The only place where CPU addresses are taken from tensors; used by backend/cpu, ops/cpu and
// tests. A tensor that is not in host memory has no CPU address: to ask for one is a defect.

#include <span>

#include "core/device.h"
#include "core/error.h"
#include "core/tensor.h"

namespace bertha::cpu {

/// Address of the first byte, whatever the dtype; null for an absent operand. Throws LogicError for
/// a tensor of a dry run and for one that is not in host memory.
inline void* address(const Tensor& tensor) {
  if (tensor.empty()) return nullptr;
  BERTHA_CHECK(tensor.buffer() != nullptr, "tensor of a dry run");
  BERTHA_CHECK(tensor.buffer()->device()->memory() == Memory::kHost,
               "the CPU was given a tensor of another device: {}",
               tensor.buffer()->device()->description());
  return tensor.buffer()->base() + tensor.offset_bytes();
}

namespace detail {
template <typename T>
T* elements(const Tensor& tensor) {
  BERTHA_CHECK(tensor.empty() || tensor.dtype() == DTypeOf<std::remove_const_t<T>>::kValue,
               "tensor is {}", name_of(tensor.dtype()));
  return static_cast<T*>(address(tensor));
}
}  // namespace detail

/// Elements of an operand that is only read; null for an absent one.
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

}  // namespace bertha::cpu
