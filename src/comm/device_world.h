#pragma once

// The part of a world of accelerators that is the same for all of them: the world of the host
// underneath starts the ranks and handles everything except collectives on tensors.

#include <cstdlib>

#include "comm/communicator.h"

namespace bertha::comm {

class DeviceWorld : public Communicator {
 public:
  /// `host` must outlive this world.
  explicit DeviceWorld(Communicator& host) : host_(host) {}

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

 protected:
  Communicator& host_;
};

/// The number of elements of each partition if all are equal, else 0.
inline int64_t equal_partition_size(std::span<const int64_t> bounds) {
  const int64_t size = bounds[1] - bounds[0];
  for (size_t r = 1; r + 1 < bounds.size(); ++r) {
    if (bounds[r + 1] - bounds[r] != size) return 0;
  }
  return size;
}

}  // namespace bertha::comm
