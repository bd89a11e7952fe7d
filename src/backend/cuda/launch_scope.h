#pragma once

// Times what is queued in a scope, where the device has a timer (launch_timer.h).

#include <string>

#include "backend/cuda/cuda_device.h"

namespace bertha::cuda {

class LaunchScope {
 public:
  /// `name` is asked for a time alone.
  template <typename Name>
  LaunchScope(const CudaDevice& device, const Name& name, Stream stream)
      : timer_(device.launch_timer()) {
    if (timer_ == nullptr) return;
    if constexpr (requires { name(); }) {
      begin(name(), stream);
    } else {
      begin(name, stream);
    }
  }
  ~LaunchScope() {
    if (timer_ != nullptr) end();
  }
  LaunchScope(const LaunchScope&) = delete;
  LaunchScope& operator=(const LaunchScope&) = delete;

 private:
  void begin(std::string name, Stream stream) const;
  void end() const noexcept;

  LaunchTimer* timer_;
};

}  // namespace bertha::cuda
