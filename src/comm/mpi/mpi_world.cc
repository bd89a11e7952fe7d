#include "comm/mpi/mpi_world.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "backend/cpu/cpu_view.h"
#include "comm/launch.h"
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
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided));
  if (provided < MPI_THREAD_MULTIPLE) {
    fail("this MPI library does not support calls from several threads (MPI_THREAD_MULTIPLE)");
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
  find_hosts();
  check(MPI_Comm_dup(MPI_COMM_WORLD, &beats_));
  sums_.emplace(MPI_COMM_WORLD);
  heartbeat_ = std::make_unique<Heartbeat>(beats_, hosts_, settings_, activity_);
}

MpiWorld::~MpiWorld() {
  MpiWorld::at(activity_.step, Stage::kEnd);
  if (voting_ != MPI_REQUEST_NULL) MPI_Wait(&voting_, MPI_STATUS_IGNORE);
  {
    const Waiting waiting(activity_, Stage::kEnd);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  heartbeat_.reset();
  sums_.reset();
  MPI_Comm_free(&beats_);
  MPI_Finalize();
}

void MpiWorld::check(int status) const {
  check_mpi(status, name_of(activity_.stage));
}

void MpiWorld::find_hosts() {
  MPI_Comm local = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local));
  MPI_Comm_rank(local, &local_rank_);
  MPI_Comm_free(&local);
  constexpr int kLength = MPI_MAX_PROCESSOR_NAME;
  std::array<char, kLength> mine{};
  int length = 0;
  MPI_Get_processor_name(mine.data(), &length);
  std::vector<char> all(static_cast<size_t>(kLength) * static_cast<size_t>(ranks_));
  check(
      MPI_Allgather(mine.data(), kLength, MPI_CHAR, all.data(), kLength, MPI_CHAR, MPI_COMM_WORLD));
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
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

void MpiWorld::broadcast(std::span<std::byte> data, Stage stage) {
  while (!data.empty()) {
    const Waiting waiting(activity_, stage);
    const auto part = data.first(std::min(data.size(), static_cast<size_t>(kMostBytes)));
    check(MPI_Bcast(part.data(), mpi_count(std::ssize(part)), MPI_BYTE, 0, MPI_COMM_WORLD));
    data = data.subspan(part.size());
  }
}

/// Gathers and adds in order of rank, because a library may use another order on each rank.
void MpiWorld::all_reduce(std::span<double> values, Stage stage) {
  const Waiting waiting(activity_, stage);
  std::vector<double> all(values.size() * static_cast<size_t>(ranks_));
  const int count = mpi_count(std::ssize(values));
  check(MPI_Allgather(values.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE,
                      MPI_COMM_WORLD));
  std::copy_n(all.begin(), values.size(), values.begin());
  for (size_t i = values.size(); i < all.size(); ++i) values[i % values.size()] += all[i];
}

std::vector<uint64_t> MpiWorld::all_gather(uint64_t value, Stage stage) {
  const Waiting waiting(activity_, stage);
  std::vector<uint64_t> all(static_cast<size_t>(ranks_));
  check(MPI_Allgather(&value, 1, MPI_UINT64_T, all.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD));
  return all;
}

void MpiWorld::barrier(Stage stage) {
  const Waiting waiting(activity_, stage);
  check(MPI_Barrier(MPI_COMM_WORLD));
}

void MpiWorld::wait_for_all(Stage stage) {
  constexpr std::chrono::milliseconds kNap{5};
  const Waiting waiting(activity_, stage);
  MPI_Request arrival = MPI_REQUEST_NULL;
  check(MPI_Ibarrier(MPI_COMM_WORLD, &arrival));
  for (int done = 0;;) {
    check(MPI_Test(&arrival, &done, MPI_STATUS_IGNORE));
    if (done != 0) return;
    std::this_thread::sleep_for(kNap);
  }
}

void MpiWorld::vote(bool stop) {
  BERTHA_CHECK(voting_ == MPI_REQUEST_NULL, "a vote is in flight");
  ballot_ = stop ? 1 : 0;
  check(MPI_Iallreduce(&ballot_, &result_, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &voting_));
}

bool MpiWorld::stop_agreed() {
  if (voting_ != MPI_REQUEST_NULL) {
    const Waiting waiting(activity_, Stage::kVote);
    check(MPI_Wait(&voting_, MPI_STATUS_IGNORE));
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
  check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, host_values(values).data(),
                       plan.counts.data(), plan.begin.data(), MPI_FLOAT, MPI_COMM_WORLD));
}

void MpiWorld::all_gather(std::span<double> values, std::span<const int64_t> bounds, Stage stage) {
  const Waiting waiting(activity_, stage);
  Exchange plan;
  plan.of_partitions(bounds, rank_);
  check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values.data(), plan.counts.data(),
                       plan.begin.data(), MPI_DOUBLE, MPI_COMM_WORLD));
}

void MpiWorld::gather(std::span<const float> mine, std::span<float> all,
                      std::span<const int64_t> bounds, Stage stage) {
  const Waiting waiting(activity_, stage);
  Exchange plan;
  plan.of_partitions(bounds, rank_);
  check(MPI_Gatherv(mine.data(), mpi_count(std::ssize(mine)), MPI_FLOAT, all.data(),
                    plan.counts.data(), plan.begin.data(), MPI_FLOAT, 0, MPI_COMM_WORLD));
}

std::unique_ptr<Communicator> join_world(const WorldSettings& settings) {
  if (!find_launch().with_others) return std::make_unique<Communicator>();
  return std::make_unique<MpiWorld>(settings);
}

}  // namespace bertha::comm
