#include "comm/mpi/mpi_world.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "backend/cpu/cpu_view.h"
#include "comm/launch.h"
#include "comm/mpi/mpi_library.h"
#include "comm/mpi/status.h"
#include "core/dtype.h"
#include "core/error.h"

namespace bertha::comm {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;  // counts of MPI 3 are int

}  // namespace

/// Reports the stage in which the main thread waits, for the duration of a call.
class MpiWorld::Waiting {
 public:
  Waiting(Activity& activity, Stage stage) : activity_(activity), before_(activity.stage) {
    activity_.stage = stage;
    ++activity_.waits;
    activity_.waits_now = true;
  }
  ~Waiting() {
    activity_.waits_now = false;
    activity_.stage = before_;
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Activity& activity_;
  Stage before_;
};

MpiWorld::MpiWorld(const WorldSettings& settings) : settings_(settings) {
  int multiple = 0;
  check(mpi().init(&multiple));
  if (multiple == 0) {
    fail("this MPI library does not support calls from several threads (MPI_THREAD_MULTIPLE)");
  }
  world_ = mpi().world();
  rank_ = mpi().comm_rank(world_);
  ranks_ = mpi().comm_size(world_);
  find_hosts();
  check(mpi().comm_dup(world_, &beats_));
  sums_.emplace(world_);
  heartbeat_ = std::make_unique<Heartbeat>(beats_, hosts_, settings_, activity_);
}

MpiWorld::~MpiWorld() {
  MpiWorld::at(activity_.step, Stage::kEnd);
  if (voting_ != 0) mpi().wait(&voting_);
  {
    const Waiting waiting(activity_, Stage::kEnd);
    mpi().barrier(world_);
  }
  heartbeat_.reset();
  sums_.reset();
  mpi().comm_free(&beats_);
  mpi().finalize();
}

void MpiWorld::check(int status) const {
  check_mpi(status, name_of(activity_.stage));
}

void MpiWorld::find_hosts() {
  check(mpi().rank_on_host(&local_rank_));
  constexpr int kLength = BERTHA_MPI_TEXT_BYTES;
  std::array<char, kLength> mine{};
  mpi().processor_name(mine.data());
  std::vector<char> all(static_cast<size_t>(kLength) * static_cast<size_t>(ranks_));
  check(mpi().allgather(mine.data(), all.data(), kLength, BERTHA_MPI_BYTE, world_));
  for (int rank = 0; rank < ranks_; ++rank) {
    const char* name = all.data() + static_cast<ptrdiff_t>(rank) * kLength;
    hosts_.emplace_back(name, std::find(name, name + kLength, '\0'));
  }
}

void MpiWorld::at(int64_t step, Stage stage) {
  activity_.step = step;
  activity_.stage = stage;
}

void MpiWorld::abort(int status) {
  heartbeat_->release();
  mpi().abort(status);
  std::_Exit(status);
}

void MpiWorld::broadcast(std::span<std::byte> data, Stage stage) {
  while (!data.empty()) {
    const Waiting waiting(activity_, stage);
    const auto part = data.first(std::min(data.size(), static_cast<size_t>(kMostBytes)));
    check(mpi().bcast(part.data(), mpi_count(std::ssize(part)), BERTHA_MPI_BYTE, 0, world_));
    data = data.subspan(part.size());
  }
}

/// Gathers and adds in order of rank, because a library may use another order on each rank.
void MpiWorld::all_reduce(std::span<double> values, Stage stage) {
  const Waiting waiting(activity_, stage);
  std::vector<double> all(values.size() * static_cast<size_t>(ranks_));
  const int count = mpi_count(std::ssize(values));
  check(mpi().allgather(values.data(), all.data(), count, BERTHA_MPI_DOUBLE, world_));
  std::copy_n(all.begin(), values.size(), values.begin());
  for (size_t i = values.size(); i < all.size(); ++i) values[i % values.size()] += all[i];
}

std::vector<uint64_t> MpiWorld::all_gather(uint64_t value, Stage stage) {
  const Waiting waiting(activity_, stage);
  std::vector<uint64_t> all(static_cast<size_t>(ranks_));
  check(mpi().allgather(&value, all.data(), 1, BERTHA_MPI_UINT64, world_));
  return all;
}

void MpiWorld::barrier(Stage stage) {
  const Waiting waiting(activity_, stage);
  check(mpi().barrier(world_));
}

void MpiWorld::wait_for_all(Stage stage) {
  constexpr std::chrono::milliseconds kNap{5};
  const Waiting waiting(activity_, stage);
  BerthaMpiRequest arrival = 0;
  check(mpi().ibarrier(world_, &arrival));
  for (int done = 0;;) {
    check(mpi().test(&arrival, &done));
    if (done != 0) return;
    std::this_thread::sleep_for(kNap);
  }
}

void MpiWorld::vote(bool stop) {
  BERTHA_CHECK(voting_ == 0, "a vote is in flight");
  ballot_ = stop ? 1 : 0;
  check(mpi().iallreduce(&ballot_, &result_, 1, BERTHA_MPI_INT, BERTHA_MPI_MAX, world_, &voting_));
}

bool MpiWorld::stop_agreed() {
  if (voting_ != 0) {
    const Waiting waiting(activity_, Stage::kVote);
    check(mpi().wait(&voting_));
  }
  return result_ != 0;
}

namespace {

/// MPI reads and writes the values where they lie: a tensor that is not in host memory is refused.
std::span<float> host_values(InOut tensor) {
  return {cpu::data<float>(tensor), static_cast<size_t>(tensor.tensor().size())};
}

}  // namespace

/// Buckets of 1 MiB: on one host, 110 million values took 0.25 s, against 0.51 s with buckets of 32
/// MiB, which exceed a core's cache.
int64_t MpiWorld::bucket_elements(const ReduceOptions& options) const {
  return std::min(options.bucket_elements, int64_t{1} << 18);
}

void MpiWorld::all_reduce_async(InOut piece, const ReduceOptions& options) {
  BERTHA_CHECK(options.wire_dtype == DType::kF32 || options.wire_dtype == DType::kBF16);
  std::optional<Waiting> waiting;
  if (sums_->full()) waiting.emplace(activity_, Stage::kGradients);
  sums_->begin(host_values(piece), options);
}

void MpiWorld::progress_all_reduces() {
  sums_->advance();
}

void MpiWorld::wait_all_reduces() {
  while (!sums_->idle()) {
    const Waiting waiting(activity_, Stage::kGradients);
    sums_->finish(1);
  }
}

void MpiWorld::reduce_scatter(InOut values, std::span<const int64_t> bounds,
                              const ReduceOptions& options) {
  const Waiting waiting(activity_, Stage::kGradients);
  sums_->scatter(host_values(values), bounds, options);
}

void MpiWorld::all_gather(InOut values, std::span<const int64_t> bounds, Stage stage) {
  const Waiting waiting(activity_, stage);
  Exchange plan;
  plan.of_partitions(bounds, rank_);
  check(mpi().allgatherv(host_values(values).data(), plan.counts.data(), plan.begin.data(),
                         BERTHA_MPI_FLOAT, world_));
}

void MpiWorld::all_gather(std::span<double> values, std::span<const int64_t> bounds, Stage stage) {
  const Waiting waiting(activity_, stage);
  Exchange plan;
  plan.of_partitions(bounds, rank_);
  check(mpi().allgatherv(values.data(), plan.counts.data(), plan.begin.data(), BERTHA_MPI_DOUBLE,
                         world_));
}

void MpiWorld::gather(std::span<const float> mine, std::span<float> all,
                      std::span<const int64_t> bounds, Stage stage) {
  const Waiting waiting(activity_, stage);
  Exchange plan;
  plan.of_partitions(bounds, rank_);
  check(mpi().gatherv(mine.data(), mpi_count(std::ssize(mine)), all.data(), plan.counts.data(),
                      plan.begin.data(), BERTHA_MPI_FLOAT, 0, world_));
}

std::unique_ptr<Communicator> join_world(const WorldSettings& settings) {
  if (!find_launch().with_others) return std::make_unique<Communicator>();
  return std::make_unique<MpiWorld>(settings);
}

}  // namespace bertha::comm
