#pragma once

// An NVIDIA card. No header of CUDA is needed to include this one; a program built without CUDA
// has absence() and open_device() from backend/no_cuda alone.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/device.h"

struct CUstream_st;

namespace bertha::cuda {

/// cudaStream_t.
using Stream = CUstream_st*;

class MatrixProducts;

/// Why the card of this number cannot be used, as the end of a sentence; empty when it can.
std::string absence(int64_t number = 0);
/// The card of this number. Throws Error with the reason when there is none.
std::unique_ptr<Device> open_device(int64_t number = 0);

/// One card and one stream: everything but the sums over ranks is queued in order on it. A Segment
/// is run as it is the first time (plans and tables are made then), captured as a graph the second
/// time, and replayed from then on.
class CudaDevice : public Device {
 public:
  explicit CudaDevice(int ordinal = 0);
  ~CudaDevice() override;

  DeviceKind kind() const override { return DeviceKind::kCuda; }
  std::string description() const override;
  bool has_bf16() const override;

  Buffer allocate(int64_t size_bytes) override;
  void free(std::byte* base, int64_t size_bytes) noexcept override;
  /// Through pinned memory: returns as soon as `host` is copied there.
  void write(Out to, const void* host) override;
  void read(const Tensor& from, void* host) override;
  void copy(const Tensor& from, Out to) override;
  void zero(Out to) override;
  void run(const Segment& segment, BodyRef body) override;
  void synchronize() override;
  /// Products read the weights where they lie: nothing is prepared, nothing goes stale.
  void parameters_changed() override {}

  Stream stream() const;
  /// A second stream, for what may go on beside the ops: it begins after all that is queued on
  /// stream() now. What is queued on stream() after join() begins when it is done; the end of a
  /// segment joins too, so that both streams are captured together.
  Stream fork();
  void join();
  int64_t multiprocessors() const;
  MatrixProducts& products();
  /// Device copy of these bytes, made at the first call with them and kept. Not to be called first
  /// in a captured run, which is never a segment's first.
  const std::byte* table(std::span<const std::byte> bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bertha::cuda
