#pragma once

// A profile by kernel without a profiler: an event before and an event after each launch.

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/handles.h"
#include "backend/cuda/kernel_times.h"

namespace bertha::cuda {

/// BERTHA_CUDA_PROFILE names the file; without it there is no timer. A time begins when the GPU
/// reaches the first event, so it holds the wait for a launch that the host had not queued by then:
/// it is right while the host is ahead, and too long for small kernels when it is not. Each time
/// has an event's own time in it, about a microsecond.
class LaunchTimer {
 public:
  /// Null unless the environment asks for it. Throws Error when the file cannot be written.
  static std::unique_ptr<LaunchTimer> wanted();

  explicit LaunchTimer(const std::string& path);
  LaunchTimer(const LaunchTimer&) = delete;
  LaunchTimer& operator=(const LaunchTimer&) = delete;
  /// Writes the table, with the times that collect() has seen.
  ~LaunchTimer();

  void begin(std::string name, cudaStream_t stream);
  /// Of the launch that began last, on its stream.
  void end();
  /// Waits for the launches so far, and takes their times.
  void collect();

 private:
  struct Launch {
    std::string name;
    cudaStream_t stream = nullptr;
    OwnedEvent before, after;
  };
  OwnedEvent event();

  std::ofstream file_;
  KernelTimes times_;
  std::vector<Launch> pending_;
  std::vector<OwnedEvent> spare_;
};

}  // namespace bertha::cuda
