#pragma once

// The world that mpirun makes. Host memory goes over MPI; a tensor's memory is taken to be host
// memory (a device's own communicator overrides sum_gradients).

#include <mpi.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/mpi/heartbeat.h"

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
  void sum(std::span<double> values, Stage stage) override;
  std::vector<uint64_t> gather(uint64_t value, Stage stage) override;
  void barrier(Stage stage) override;
  void sum_gradients(InOut gradients, const SumOptions& options) override;
  void vote(bool stop) override;
  bool voted_to_stop() override;
  void at(int64_t step, Stage stage) override;
  [[noreturn]] void abort(int status) override;

 private:
  class Waiting;
  void find_hosts();
  void check(int status) const;
  void sum_by_library(std::span<float> values, int64_t bucket);
  void sum_in_order(std::span<float> values);
  void sum_rounded(std::span<float> values);
  /// Where each rank's share of `size` values begins; ranks() + 1 entries.
  std::vector<int> shares(int64_t size) const;

  WorldSettings settings_;
  Activity activity_;
  int rank_ = 0;
  int ranks_ = 1;
  int local_rank_ = 0;
  MPI_Comm beats_ = MPI_COMM_NULL;
  std::vector<std::string> hosts_;
  int ballot_ = 0;
  int result_ = 0;
  MPI_Request voting_ = MPI_REQUEST_NULL;
  std::vector<float> pieces_;
  std::vector<uint16_t> narrow_;
  std::vector<uint16_t> narrow_pieces_;
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace bertha::comm
