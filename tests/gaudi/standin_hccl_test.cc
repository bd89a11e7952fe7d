// The collectives of the stand-in between processes.

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <thread>

#include "gaudi/standin_program.h"

namespace bertha::standin::test {
namespace {

/// Memory that the processes of a test share: the unique id, as MPI would carry it.
struct Shared {
  std::atomic<bool> published = false;
  std::atomic<int> arrived = 0;
  HcclUniqueId id = {};
};

class SharedMemory {
 public:
  SharedMemory()
      : shared_(new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared) {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(shared_, sizeof(Shared)); }
  Shared& operator*() const { return *shared_; }

 private:
  Shared* shared_;
};

/// One rank of a world: a process with a device.
class RankProgram {
 public:
  RankProgram(Shared& shared, int ranks, int rank) : ranks_(ranks), rank_(rank) {
    ok(STANDIN_CALL(library_, synInitialize)());
    ok(STANDIN_CALL(library_, synDeviceAcquireByModuleId)(&device_, static_cast<uint32_t>(rank)));
    ok(STANDIN_CALL(library_, synStreamCreateGeneric)(&stream_, device_, 0));
    if (rank == 0) {
      ok(STANDIN_CALL(library_, hcclGetUniqueId)(&shared.id));
      shared.published = true;
    }
    while (!shared.published) std::this_thread::yield();
    ok(STANDIN_CALL(library_, hcclCommInitRank)(&comm_, ranks, shared.id, rank));
  }

  const Library& library() const { return library_; }
  int ranks() const { return ranks_; }
  int rank() const { return rank_; }
  void* comm() const { return comm_; }
  void* stream() const { return stream_; }

  void ok(int32_t status) const {
    if (status != 0) fail("status {}: {}", status, line());
  }
  std::string line() const { return STANDIN_CALL(library_, standin_last_line)(); }
  int32_t wait() const { return STANDIN_CALL(library_, synStreamSynchronize)(stream_); }

  void* place(const Array& array) const {
    const uint64_t size = array.count() * bytes_of(array.type);
    uint64_t address = 0;
    ok(STANDIN_CALL(library_, synDeviceMalloc)(device_, size, 0, 0, &address));
    if (!array.data.empty()) {
      void* host = nullptr;
      ok(STANDIN_CALL(library_, synHostMalloc)(device_, size, 0, &host));
      const std::vector<std::byte> bytes = to_bytes(array);
      std::memcpy(host, bytes.data(), bytes.size());
      ok(STANDIN_CALL(library_, synMemCopyAsync)(stream_, reinterpret_cast<uint64_t>(host), size,
                                                 address, kHostToDevice));
      ok(wait());
    }
    return reinterpret_cast<void*>(address);
  }
  std::vector<double> fetch(DataType type, uint64_t count, void* address) const {
    void* host = nullptr;
    const uint64_t size = count * bytes_of(type);
    ok(STANDIN_CALL(library_, synHostMalloc)(device_, size, 0, &host));
    ok(STANDIN_CALL(library_, synMemCopyAsync)(stream_, reinterpret_cast<uint64_t>(address), size,
                                               reinterpret_cast<uint64_t>(host), kDeviceToHost));
    ok(wait());
    return from_bytes(type, static_cast<const std::byte*>(host), count);
  }
  int32_t all_reduce(void* send, void* receive, uint64_t count, int32_t reduction = kHcclSum,
                     int32_t type = kHcclFloat32) const {
    return STANDIN_CALL(library_, hcclAllReduce)(send, receive, count, type, reduction, comm_,
                                                 stream_);
  }

 private:
  Library library_;
  int ranks_;
  int rank_;
  uint32_t device_ = 0;
  void* stream_ = nullptr;
  void* comm_ = nullptr;
};

/// Runs a body as ranks of one world, each in a process.
void run_world(int ranks, const std::function<void(const RankProgram&)>& body,
               const std::map<std::string, std::string>& environment = {}) {
  const SharedMemory shared;
  run_in_child(environment, [&] {
    std::vector<pid_t> others;
    int own = 0;
    for (int rank = 1; rank < ranks && own == 0; ++rank) {
      const pid_t child = ::fork();
      if (child == 0) {
        own = rank;
      } else {
        others.push_back(child);
      }
    }
    try {
      body(RankProgram(*shared, ranks, own));
    } catch (const std::exception& error) {
      ADD_FAILURE() << "rank " << own << ": " << error.what();
    }
    std::fflush(nullptr);
    if (own != 0) ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    for (const pid_t other : others) {
      int status = 0;
      ::waitpid(other, &status, 0);
      EXPECT_EQ(status, 0);
    }
  });
}

class StandinWorld : public ::testing::TestWithParam<int> {};

TEST_P(StandinWorld, AllReduce) {
  run_world(GetParam(), [](const RankProgram& rank) {
    const double own = rank.rank() + 1;
    const double sum = rank.ranks() * (rank.ranks() + 1) / 2.0;
    void* const send = rank.place({.type = kF32, .sizes = {3}, .data = {own, 10 * own, -own}});
    void* const receive = rank.place({.type = kF32, .sizes = {3}});
    rank.ok(rank.all_reduce(send, receive, 3));
    EXPECT_EQ(rank.fetch(kF32, 3, receive), (std::vector<double>{sum, 10 * sum, -sum}));
    rank.ok(rank.all_reduce(send, send, 3, kHcclMax));
    EXPECT_EQ(rank.fetch(kF32, 3, send),
              (std::vector<double>{double(rank.ranks()), 10.0 * rank.ranks(), -1}));
    rank.ok(STANDIN_CALL(rank.library(), hcclCommDestroy)(rank.comm()));
    EXPECT_EQ(STANDIN_CALL(rank.library(), standin_broken_rules)(), 0);
  });
}

TEST_P(StandinWorld, ReduceScatterAndAllGather) {
  run_world(GetParam(), [](const RankProgram& rank) {
    const auto ranks = static_cast<uint64_t>(rank.ranks());
    Array send{.type = kF32, .sizes = {2 * ranks}};
    for (uint64_t i = 0; i < 2 * ranks; ++i) send.data.push_back(double(i) + 100 * rank.rank());
    void* const buffer = rank.place(send);
    auto* const own = static_cast<std::byte*>(buffer) + 8 * rank.rank();
    // In place: the part of a rank lies in the whole.
    rank.ok(STANDIN_CALL(rank.library(), hcclReduceScatter)(buffer, own, 2, kHcclFloat32, kHcclSum,
                                                            rank.comm(), rank.stream()));
    const double hundreds = 100 * double(ranks * (ranks - 1)) / 2;
    const double first = double(ranks) * 2 * rank.rank() + hundreds;
    EXPECT_EQ(rank.fetch(kF32, 2, own), (std::vector<double>{first, first + double(ranks)}));
    rank.ok(STANDIN_CALL(rank.library(), hcclAllGather)(own, buffer, 2, kHcclFloat32, rank.comm(),
                                                        rank.stream()));
    const std::vector<double> all = rank.fetch(kF32, 2 * ranks, buffer);
    for (uint64_t i = 0; i < 2 * ranks; ++i) EXPECT_EQ(all[i], double(ranks * i) + hundreds);
  });
}

TEST_P(StandinWorld, Broadcast) {
  run_world(GetParam(), [](const RankProgram& rank) {
    const int root = rank.ranks() - 1;
    const Array mine{.type = kI32, .sizes = {2}, .data = {7.0 + rank.rank(), 9}};
    void* const buffer = rank.place(mine);
    rank.ok(STANDIN_CALL(rank.library(), hcclBroadcast)(buffer, buffer, 2, kHcclInt32, root,
                                                        rank.comm(), rank.stream()));
    EXPECT_EQ(rank.fetch(kI32, 2, buffer), (std::vector<double>{7.0 + root, 9}));
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, StandinWorld, ::testing::Values(1, 2, 4));

TEST(StandinHccl, Bf16RoundsAfterEachRank) {
  run_world(3, [](const RankProgram& rank) {
    const double own = rank.rank() == 0 ? 1 : 0x1p-8;
    void* const buffer = rank.place({.type = kBf16, .sizes = {1}, .data = {own}});
    rank.ok(rank.all_reduce(buffer, buffer, 1, kHcclSum, kHcclBfloat16));
    EXPECT_EQ(rank.fetch(kBf16, 1, buffer)[0], 1);
  });
}

TEST(StandinHccl, CollectivesQueueLikeOtherWork) {
  // All ranks queue several collectives before any waits.
  run_world(2, [](const RankProgram& rank) {
    void* const buffer = rank.place({.type = kF32, .sizes = {1}, .data = {1}});
    rank.ok(STANDIN_CALL(rank.library(), hcclGroupStart)());
    rank.ok(rank.all_reduce(buffer, buffer, 1));
    rank.ok(rank.all_reduce(buffer, buffer, 1));
    rank.ok(STANDIN_CALL(rank.library(), hcclGroupEnd)());
    rank.ok(rank.all_reduce(buffer, buffer, 1));
    EXPECT_EQ(rank.fetch(kF32, 1, buffer)[0], 8);
    EXPECT_NE(STANDIN_CALL(rank.library(), hcclGroupEnd)(), kHcclSuccess);
  });
}

TEST(StandinHccl, RanksThatDisagree) {
  run_world(2, [](const RankProgram& rank) {
    void* const buffer = rank.place({.type = kF32, .sizes = {4}, .data = {1, 2, 3, 4}});
    rank.ok(rank.all_reduce(buffer, buffer, rank.rank() == 0 ? 4 : 3));
    EXPECT_EQ(rank.wait(), kHccl);
    EXPECT_NE(rank.line().find("[collective]"), std::string::npos) << rank.line();
    int32_t error = 0;
    rank.ok(STANDIN_CALL(rank.library(), hcclCommGetAsyncError)(rank.comm(), &error));
    EXPECT_EQ(error, kHcclSocketError);
  });
}

TEST(StandinHccl, ARankThatAborts) {
  run_world(2, [](const RankProgram& rank) {
    void* const buffer = rank.place({.type = kF32, .sizes = {1}, .data = {1}});
    if (rank.rank() == 0) {
      rank.ok(rank.all_reduce(buffer, buffer, 1));
      EXPECT_EQ(rank.wait(), kHccl);
    } else {
      rank.ok(STANDIN_CALL(rank.library(), hcclCommAbort)(rank.comm()));
    }
  });
}

TEST(StandinHccl, AbortEndsAWaitingCollective) {
  run_world(2, [](const RankProgram& rank) {
    if (rank.rank() == 1) {
      // Never joins the collective, and lives until rank 0 has ended it.
      void* const buffer = rank.place({.type = kF32, .sizes = {1}, .data = {1}});
      rank.ok(STANDIN_CALL(rank.library(), hcclBroadcast)(buffer, buffer, 1, kHcclFloat32, 0,
                                                          rank.comm(), rank.stream()));
      EXPECT_EQ(rank.wait(), kHccl);
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    rank.ok(STANDIN_CALL(rank.library(), hcclCommAbort)(rank.comm()));
  });
}

TEST(StandinHccl, WrongCalls) {
  run_world(2, [](const RankProgram& rank) {
    void* const buffer = rank.place({.type = kF32, .sizes = {4}, .data = {1, 2, 3, 4}});
    constexpr int32_t kAverage = 4;
    constexpr int32_t kHalf = 6;
    EXPECT_EQ(rank.all_reduce(buffer, buffer, 4, kAverage), kHcclUnsupported);
    EXPECT_EQ(rank.all_reduce(buffer, buffer, 4, kHcclSum, kHalf), kHcclUnsupported);
    EXPECT_EQ(rank.all_reduce(buffer, static_cast<std::byte*>(buffer) + 4, 2),
              kHcclInvalidArgument);
    EXPECT_EQ(rank.all_reduce(buffer, buffer, 5), kHcclInvalidArgument);
    EXPECT_NE(rank.line().find("[memory-range]"), std::string::npos) << rank.line();
    EXPECT_NE(rank.all_reduce(rank.place({.type = kF32, .sizes = {4}}), buffer, 4), kHcclSuccess);
    EXPECT_NE(rank.line().find("[not-written]"), std::string::npos) << rank.line();
    void* other = nullptr;
    rank.ok(STANDIN_CALL(rank.library(), synStreamCreateGeneric)(&other, 0, 0));
    rank.ok(rank.all_reduce(buffer, buffer, 4));
    EXPECT_NE(STANDIN_CALL(rank.library(), hcclAllReduce)(buffer, buffer, 4, kHcclFloat32, kHcclSum,
                                                          rank.comm(), other),
              kHcclSuccess);
    rank.ok(rank.wait());
    HcclUniqueId stranger{};
    void* comm = nullptr;
    EXPECT_NE(STANDIN_CALL(rank.library(), hcclCommInitRank)(&comm, 2, stranger, 0), kHcclSuccess);
  });
}

TEST(StandinHccl, LargeCallsOnTheFirstGeneration) {
  run_world(1,
            [](const RankProgram& rank) {
              const uint64_t count = (uint64_t{32} << 20) + 1;
              void* const buffer = rank.place({.type = kF32, .sizes = {count}});
              rank.ok(STANDIN_CALL(rank.library(), synMemsetD32Async)(
                  reinterpret_cast<uint64_t>(buffer), 0, count, rank.stream()));
              EXPECT_EQ(rank.all_reduce(buffer, buffer, count), kHcclInvalidArgument);
              EXPECT_NE(rank.line().find("first generation"), std::string::npos) << rank.line();
              rank.ok(rank.wait());
            },
            {{"BERTHA_STANDIN_TYPE", "gaudi"}});
}

}  // namespace
}  // namespace bertha::standin::test
