#pragma once

// One Gaudi device per rank. HCCL, which libSynapse.so exports, moves and reduces tensors on
// devices; the MPI world underneath starts the ranks and handles everything else. Collectives are
// queued on the device's stream behind the segments, because a recipe holds no collective.

#include <atomic>
#include <exception>
#include <memory>

#include "backend/gaudi/gaudi_device.h"
#include "backend/gaudi/synapse_abi.h"
#include "comm/device_world.h"
#include "core/context.h"

namespace bertha::comm {

/// The functions of HCCL.
struct HcclFunctions;

class HcclWorld final : public DeviceWorld {
 public:
  /// Throws Error when the library lacks HCCL or the ranks cannot be connected.
  HcclWorld(Communicator& host, gaudi::GaudiDevice& device);
  ~HcclWorld() override;

  bool overlaps_segments() const override { return false; }
  /// The sums have HCCL's order of additions. With bf16 transfers each partial sum is rounded.
  /// Throws Error for ReduceOptions::fixed_order.
  void all_reduce_async(InOut piece, const ReduceOptions& options) override;
  /// Does nothing: collectives and segments are in the order of one stream.
  void wait_all_reduces() override {}
  void reduce_scatter(InOut values, std::span<const int64_t> bounds,
                      const ReduceOptions& options) override;
  using DeviceWorld::all_gather;
  void all_gather(InOut values, std::span<const int64_t> bounds, Stage stage) override;

 private:
  void check(int result, const char* function) const;
  /// Adds up pieces of at most kPieceElements.
  void sum(const Tensor& values);
  void release();

  gaudi::GaudiDevice& device_;
  std::unique_ptr<HcclFunctions> functions_;
  void* communicator_ = nullptr;
  std::atomic<bool> released_{false};
  int exceptions_before_ = std::uncaught_exceptions();
  Buffer rounded_;  ///< bf16 values of the largest piece so far
  Arena arena_;     ///< of conversions, which need no values
};

}  // namespace bertha::comm
