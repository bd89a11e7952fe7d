#pragma once

// An NVIDIA GPU. This header needs no header of CUDA. In a program built without CUDA,
// backend/no_cuda defines absence() and open_device(), and nothing else.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/device.h"

struct CUstream_st;

namespace bertha::cuda {

/// cudaStream_t.
using Stream = CUstream_st*;

class FusedAttention;
class LaunchTimer;
class MatrixProducts;

/// Why the GPU of this number cannot be used, as the end of a sentence; empty when it can.
std::string absence(int64_t number = 0);
/// Opens the GPU of this number. Throws Error with the reason when there is none.
std::unique_ptr<Device> open_device(int64_t number = 0);

/// One GPU and one stream: everything except the all-reduce is queued on it in order. The first run
/// of a Segment calls its body (plans and tables are made then), the second captures a graph, and
/// every later one replays the graph.
class CudaDevice : public Device {
 public:
  explicit CudaDevice(int ordinal = 0);
  ~CudaDevice() override;

  DeviceKind kind() const override { return DeviceKind::kCuda; }
  std::string description() const override;
  bool has_bf16() const override;
  /// Tensor cores for 8-bit floats: compute capability 8.9 and newer.
  bool has_fp8() const;

  Buffer allocate(int64_t size_bytes) override;
  void free(std::byte* base, int64_t size_bytes) noexcept override;
  /// Through pinned memory: returns as soon as `host` is copied there.
  void write(Out to, const void* host) override;
  void read(const Tensor& from, void* host) override;
  void copy(const Tensor& from, Out to) override;
  void zero(Out to) override;
  void run(const Segment& segment, BodyRef body) override;
  void synchronize() override;
  /// Does nothing: products read the weights in place, so no prepared copy can become stale.
  void parameters_changed() override {}

  Stream stream() const;
  /// A second stream, for work that may overlap the ops. It waits for what is queued on stream() at
  /// the time of the call. Work queued on stream() after join() waits for it. The end of a segment
  /// joins too, so that both streams are captured together.
  Stream fork();
  void join();
  /// Drops the graphs. What they use may then be destroyed: NCCL waits for the graphs that hold its
  /// collectives. A graph that runs is freed when it has run.
  void drop_graphs() noexcept;
  int64_t multiprocessors() const;
  /// Null unless launches are timed (launch_timer.h).
  LaunchTimer* launch_timer() const;
  MatrixProducts& products();
  /// Null unless the environment names cuDNN (fused_attention.h).
  FusedAttention* fused_attention();
  /// A device copy of these bytes, made at the first call with them and kept. The first call must
  /// not be in a captured run; a captured run is never the first run of a segment.
  const std::byte* table(std::span<const std::byte> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::cuda
