#include "backend/cuda/cudnn_library.h"

#include <dlfcn.h>

#include <vector>

#include "core/error.h"
#include "core/strings.h"

namespace bertha::cuda {

void CudnnLibrary::Closer::operator()(void* handle) const {
  dlclose(handle);
}

CudnnLibrary::CudnnLibrary(const std::string& path)
    : path_(path), handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (!handle_) fail("{}", dlerror());
  find_functions();
  if (functions_.cudnnGetVersion() < cudnn_abi::kLeastVersion) {
    fail("{}: cuDNN {} is too old; 9.15 or newer is needed", path_, version());
  }
}

void CudnnLibrary::find_functions() {
  std::vector<std::string> missing;
  const auto find = [&]<typename Function>(Function& function, const char* name) {
    void* const symbol = dlsym(handle_.get(), name);
    if (symbol == nullptr) missing.emplace_back(name);
    function = reinterpret_cast<Function>(symbol);
  };
  find(functions_.cudnnGetVersion, "cudnnGetVersion");
  find(functions_.cudnnGetErrorString, "cudnnGetErrorString");
  find(functions_.cudnnCreate, "cudnnCreate");
  find(functions_.cudnnDestroy, "cudnnDestroy");
  find(functions_.cudnnSetStream, "cudnnSetStream");
  find(functions_.cudnnBackendCreateDescriptor, "cudnnBackendCreateDescriptor");
  find(functions_.cudnnBackendDestroyDescriptor, "cudnnBackendDestroyDescriptor");
  find(functions_.cudnnBackendSetAttribute, "cudnnBackendSetAttribute");
  find(functions_.cudnnBackendGetAttribute, "cudnnBackendGetAttribute");
  find(functions_.cudnnBackendFinalize, "cudnnBackendFinalize");
  find(functions_.cudnnBackendExecute, "cudnnBackendExecute");
  if (!missing.empty()) fail("{}: has no {}", path_, join(missing, ", "));
}

std::string CudnnLibrary::version() const {
  const size_t version = functions_.cudnnGetVersion();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

void CudnnLibrary::check(cudnn_abi::Status status, std::string_view function) const {
  if (status == cudnn_abi::kSuccess) return;
  fail("cuDNN {}: {}: {} (status {})", version(), function, functions_.cudnnGetErrorString(status),
       status);
}

void CudnnDescriptor::Destroyer::operator()(void* descriptor) const {
  library->call().cudnnBackendDestroyDescriptor(descriptor);
}

CudnnDescriptor::CudnnDescriptor(const CudnnLibrary& library, cudnn_abi::DescriptorType type)
    : library_(&library), handle_(nullptr, Destroyer{&library}) {
  cudnn_abi::Descriptor made = nullptr;
  library.check(library->cudnnBackendCreateDescriptor(type, &made), "cudnnBackendCreateDescriptor");
  handle_.reset(made);
}

void CudnnDescriptor::set_values(cudnn_abi::Attribute attribute, cudnn_abi::ValueType type,
                                 int64_t count, const void* values) {
  const cudnn_abi::Status status =
      (*library_)->cudnnBackendSetAttribute(get(), attribute, type, count, values);
  if (status == cudnn_abi::kSuccess) return;
  library_->check(status, fmt::format("cudnnBackendSetAttribute of {}", int{attribute}));
}

void CudnnDescriptor::set(cudnn_abi::Attribute attribute, std::span<const int64_t> values) {
  set(attribute, cudnn_abi::kInt64Value, values);
}

void CudnnDescriptor::set(cudnn_abi::Attribute attribute, const CudnnDescriptor& value) {
  const cudnn_abi::Descriptor handle = value.get();
  set_values(attribute, cudnn_abi::kDescriptorValue, 1, &handle);
}

void CudnnDescriptor::finalize() {
  library_->check((*library_)->cudnnBackendFinalize(get()), "cudnnBackendFinalize");
}

int64_t CudnnDescriptor::integer(cudnn_abi::Attribute attribute) const {
  int64_t count = 0;
  int64_t value = 0;
  library_->check((*library_)->cudnnBackendGetAttribute(get(), attribute, cudnn_abi::kInt64Value, 1,
                                                        &count, &value),
                  "cudnnBackendGetAttribute");
  return value;
}

}  // namespace bertha::cuda
