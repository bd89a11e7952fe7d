#pragma once

// One GPU per rank. NCCL moves and reduces tensors on GPUs; the MPI world underneath starts the
// ranks and handles everything else. Collectives are queued on the device's second stream, so they
// overlap with the backward pass, also in a captured segment. No call waits on the host.

#include <nccl.h>

#include <atomic>
#include <cstdlib>
#include <exception>

#include "backend/cuda/cuda_device.h"
#include "comm/communicator.h"

namespace bertha::comm {

class NcclWorld final : public Communicator {
 public:
  NcclWorld(Communicator& host, cuda::CudaDevice& device);
  ~NcclWorld() override;

  int64_t rank() const override { return host_.rank(); }
  int64_t ranks() const override { return host_.ranks(); }
  int64_t local_rank() const override { return host_.local_rank(); }
  std::string host(int64_t rank) const override { return host_.host(rank); }
  void broadcast(std::span<std::byte> data, Stage stage) override { host_.broadcast(data, stage); }
  void all_reduce(std::span<double> values, Stage stage) override {
    host_.all_reduce(values, stage);
  }
  std::vector<uint64_t> all_gather(uint64_t value, Stage stage) override {
    return host_.all_gather(value, stage);
  }
  void barrier(Stage stage) override { host_.barrier(stage); }
  void wait_for_all(Stage stage) override { host_.wait_for_all(stage); }
  void all_gather(std::span<double> values, std::span<const int64_t> bounds, Stage stage) override {
    host_.all_gather(values, bounds, stage);
  }
  void gather(std::span<const float> mine, std::span<float> all, std::span<const int64_t> bounds,
              Stage stage) override {
    host_.gather(mine, all, bounds, stage);
  }
  void vote(bool stop) override { host_.vote(stop); }
  bool stop_agreed() override { return host_.stop_agreed(); }
  void at(int64_t step, Stage stage) override { host_.at(step, stage); }
  [[noreturn]] void abort(int status) override {
    host_.abort(status);
    std::_Exit(status);
  }

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

  Communicator& host_;
  cuda::CudaDevice& device_;
  ncclComm_t communicator_ = nullptr;
  std::atomic<bool> released_{false};
  int exceptions_before_ = std::uncaught_exceptions();
  Buffer rounded_;  ///< bf16 values of the largest piece so far
};

}  // namespace bertha::comm
