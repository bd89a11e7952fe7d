// Exports: HCCL.

#include "gaudi/standin/hccl_interface.h"

#include <charconv>
#include <cstring>
#include <functional>
#include <map>

#include "gaudi/standin/collectives.h"
#include "gaudi/standin/runtime.h"
#include "gaudi/standin/settings.h"

using namespace bertha::standin;  // NOLINT(google-build-using-namespace): the exports are global

namespace {

constexpr int kHcclVersion = 2604;
/// The first generation reduces and broadcasts this much in one call, and gathers less.
constexpr uint64_t kFirstGenerationBytes = uint64_t{128} << 20;
constexpr uint64_t kFirstGenerationGatherBytes = uint64_t{16} << 20;

struct Hccl {
  std::mutex mutex;
  std::map<uint16_t, Socket> listeners;  ///< of hcclGetUniqueId, by port
  Handles<Communicator> communicators{"communicator"};

  static Hccl& get() {
    static Hccl& hccl = *new Hccl;
    return hccl;
  }
};

HcclResult result_of(Status status) {
  switch (status) {
    case kSuccess:
      return kHcclSuccess;
    case kUnsupported:
      return kHcclUnsupported;
    case kInvalidArgument:
      return kHcclInvalidArgument;
    case kHccl:
      return kHcclSocketError;
    default:
      return kHcclInvalidUsage;
  }
}

template <typename Body>
HcclResult hccl_answer(std::string_view call, const Body& body) {
  return result_of(answer(call, body));
}

std::shared_ptr<Communicator> find(void* comm) {
  Hccl& hccl = Hccl::get();
  const std::lock_guard lock(hccl.mutex);
  return hccl.communicators.get(comm);
}

uint16_t port_of(const HcclUniqueId& id) {
  require(id.length <= sizeof(id.bytes), kInvalidArgument, rule::kArgument,
          "the unique id has {} bytes", id.length);
  const std::string_view text(reinterpret_cast<const char*>(id.bytes), id.length);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  require(error == std::errc() && end == text.data() + text.size() && port != 0, kInvalidArgument,
          rule::kArgument, "the unique id is none that hcclGetUniqueId made");
  return port;
}

std::shared_ptr<Communicator> join(const HcclUniqueId& id, int ranks, int rank) {
  uint32_t module = 0;
  {
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    module = runtime.acquired(0).module;
  }
  require(ranks >= 1 && ranks <= Communicator::kMaximumRanks && rank >= 0 && rank < ranks,
          kInvalidArgument, rule::kArgument, "rank {} of {}: the stand-in joins 1 to {} ranks",
          rank, ranks, Communicator::kMaximumRanks);
  const uint16_t port = port_of(id);
  if (rank != 0) return Communicator::as_peer(port, ranks, rank, module);
  Socket listener;
  {
    Hccl& hccl = Hccl::get();
    const std::lock_guard lock(hccl.mutex);
    const auto found = hccl.listeners.find(port);
    require(found != hccl.listeners.end(), kFail, rule::kCollective,
            "rank 0 joins with a unique id that it has not made, or that was used");
    listener = std::move(found->second);
    hccl.listeners.erase(found);
  }
  return Communicator::as_root(listener, ranks, module);
}

/// Where in its buffer a rank may send from, or receive to, when both are one buffer.
void check_in_place(const Communicator& comm, const Collective& collective, const Range& send,
                    const Range& receive) {
  if (!send.overlaps(receive)) return;
  const uint64_t own = static_cast<uint64_t>(comm.rank()) * std::min(send.bytes, receive.bytes);
  const bool right =
      collective.kind == CollectiveKind::kAllGather       ? send.begin == receive.begin + own
      : collective.kind == CollectiveKind::kReduceScatter ? receive.begin == send.begin + own
                                                          : send.begin == receive.begin;
  require(right, kInvalidArgument, rule::kCollective,
          "the buffers overlap otherwise than in a collective in place");
}

void check_size(const Collective& collective, uint64_t bytes) {
  if (settings().device_type != kGaudi) return;
  const uint64_t most = collective.kind == CollectiveKind::kAllGather ? kFirstGenerationGatherBytes
                                                                      : kFirstGenerationBytes;
  require(bytes <= most, kInvalidArgument, rule::kCollective,
          "{} bytes in one call: the first generation takes at most {}", bytes, most);
}

void submit(const std::shared_ptr<Communicator>& comm, Collective collective, uint64_t send,
            uint64_t receive, void* stream_handle) {
  Runtime& runtime = Runtime::get();
  std::shared_ptr<Stream> stream;
  {
    const std::lock_guard lock(runtime.mutex);
    runtime.acquired();
    stream = runtime.streams.get(stream_handle);
  }
  const Stream::Use use(*stream, "a collective");
  const std::lock_guard lock(runtime.mutex);
  const uint64_t element = bytes_of_type(*type_of_hccl(collective.type));
  const Range from{send, comm->send_count(collective) * element};
  const Range to{receive, comm->receive_count(collective) * element};
  check_size(collective, std::max(from.bytes, to.bytes));
  check_in_place(*comm, collective, from, to);
  require(!comm->stream || *comm->stream == stream->number(), kInvalidArgument, rule::kCollective,
          "the stand-in runs all collectives of a communicator on one stream");
  DeviceMemory& memory = runtime.device->memory;
  const std::byte* const source = memory.at(from.begin, from.bytes);
  std::byte* const target = memory.at(to.begin, to.bytes);
  const bool sends =
      collective.kind != CollectiveKind::kBroadcast || collective.root == comm->rank();
  require(!sends || runtime.order.written(from), kFail, rule::kNotWritten,
          "a collective sends memory that nothing has written");
  comm->stream = stream->number();
  collective.sequence = comm->queued++;
  const bool apart = !from.overlaps(to);
  Runtime::Work work{.call = "collective", .writes = {to}, .operation = {}};
  if (sends) work.reads = {from};
  work.operation = {.call = "collective",
                    .begin =
                        [=] {
                          if (apart) std::memset(target, kPoison, to.bytes);
                        },
                    .work = [=] { comm->run(collective, source, target); }};
  runtime.submit(*stream, std::move(work));
  comm->last = {stream->number(), stream->operations, "collective"};
}

/// The calls of a group are made at its end.
struct Group {
  int depth = 0;
  std::vector<std::function<void()>> calls;
};
thread_local Group group;

HcclResult collect(std::string_view call, const Collective& collective, const void* send,
                   void* receive, void* comm_handle, void* stream) {
  return hccl_answer(call, [&] {
    const std::shared_ptr<Communicator> comm = find(comm_handle);
    require(type_of_hccl(collective.type).has_value(), kUnsupported, rule::kArgument,
            "the stand-in does not have the type {}", collective.type);
    require(collective.reduction == kHcclSum || collective.reduction == kHcclMin ||
                collective.reduction == kHcclMax,
            kUnsupported, rule::kArgument,
            "the reduction {} is not supported: sum, min and max are", collective.reduction);
    require(collective.count > 0 && collective.count < (uint64_t{1} << 40), kInvalidArgument,
            rule::kArgument, "the count is {}", collective.count);
    require(collective.root >= 0 && collective.root < comm->ranks(), kInvalidArgument,
            rule::kArgument, "there is no rank {}", collective.root);
    const auto run = [=] {
      submit(comm, collective, reinterpret_cast<uint64_t>(send),
             reinterpret_cast<uint64_t>(receive), stream);
    };
    if (group.depth > 0) {
      group.calls.emplace_back(run);
    } else {
      run();
    }
  });
}

void remove(void* comm) {
  Hccl& hccl = Hccl::get();
  const std::lock_guard lock(hccl.mutex);
  hccl.communicators.remove(comm);
}

}  // namespace

int32_t hcclGetVersion(int* version) {
  return hccl_answer("hcclGetVersion", [&] {
    require(version != nullptr, kInvalidArgument, rule::kArgument, "the pointer is null");
    *version = kHcclVersion;
  });
}

int32_t hcclGetUniqueId(HcclUniqueId* id) {
  return hccl_answer("hcclGetUniqueId", [&] {
    require(id != nullptr, kInvalidArgument, rule::kArgument, "the pointer is null");
    uint16_t port = 0;
    Socket listener = Socket::listen(port);
    const std::string text = std::to_string(port);
    *id = {};
    std::memcpy(id->bytes, text.data(), text.size());
    id->length = text.size();
    Hccl& hccl = Hccl::get();
    const std::lock_guard lock(hccl.mutex);
    hccl.listeners.emplace(port, std::move(listener));
  });
}

int32_t hcclCommInitRank(void** comm, int ranks, HcclUniqueId id, int rank) {
  return hccl_answer("hcclCommInitRank", [&] {
    require(comm != nullptr, kInvalidArgument, rule::kArgument, "the pointer is null");
    std::shared_ptr<Communicator> joined = join(id, ranks, rank);
    Hccl& hccl = Hccl::get();
    const std::lock_guard lock(hccl.mutex);
    *comm = hccl.communicators.add(std::move(joined));
  });
}

int32_t hcclCommFinalize(void* comm) {
  return hccl_answer("hcclCommFinalize", [&] { find(comm); });
}

int32_t hcclCommDestroy(void* comm) {
  return hccl_answer("hcclCommDestroy", [&] {
    const std::shared_ptr<Communicator> found = find(comm);
    Runtime& runtime = Runtime::get();
    const std::lock_guard lock(runtime.mutex);
    require(found->queued == 0 || found->has_failed() ||
                runtime.host_clock.covers(found->last.stream, found->last.operation),
            kBusy, rule::kMemoryInUse, "a collective may still run: wait for it first");
    remove(comm);
  });
}

int32_t hcclCommAbort(void* comm) {
  return hccl_answer("hcclCommAbort", [&] {
    find(comm)->abort();
    remove(comm);
  });
}

const char* hcclGetErrorString(int32_t result) {
  switch (result) {
    case kHcclSuccess:
      return "success";
    case kHcclUnsupported:
      return "unsupported";
    case kHcclInvalidArgument:
      return "invalid argument";
    case kHcclInvalidUsage:
      return "invalid usage";
    case kHcclSocketError:
      return "socket error";
    default:
      return "unknown result";
  }
}

int32_t hcclCommGetAsyncError(void* comm, int32_t* error) {
  return hccl_answer("hcclCommGetAsyncError", [&] {
    require(error != nullptr, kInvalidArgument, rule::kArgument, "the pointer is null");
    *error = find(comm)->has_failed() ? kHcclSocketError : kHcclSuccess;
  });
}

int32_t hcclAllReduce(const void* send, void* receive, size_t count, int32_t type,
                      int32_t reduction, void* comm, void* stream) {
  return collect(
      "hcclAllReduce",
      {.kind = CollectiveKind::kAllReduce, .type = type, .reduction = reduction, .count = count},
      send, receive, comm, stream);
}

int32_t hcclBroadcast(const void* send, void* receive, size_t count, int32_t type, int root,
                      void* comm, void* stream) {
  return collect("hcclBroadcast",
                 {.kind = CollectiveKind::kBroadcast, .type = type, .root = root, .count = count},
                 send, receive, comm, stream);
}

int32_t hcclAllGather(const void* send, void* receive, size_t send_count, int32_t type, void* comm,
                      void* stream) {
  return collect("hcclAllGather",
                 {.kind = CollectiveKind::kAllGather, .type = type, .count = send_count}, send,
                 receive, comm, stream);
}

int32_t hcclReduceScatter(const void* send, void* receive, size_t receive_count, int32_t type,
                          int32_t reduction, void* comm, void* stream) {
  return collect("hcclReduceScatter",
                 {.kind = CollectiveKind::kReduceScatter,
                  .type = type,
                  .reduction = reduction,
                  .count = receive_count},
                 send, receive, comm, stream);
}

int32_t hcclGroupStart() {
  ++group.depth;
  return kHcclSuccess;
}

int32_t hcclGroupEnd() {
  return hccl_answer("hcclGroupEnd", [] {
    require(group.depth > 0, kFail, rule::kCallOrder, "no group was started");
    if (--group.depth > 0) return;
    const std::vector<std::function<void()>> calls = std::exchange(group.calls, {});
    for (const auto& call : calls) call();
  });
}
