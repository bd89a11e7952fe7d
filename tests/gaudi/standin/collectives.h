#pragma once

// A communicator: a connection of rank 0 with each other rank, over which a collective is one
// exchange.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gaudi/standin/access_order.h"
#include "gaudi/standin/socket.h"
#include "gaudi/standin/values.h"

namespace bertha::standin {

enum class CollectiveKind : int32_t { kAllReduce, kBroadcast, kAllGather, kReduceScatter };

/// What all ranks must agree on.
struct Collective {
  CollectiveKind kind;
  int32_t type = 0;       ///< HcclType
  int32_t reduction = 0;  ///< HcclReduction
  int32_t root = 0;
  uint64_t count = 0;
  uint64_t sequence = 0;  ///< how many collectives the communicator ran before

  bool operator==(const Collective&) const = default;
};

/// The tensor type of an HcclType; nothing for one that the stand-in does not have.
std::optional<DataType> type_of_hccl(int32_t type);

class Communicator {
 public:
  static constexpr int kMaximumRanks = 8;

  /// Rank 0 accepts the others on `listener`; they connect to `port`. `module` is the device's.
  static std::shared_ptr<Communicator> as_root(const Socket& listener, int ranks, uint32_t module);
  static std::shared_ptr<Communicator> as_peer(uint16_t port, int ranks, int rank, uint32_t module);

  int ranks() const { return ranks_; }
  int rank() const { return rank_; }
  /// Elements of the send and of the receive buffer.
  uint64_t send_count(const Collective& collective) const;
  uint64_t receive_count(const Collective& collective) const;

  /// Runs the collective on the thread of a stream: it waits for all ranks. Throws Refusal when
  /// ranks disagree, or when one is gone.
  void run(const Collective& collective, const std::byte* send, std::byte* receive);
  /// Makes run() fail here, and in consequence at the other ranks.
  void abort();
  bool has_failed() const { return failed_; }

  uint64_t queued = 0;                 ///< the runtime's lock protects it
  std::optional<StreamNumber> stream;  ///< the one that its collectives use; the same lock
  Access last = {};                    ///< the last collective; the same lock

 private:
  Communicator(int ranks, int rank)
      : ranks_(ranks), rank_(rank), peers_(static_cast<size_t>(ranks)) {}
  void run_as_root(const Collective& collective, const std::byte* send, std::byte* receive);
  void run_as_peer(const Collective& collective, const std::byte* send, std::byte* receive);
  uint64_t payload_bytes(const Collective& collective, int rank) const;

  const int ranks_;
  const int rank_;
  std::vector<Socket> peers_;  ///< at rank 0 one for each other rank; elsewhere the first alone
  std::atomic<bool> failed_{false};
};

}  // namespace bertha::standin
