#pragma once

// libcudnn.so.9, loaded at run time, and its descriptors. No header and no library of cuDNN is
// needed to build this program.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "backend/cuda/cudnn_abi.h"

namespace bertha::cuda {

class CudnnLibrary {
 public:
  /// Loads the library at `path` (a name without a slash is searched for as the dynamic linker
  /// does) and checks its functions and its version. Throws Error that says what is missing.
  explicit CudnnLibrary(const std::string& path);
  CudnnLibrary(const CudnnLibrary&) = delete;
  CudnnLibrary& operator=(const CudnnLibrary&) = delete;

  const cudnn_abi::Functions& call() const { return functions_; }
  const cudnn_abi::Functions* operator->() const { return &functions_; }
  /// 9.15.0 is "9.15.0".
  std::string version() const;
  /// Throws Error with the function and the library's words unless the status is success.
  void check(cudnn_abi::Status status, std::string_view function) const;

 private:
  void find_functions();

  struct Closer {
    void operator()(void* handle) const;
  };
  std::string path_;
  std::unique_ptr<void, Closer> handle_;
  cudnn_abi::Functions functions_;
};

/// A descriptor of the library: attributes are set, then it is final. The library must outlive it.
class CudnnDescriptor {
 public:
  CudnnDescriptor(const CudnnLibrary& library, cudnn_abi::DescriptorType type);

  cudnn_abi::Descriptor get() const { return handle_.get(); }
  void set(cudnn_abi::Attribute attribute, std::span<const int64_t> values);
  void set(cudnn_abi::Attribute attribute, int64_t value) { set(attribute, {&value, 1}); }
  void set(cudnn_abi::Attribute attribute, const CudnnDescriptor& value);
  /// Any other type.
  template <typename Value>
  void set(cudnn_abi::Attribute attribute, cudnn_abi::ValueType type,
           std::span<const Value> values) {
    set_values(attribute, type, std::ssize(values), values.data());
  }
  void finalize();
  int64_t integer(cudnn_abi::Attribute attribute) const;

 private:
  void set_values(cudnn_abi::Attribute attribute, cudnn_abi::ValueType type, int64_t count,
                  const void* values);

  struct Destroyer {
    const CudnnLibrary* library;
    void operator()(void* descriptor) const;
  };
  const CudnnLibrary* library_;
  std::unique_ptr<void, Destroyer> handle_;
};

}  // namespace bertha::cuda
