#include "backend/cuda/launch_timer.h"

#include <cstdlib>
#include <utility>

namespace bertha::cuda {
namespace {

/// Launches whose events are held at once.
constexpr size_t kMostPending = 4096;

}  // namespace

std::unique_ptr<LaunchTimer> LaunchTimer::wanted() {
  const char* const path = std::getenv("BERTHA_CUDA_PROFILE");
  if (path == nullptr || *path == '\0') return nullptr;
  return std::make_unique<LaunchTimer>(path);
}

LaunchTimer::LaunchTimer(const std::string& path) : file_(path) {
  if (!file_) fail("BERTHA_CUDA_PROFILE: {}: cannot be written", path);
}

LaunchTimer::~LaunchTimer() {
  file_ << times_.table();
}

OwnedEvent LaunchTimer::event() {
  if (spare_.empty()) return make<OwnedEvent>("cudaEventCreate", cudaEventCreateWithFlags, 0U);
  OwnedEvent event = std::move(spare_.back());
  spare_.pop_back();
  return event;
}

void LaunchTimer::begin(std::string name, cudaStream_t stream) {
  if (pending_.size() >= kMostPending) collect();
  pending_.push_back(
      {.name = std::move(name), .stream = stream, .before = event(), .after = event()});
  BERTHA_CUDA(cudaEventRecord(pending_.back().before.get(), stream));
}

void LaunchTimer::end() {
  const Launch& launch = pending_.back();
  BERTHA_CUDA(cudaEventRecord(launch.after.get(), launch.stream));
}

void LaunchTimer::collect() {
  for (Launch& launch : pending_) {
    BERTHA_CUDA(cudaEventSynchronize(launch.after.get()));
    float milliseconds = 0;
    BERTHA_CUDA(cudaEventElapsedTime(&milliseconds, launch.before.get(), launch.after.get()));
    times_.add(launch.name, 1e3 * static_cast<double>(milliseconds));
    spare_.push_back(std::move(launch.before));
    spare_.push_back(std::move(launch.after));
  }
  pending_.clear();
}

}  // namespace bertha::cuda
