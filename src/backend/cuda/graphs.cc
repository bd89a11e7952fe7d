#include "backend/cuda/graphs.h"

#include <cstdlib>
#include <string_view>

namespace bertha::cuda {
namespace {

bool graphs_wanted() {
  const char* const value = std::getenv("BERTHA_CUDA_GRAPHS");
  return value == nullptr || std::string_view(value) != "0";
}

/// Ends a capture that an exception interrupted, so that the stream can be used again.
class CaptureGuard {
 public:
  explicit CaptureGuard(cudaStream_t stream) : stream_(stream) {}
  ~CaptureGuard() {
    cudaGraph_t broken = nullptr;
    if (!ended_ && cudaStreamEndCapture(stream_, &broken) == cudaSuccess && broken != nullptr) {
      cudaGraphDestroy(broken);
    }
  }
  CaptureGuard(const CaptureGuard&) = delete;
  CaptureGuard& operator=(const CaptureGuard&) = delete;

  OwnedGraph end() {
    ended_ = true;
    cudaGraph_t graph = nullptr;
    BERTHA_CUDA(cudaStreamEndCapture(stream_, &graph));
    return OwnedGraph(graph);
  }

 private:
  cudaStream_t stream_;
  bool ended_ = false;
};

}  // namespace

Graphs::Graphs(cudaStream_t stream, bool wanted)
    : stream_(stream), enabled_(wanted && graphs_wanted()) {}

int64_t Graphs::count() const {
  int64_t graphs = 0;
  for (const auto& [key, entry] : entries_) graphs += entry.graph ? 1 : 0;
  return graphs;
}

void Graphs::forget() {
  entries_.clear();
}

OwnedGraphExec Graphs::capture(BodyRef body) const {
  BERTHA_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  CaptureGuard guard(stream_);
  body();
  const OwnedGraph graph = guard.end();
  cudaGraphExec_t executable = nullptr;
  BERTHA_CUDA(cudaGraphInstantiate(&executable, graph.get(), 0));
  return OwnedGraphExec(executable);
}

void Graphs::run(const Segment& segment, BodyRef body) {
  if (!enabled_) return body();
  Entry& entry = entries_[{std::string(segment.name), segment.bucket, segment.sequences,
                           segment.rows, segment.dtype}];
  if (!entry.ran || (!entry.graph && count() >= kMost)) {
    entry.ran = true;
    return body();
  }
  if (!entry.graph) entry.graph = capture(body);
  BERTHA_CUDA(cudaGraphLaunch(entry.graph.get(), stream_));
}

}  // namespace bertha::cuda
