#include "gaudi/standin/collectives.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "gaudi/standin/hccl_interface.h"
#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

constexpr int64_t kConnectSeconds = 60;
constexpr uint64_t kGreeting = 0x7374'616e'642d'696e;

struct Hello {
  uint64_t greeting = kGreeting;
  int32_t ranks = 0;
  int32_t rank = 0;
  uint32_t module = 0;
  uint32_t unused = 0;
};

enum class Reply : uint8_t { kAgreed = 1, kRefused = 2 };

using Bytes = std::vector<std::byte>;

double reduced(int32_t reduction, double a, double b) {
  switch (reduction) {
    case kHcclSum:
      return a + b;
    case kHcclMin:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}

/// The reduction of equal arrays in the order of the ranks.
Bytes reduce(const Collective& collective, const std::vector<Bytes>& payloads) {
  const DataType type = *type_of_hccl(collective.type);
  const Sizes sizes = {payloads[0].size() / bytes_of_type(type)};
  Value sum = load(type, sizes, payloads[0].data());
  for (size_t rank = 1; rank < payloads.size(); ++rank) {
    const Value other = load(type, sizes, payloads[rank].data());
    for (size_t i = 0; i < sum.data.size(); ++i) {
      sum.data[i] = rounded_to(type, reduced(collective.reduction, sum.data[i], other.data[i]));
    }
  }
  Bytes bytes(payloads[0].size());
  store(sum, bytes.data());
  return bytes;
}

/// What one rank receives, out of what all have sent.
Bytes result_for(const Collective& collective, const std::vector<Bytes>& payloads,
                 const Bytes& reduction, size_t rank) {
  switch (collective.kind) {
    case CollectiveKind::kAllReduce:
      return reduction;
    case CollectiveKind::kReduceScatter: {
      const auto size = static_cast<std::ptrdiff_t>(reduction.size() / payloads.size());
      const auto begin = reduction.begin() + static_cast<std::ptrdiff_t>(rank) * size;
      return {begin, begin + size};
    }
    case CollectiveKind::kBroadcast:
      return payloads[static_cast<size_t>(collective.root)];
    case CollectiveKind::kAllGather:
      break;
  }
  Bytes all;
  for (const Bytes& payload : payloads) all.insert(all.end(), payload.begin(), payload.end());
  return all;
}

bool reduces(const Collective& collective) {
  return collective.kind == CollectiveKind::kAllReduce ||
         collective.kind == CollectiveKind::kReduceScatter;
}

}  // namespace

std::optional<DataType> type_of_hccl(int32_t type) {
  switch (type) {
    case kHcclInt32:
      return kI32;
    case kHcclFloat32:
      return kF32;
    case kHcclBfloat16:
      return kBf16;
    default:
      return std::nullopt;
  }
}

std::shared_ptr<Communicator> Communicator::as_root(const Socket& listener, int ranks,
                                                    uint32_t module) {
  std::shared_ptr<Communicator> created(new Communicator(ranks, 0));
  std::set<uint32_t> modules = {module};
  std::set<int32_t> joined = {0};
  std::vector<Socket> sockets;
  std::string wrong;
  for (int peer = 1; peer < ranks; ++peer) {
    Socket socket = listener.accept(kConnectSeconds);
    const Hello hello = socket.receive_value<Hello>();
    if (hello.greeting != kGreeting || hello.ranks != ranks) {
      wrong =
          fmt::format("rank {} expects {} ranks, and rank 0 {}", hello.rank, hello.ranks, ranks);
    } else if (hello.rank < 1 || hello.rank >= ranks || !joined.insert(hello.rank).second) {
      wrong = fmt::format("rank {} has joined twice", hello.rank);
    } else if (!modules.insert(hello.module).second) {
      wrong = fmt::format("two ranks have module {}", hello.module);
    } else {
      created->peers_[static_cast<size_t>(hello.rank)] = std::move(socket);
      continue;
    }
    sockets.push_back(std::move(socket));
  }
  const Reply reply = wrong.empty() ? Reply::kAgreed : Reply::kRefused;
  for (int32_t rank : joined) {
    if (rank != 0) created->peers_[static_cast<size_t>(rank)].send_value(reply);
  }
  for (const Socket& socket : sockets) socket.send_value(reply);
  require(wrong.empty(), kHccl, rule::kCollective, "{}", wrong);
  return created;
}

std::shared_ptr<Communicator> Communicator::as_peer(uint16_t port, int ranks, int rank,
                                                    uint32_t module) {
  std::shared_ptr<Communicator> created(new Communicator(ranks, rank));
  created->peers_[0] = Socket::connect(port);
  created->peers_[0].send_value(Hello{.ranks = ranks, .rank = rank, .module = module});
  require(created->peers_[0].receive_value<Reply>() == Reply::kAgreed, kHccl, rule::kCollective,
          "rank 0 refused the communicator of {} ranks", ranks);
  return created;
}

uint64_t Communicator::send_count(const Collective& collective) const {
  const bool scatters = collective.kind == CollectiveKind::kReduceScatter;
  return collective.count * (scatters ? static_cast<uint64_t>(ranks_) : 1);
}

uint64_t Communicator::receive_count(const Collective& collective) const {
  const bool gathers = collective.kind == CollectiveKind::kAllGather;
  return collective.count * (gathers ? static_cast<uint64_t>(ranks_) : 1);
}

/// What a rank sends to rank 0: in a broadcast only the root has something.
uint64_t Communicator::payload_bytes(const Collective& collective, int rank) const {
  if (collective.kind == CollectiveKind::kBroadcast && rank != collective.root) return 0;
  return send_count(collective) * bytes_of_type(*type_of_hccl(collective.type));
}

void Communicator::run(const Collective& collective, const std::byte* send, std::byte* receive) {
  try {
    require(!failed_, kHccl, rule::kConnection, "the communicator has failed or was aborted");
    if (rank_ == 0) {
      run_as_root(collective, send, receive);
    } else {
      run_as_peer(collective, send, receive);
    }
  } catch (const Refusal&) {
    abort();
    throw;
  }
}

void Communicator::run_as_root(const Collective& collective, const std::byte* send,
                               std::byte* receive) {
  std::vector<Bytes> payloads = {{send, send + payload_bytes(collective, 0)}};
  bool agreed = true;
  for (int rank = 1; rank < ranks_; ++rank) {
    const Socket& peer = peers_[static_cast<size_t>(rank)];
    agreed = peer.receive_value<Collective>() == collective && agreed;
  }
  for (int rank = 1; rank < ranks_; ++rank) {
    peers_[static_cast<size_t>(rank)].send_value(agreed ? Reply::kAgreed : Reply::kRefused);
  }
  require(agreed, kHccl, rule::kCollective,
          "the ranks do not agree on the kind, the count, the type, the reduction or the root of "
          "collective {}",
          collective.sequence);
  for (int rank = 1; rank < ranks_; ++rank) {
    payloads.emplace_back(payload_bytes(collective, rank));
    peers_[static_cast<size_t>(rank)].receive(payloads.back());
  }
  const Bytes reduction = reduces(collective) ? reduce(collective, payloads) : Bytes();
  for (int rank = 1; rank < ranks_; ++rank) {
    peers_[static_cast<size_t>(rank)].send(
        result_for(collective, payloads, reduction, static_cast<size_t>(rank)));
  }
  std::ranges::copy(result_for(collective, payloads, reduction, 0), receive);
}

void Communicator::run_as_peer(const Collective& collective, const std::byte* send,
                               std::byte* receive) {
  const Socket& root = peers_[0];
  root.send_value(collective);
  require(root.receive_value<Reply>() == Reply::kAgreed, kHccl, rule::kCollective,
          "the ranks do not agree on the kind, the count, the type, the reduction or the root of "
          "collective {}",
          collective.sequence);
  root.send({send, payload_bytes(collective, rank_)});
  Bytes result(receive_count(collective) * bytes_of_type(*type_of_hccl(collective.type)));
  root.receive(result);
  std::ranges::copy(result, receive);
}

void Communicator::abort() {
  failed_ = true;
  for (const Socket& peer : peers_) peer.shut_down();
}

}  // namespace bertha::standin
