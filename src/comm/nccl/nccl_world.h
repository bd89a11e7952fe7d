#pragma once

// One GPU per rank. NCCL moves and reduces tensors on GPUs; the MPI world underneath starts the
// ranks and handles everything else. Collectives are queued on the device's second stream, so they
// overlap with the backward pass, also in a captured segment. No call waits on the host.

#include <nccl.h>

#include <atomic>
#include <exception>

#include "backend/cuda/cuda_device.h"
#include "comm/device_world.h"

namespace bertha::comm {

class NcclWorld final : public DeviceWorld {
 public:
  NcclWorld(Communicator& host, cuda::CudaDevice& device);
  ~NcclWorld() override;

  using DeviceWorld::all_gather;
  /// NCCL uses its own order of additions, which is the same on all ranks and in every run with the
  /// same number of ranks. With bf16 transfers each partial sum is rounded. Throws Error for
  /// ReduceOptions::fixed_order.
  void all_reduce_async(InOut piece, const ReduceOptions& options) override;
  void wait_all_reduces() override;
  void reduce_scatter(InOut values, std::span<const int64_t> bounds,
                      const ReduceOptions& options) override;
  void all_gather(InOut values, std::span<const int64_t> bounds, Stage stage) override;

 private:
  /// Memory and type of the transferred values.
  struct Wire {
    void* data;
    ncclDataType_t type;
    int64_t element_bytes;
    void* at(int64_t element) const {
      return static_cast<std::byte*>(data) + element * element_bytes;
    }
  };
  Wire to_wire(const Tensor& values, const ReduceOptions& options, cuda::Stream stream);
  void from_wire(const Wire& wire, const Tensor& values, int64_t begin, int64_t end,
                 cuda::Stream stream) const;
  void release();

  cuda::CudaDevice& device_;
  ncclComm_t communicator_ = nullptr;
  std::atomic<bool> released_{false};
  int exceptions_before_ = std::uncaught_exceptions();
  Buffer rounded_;  ///< bf16 values of the largest piece so far
};

}  // namespace bertha::comm
