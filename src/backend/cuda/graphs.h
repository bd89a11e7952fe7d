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

/// Calls the body of a segment the first time, captures it as a graph the second time, and replays
/// the graph from then on. At most kMost graphs are kept; further segments run without a graph.
/// BERTHA_CUDA_GRAPHS=0 in the environment turns graphs off, and so does `wanted` false.
class Graphs {
 public:
  Graphs(cudaStream_t stream, bool wanted);

  void run(const Segment& segment, BodyRef body);
  /// Drops all graphs. Call it when memory that graphs may use was freed.
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
