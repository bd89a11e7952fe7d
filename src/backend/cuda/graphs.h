#pragma once

// Segments as CUDA graphs.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "backend/cuda/handles.h"
#include "core/device.h"

namespace bertha::cuda {

/// Runs a segment as it is the first time, captures it the second, replays it from then on. At most
/// kMost graphs are kept; segments past that run as they are. BERTHA_CUDA_GRAPHS=0 in the
/// environment captures nothing.
class Graphs {
 public:
  explicit Graphs(cudaStream_t stream);

  void run(const Segment& segment, BodyRef body);
  /// Memory that graphs name was freed: none may run again.
  void forget();
  int64_t count() const;

 private:
  static constexpr int64_t kMost = 512;
  using Key = std::tuple<std::string, int64_t, int64_t, int64_t, DType>;
  struct Entry {
    bool ran = false;
    OwnedGraphExec graph;
  };

  OwnedGraphExec capture(BodyRef body) const;

  cudaStream_t stream_;
  bool enabled_;
  std::map<Key, Entry> entries_;
};

}  // namespace bertha::cuda
