#include "backend/cuda/launch_scope.h"

#include <exception>
#include <utility>

#include "backend/cuda/launch_timer.h"

namespace bertha::cuda {

void LaunchScope::begin(std::string name, Stream stream) const {
  timer_->begin(std::move(name), stream);
}

void LaunchScope::end() const noexcept {
  try {
    timer_->end();
  } catch (const std::exception&) {
    // The next checked call reports the broken GPU.
  }
}

}  // namespace bertha::cuda
