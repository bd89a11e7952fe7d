#pragma once

// The world that mpirun makes. Host memory is sent over MPI. Tensors are assumed to be in host
// memory; devices with their own communicator handle their tensors themselves.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/mpi/bucket_all_reduce.h"
#include "comm/mpi/heartbeat.h"
#include "comm/mpi/mpi_plugin.h"

namespace bertha::comm {

class MpiWorld : public Communicator {
 public:
  explicit MpiWorld(const WorldSettings& settings);
  ~MpiWorld() override;

  int64_t rank() const override { return rank_; }
  int64_t ranks() const override { return ranks_; }
  int64_t local_rank() const override { return local_rank_; }
  std::string host(int64_t rank) const override { return hosts_[static_cast<size_t>(rank)]; }

  void broadcast(std::span<std::byte> data, Stage stage) override;
  void all_reduce(std::span<double> values, Stage stage) override;
  std::vector<uint64_t> all_gather(uint64_t value, Stage stage) override;
  void barrier(Stage stage) override;
  void wait_for_all(Stage stage) override;
  int64_t bucket_elements(const ReduceOptions& options) const override;
  void all_reduce_async(InOut piece, const ReduceOptions& options) override;
  void progress_all_reduces() override;
  void wait_all_reduces() override;
  void reduce_scatter(InOut values, std::span<const int64_t> bounds,
                      const ReduceOptions& options) override;
  void all_gather(InOut values, std::span<const int64_t> bounds, Stage stage) override;
  void all_gather(std::span<double> values, std::span<const int64_t> bounds, Stage stage) override;
  void gather(std::span<const float> mine, std::span<float> all, std::span<const int64_t> bounds,
              Stage stage) override;
  void vote(bool stop) override;
  bool stop_agreed() override;
  void at(int64_t step, Stage stage) override;
  [[noreturn]] void abort(int status) override;
  void on_abort(const std::function<void()>& release) override { heartbeat_->on_abort(release); }

 private:
  class Waiting;
  void find_hosts();
  void check(int status) const;

  WorldSettings settings_;
  Activity activity_;
  int rank_ = 0;
  int ranks_ = 1;
  int local_rank_ = 0;
  BerthaMpiComm world_ = 0;
  BerthaMpiComm beats_ = 0;
  std::vector<std::string> hosts_;
  int ballot_ = 0;
  int result_ = 0;
  BerthaMpiRequest voting_ = 0;
  std::optional<BucketAllReduce> sums_;
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace bertha::comm
