#include "comm/mpi/mpi_world.h"

#include <algorithm>
#include <array>
#include <limits>

#include "backend/cpu/view.h"
#include "comm/launch.h"
#include "comm/pairwise.h"
#include "core/dtype.h"
#include "core/error.h"

namespace bertha::comm {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;  // counts of MPI 3 are int

int count_of(size_t size) {
  BERTHA_CHECK(size <= static_cast<size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(size);
}

}  // namespace

/// Says where the main thread waits, for as long as a call lasts.
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
    fail("this MPI library does not let threads communicate (MPI_THREAD_MULTIPLE)");
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
  find_hosts();
  check(MPI_Comm_dup(MPI_COMM_WORLD, &beats_));
  heartbeat_ = std::make_unique<Heartbeat>(beats_, hosts_, settings_, activity_);
}

MpiWorld::~MpiWorld() {
  at(activity_.step, Stage::kEnd);
  if (voting_ != MPI_REQUEST_NULL) MPI_Wait(&voting_, MPI_STATUS_IGNORE);
  {
    const Waiting waiting(activity_, Stage::kEnd);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  heartbeat_.reset();
  MPI_Comm_free(&beats_);
  MPI_Finalize();
}

void MpiWorld::check(int status) const {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  fail("rank {}: MPI failed in {}: {}", rank_, name_of(activity_.stage), text.data());
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
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

void MpiWorld::broadcast(std::span<std::byte> data, Stage stage) {
  while (!data.empty()) {
    const Waiting waiting(activity_, stage);
    const auto part = data.first(std::min(data.size(), static_cast<size_t>(kMostBytes)));
    check(MPI_Bcast(part.data(), count_of(part.size()), MPI_BYTE, 0, MPI_COMM_WORLD));
    data = data.subspan(part.size());
  }
}

/// Gathers and adds in order of rank: a library may add in another order on each rank.
void MpiWorld::sum(std::span<double> values, Stage stage) {
  const Waiting waiting(activity_, stage);
  std::vector<double> all(values.size() * static_cast<size_t>(ranks_));
  const int count = count_of(values.size());
  check(MPI_Allgather(values.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE,
                      MPI_COMM_WORLD));
  std::copy_n(all.begin(), values.size(), values.begin());
  for (size_t i = values.size(); i < all.size(); ++i) values[i % values.size()] += all[i];
}

std::vector<uint64_t> MpiWorld::gather(uint64_t value, Stage stage) {
  const Waiting waiting(activity_, stage);
  std::vector<uint64_t> all(static_cast<size_t>(ranks_));
  check(MPI_Allgather(&value, 1, MPI_UINT64_T, all.data(), 1, MPI_UINT64_T, MPI_COMM_WORLD));
  return all;
}

void MpiWorld::barrier(Stage stage) {
  const Waiting waiting(activity_, stage);
  check(MPI_Barrier(MPI_COMM_WORLD));
}

void MpiWorld::vote(bool stop) {
  BERTHA_CHECK(voting_ == MPI_REQUEST_NULL, "a vote is under way");
  ballot_ = stop ? 1 : 0;
  check(MPI_Iallreduce(&ballot_, &result_, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &voting_));
}

bool MpiWorld::voted_to_stop() {
  if (voting_ != MPI_REQUEST_NULL) {
    const Waiting waiting(activity_, Stage::kVote);
    check(MPI_Wait(&voting_, MPI_STATUS_IGNORE));
  }
  return result_ != 0;
}

void MpiWorld::sum_gradients(InOut gradients, const SumOptions& options) {
  BERTHA_CHECK(options.wire == DType::kF32 || options.wire == DType::kBF16);
  const std::span values(cpu::data<float>(gradients),
                         static_cast<size_t>(gradients.tensor().size()));
  if (options.wire == DType::kF32 && !options.fixed_order) {
    sum_by_library(values, options.bucket_elements);
    return;
  }
  const auto bucket = static_cast<size_t>(options.bucket_elements);
  for (size_t begin = 0; begin < values.size(); begin += bucket) {
    const Waiting waiting(activity_, Stage::kGradients);
    const auto part = values.subspan(begin, std::min(bucket, values.size() - begin));
    options.wire == DType::kBF16 ? sum_rounded(part) : sum_in_order(part);
  }
}

/// Two buckets under way: the library works on one while the other begins.
void MpiWorld::sum_by_library(std::span<float> values, int64_t bucket) {
  std::array<MPI_Request, 2> under_way = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  size_t turn = 0;
  const auto length = static_cast<size_t>(bucket);
  for (size_t begin = 0; begin < values.size(); begin += length, turn ^= 1) {
    const Waiting waiting(activity_, Stage::kGradients);
    check(MPI_Wait(&under_way[turn], MPI_STATUS_IGNORE));
    const auto part = values.subspan(begin, std::min(length, values.size() - begin));
    check(MPI_Iallreduce(MPI_IN_PLACE, part.data(), count_of(part.size()), MPI_FLOAT, MPI_SUM,
                         MPI_COMM_WORLD, &under_way[turn]));
  }
  const Waiting waiting(activity_, Stage::kGradients);
  check(MPI_Waitall(2, under_way.data(), MPI_STATUSES_IGNORE));
}

std::vector<int> MpiWorld::shares(int64_t size) const {
  std::vector<int> begin;
  for (int64_t rank = 0; rank <= ranks_; ++rank) {
    begin.push_back(static_cast<int>(size * rank / ranks_));
  }
  return begin;
}

namespace {

/// What MPI_Alltoallv and MPI_Allgatherv want to know of shares that lie end to end.
struct Exchange {
  std::vector<int> counts;        ///< values of each rank's share
  std::vector<int> mine;          ///< values of this rank's share, for each rank
  std::vector<int> mine_offsets;  ///< where each rank's version of it is put
};

Exchange exchange_of(const std::vector<int>& begin, int rank) {
  Exchange exchange;
  const auto own = static_cast<size_t>(rank);
  const int size = begin[own + 1] - begin[own];
  for (size_t i = 0; i + 1 < begin.size(); ++i) {
    exchange.counts.push_back(begin[i + 1] - begin[i]);
    exchange.mine.push_back(size);
    exchange.mine_offsets.push_back(static_cast<int>(i) * size);
  }
  return exchange;
}

}  // namespace

/// Each rank sums a share of the values, in the order of pairwise.h, and gives it to all: the bytes
/// on the wire are those of a ring.
void MpiWorld::sum_in_order(std::span<float> values) {
  const std::vector<int> begin = shares(std::ssize(values));
  const Exchange plan = exchange_of(begin, rank_);
  const auto own = static_cast<size_t>(rank_);
  const int64_t size = plan.counts[own];
  pieces_.resize(static_cast<size_t>(size * ranks_));
  check(MPI_Alltoallv(values.data(), plan.counts.data(), begin.data(), MPI_FLOAT, pieces_.data(),
                      plan.mine.data(), plan.mine_offsets.data(), MPI_FLOAT, MPI_COMM_WORLD));
  sum_by_tree(pieces_.data(), ranks_, size);
  std::copy_n(pieces_.data(), size, values.data() + begin[own]);
  check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values.data(), plan.counts.data(),
                       begin.data(), MPI_FLOAT, MPI_COMM_WORLD));
}

/// The same with bf16 on the wire: a value is rounded twice, sums are taken in f32.
void MpiWorld::sum_rounded(std::span<float> values) {
  const std::vector<int> begin = shares(std::ssize(values));
  const Exchange plan = exchange_of(begin, rank_);
  const auto own = static_cast<size_t>(rank_);
  const int64_t size = plan.counts[own];
  narrow_.resize(values.size());
  narrow_pieces_.resize(static_cast<size_t>(size * ranks_));
  pieces_.resize(narrow_pieces_.size());
  const auto narrow = [](float value) { return BFloat16::round(value); };
  const auto widen = [](uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); };
  std::ranges::transform(values, narrow_.begin(), narrow);
  check(MPI_Alltoallv(narrow_.data(), plan.counts.data(), begin.data(), MPI_UINT16_T,
                      narrow_pieces_.data(), plan.mine.data(), plan.mine_offsets.data(),
                      MPI_UINT16_T, MPI_COMM_WORLD));
  std::ranges::transform(narrow_pieces_, pieces_.begin(), widen);
  sum_by_tree(pieces_.data(), ranks_, size);
  std::transform(pieces_.data(), pieces_.data() + size, narrow_.data() + begin[own], narrow);
  check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, narrow_.data(), plan.counts.data(),
                       begin.data(), MPI_UINT16_T, MPI_COMM_WORLD));
  std::ranges::transform(narrow_, values.begin(), widen);
}

std::unique_ptr<Communicator> join_world(const WorldSettings& settings) {
  if (!find_launch().with_others) return std::make_unique<Communicator>();
  return std::make_unique<MpiWorld>(settings);
}

}  // namespace bertha::comm
