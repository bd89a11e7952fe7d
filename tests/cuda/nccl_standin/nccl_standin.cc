// A collective happens when the last rank has called it: that rank does the work of all, after it
// has checked that all called the same. Calls return when their work is done, as a stream of the
// emulated device is the host itself.

#include "nccl_standin.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/dtype.h"
#include "nccl.h"

namespace {

using bertha::BFloat16;

enum class Kind { kAllReduce, kReduce, kBroadcast, kReduceScatter, kAllGather };

struct Call {
  Kind kind = Kind::kAllReduce;
  const void* from = nullptr;
  void* to = nullptr;
  size_t count = 0;
  ncclDataType_t type = ncclFloat32;
  int root = 0;

  bool matches(const Call& other) const {
    return kind == other.kind && count == other.count && type == other.type && root == other.root;
  }
};

struct Group {
  explicit Group(int size) : calls(static_cast<size_t>(size)) {}

  std::vector<Call> calls;  ///< of each rank, of the collective under way
  size_t arrived = 0;
  int64_t turn = 0;
  bool aborted = false;
  bool fits = true;  ///< all ranks called the same
};

}  // namespace

struct ncclComm {
  std::shared_ptr<Group> group;
  size_t rank = 0;
  int live_graphs = 0;
};

namespace {

struct Library {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> calls;
  std::map<std::string, std::shared_ptr<Group>> groups;
  std::vector<ncclComm*> live;
  int64_t ids = 0;
  int version = NCCL_VERSION(2, 28, 9);
  bool captures = false;
};
Library& library() {
  static Library one;
  return one;
}

thread_local std::vector<std::pair<ncclComm*, Call>> grouped;
thread_local int group_depth = 0;

void note(const std::string& call) {
  const std::lock_guard lock(library().mutex);
  library().calls.push_back(call);
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kAllReduce:
      return "all_reduce";
    case Kind::kReduce:
      return "reduce";
    case Kind::kBroadcast:
      return "broadcast";
    case Kind::kReduceScatter:
      return "reduce_scatter";
    case Kind::kAllGather:
      return "all_gather";
  }
  return "";
}

size_t size_of(ncclDataType_t type) {
  return type == ncclFloat32 ? sizeof(float) : sizeof(BFloat16);
}

float element(const void* values, ncclDataType_t type, size_t i) {
  return type == ncclFloat32 ? static_cast<const float*>(values)[i]
                             : static_cast<float>(static_cast<const BFloat16*>(values)[i]);
}
void set_element(void* values, ncclDataType_t type, size_t i, float value) {
  if (type == ncclFloat32) {
    static_cast<float*>(values)[i] = value;
  } else {
    static_cast<BFloat16*>(values)[i] = BFloat16(value);
  }
}

/// Elements [begin, begin + count) of the sum over ranks, in order of rank.
std::vector<float> sums(const Group& group, size_t begin, size_t count) {
  std::vector<float> result(count);
  for (const Call& call : group.calls) {
    for (size_t i = 0; i < count; ++i) result[i] += element(call.from, call.type, begin + i);
  }
  return result;
}

void store(const std::vector<float>& values, const Call& to) {
  for (size_t i = 0; i < values.size(); ++i) set_element(to.to, to.type, i, values[i]);
}

/// All operands are read before the first result is written: they may be the same memory.
void work(const Group& group) {
  const Call& first = group.calls[0];
  const size_t bytes = first.count * size_of(first.type);
  const auto root = static_cast<size_t>(first.root);
  switch (first.kind) {
    case Kind::kAllReduce: {
      const std::vector<float> sum = sums(group, 0, first.count);
      for (const Call& call : group.calls) store(sum, call);
      return;
    }
    case Kind::kReduce:
      return store(sums(group, 0, first.count), group.calls[root]);
    case Kind::kBroadcast:
      for (const Call& call : group.calls) std::memmove(call.to, group.calls[root].from, bytes);
      return;
    case Kind::kReduceScatter: {
      std::vector<std::vector<float>> parts;
      for (size_t r = 0; r < group.calls.size(); ++r) {
        parts.push_back(sums(group, r * first.count, first.count));
      }
      for (size_t r = 0; r < group.calls.size(); ++r) store(parts[r], group.calls[r]);
      return;
    }
    case Kind::kAllGather: {
      std::vector<std::vector<std::byte>> parts;
      for (const Call& call : group.calls) {
        const auto* const own = static_cast<const std::byte*>(call.from);
        parts.emplace_back(own, own + bytes);
      }
      for (const Call& call : group.calls) {
        auto* to = static_cast<std::byte*>(call.to);
        for (const auto& part : parts) to = std::copy(part.begin(), part.end(), to);
      }
      return;
    }
  }
}

bool is_live(const ncclComm* communicator) {
  return std::ranges::find(library().live, communicator) != library().live.end();
}

ncclResult_t meet(ncclComm* communicator, const Call& call) {
  std::unique_lock lock(library().mutex);
  library().calls.push_back(std::string(name_of(call.kind)) + " of " + std::to_string(call.count));
  if (!is_live(communicator)) return ncclInvalidArgument;
  if (library().captures) ++communicator->live_graphs;
  const std::shared_ptr<Group> group = communicator->group;
  group->calls[communicator->rank] = call;
  if (++group->arrived == group->calls.size()) {
    group->fits = std::ranges::all_of(
        group->calls, [&](const Call& other) { return other.matches(group->calls[0]); });
    if (group->fits) work(*group);
    group->arrived = 0;
    ++group->turn;
    library().changed.notify_all();
  } else {
    const int64_t turn = group->turn;
    library().changed.wait(lock, [&] { return group->turn != turn || group->aborted; });
    if (group->turn == turn) return ncclRemoteError;
  }
  return group->fits ? ncclSuccess : ncclInvalidUsage;
}

ncclResult_t queue(ncclComm* communicator, const Call& call) {
  if (group_depth == 0) return meet(communicator, call);
  grouped.emplace_back(communicator, call);
  return ncclSuccess;
}

/// NCCL spins until the graphs that hold collectives of the communicator are gone.
ncclResult_t end(const char* call, ncclComm* communicator, bool destroys) {
  std::unique_lock lock(library().mutex);
  library().calls.emplace_back(call);
  if (!is_live(communicator)) return ncclInvalidArgument;
  library().changed.wait(lock, [&] { return communicator->live_graphs == 0; });
  if (!destroys) return ncclSuccess;
  std::erase(library().live, communicator);
  delete communicator;
  return ncclSuccess;
}

}  // namespace

namespace bertha::test::nccl {

void reset() {
  const std::lock_guard lock(library().mutex);
  library().calls.clear();
  library().groups.clear();
  library().captures = false;
  library().version = NCCL_VERSION(2, 28, 9);
}

std::vector<std::string> calls() {
  const std::lock_guard lock(library().mutex);
  return library().calls;
}

void capture() {
  const std::lock_guard lock(library().mutex);
  library().captures = true;
}

void drop_graphs() {
  const std::lock_guard lock(library().mutex);
  library().calls.emplace_back("graphs dropped");
  for (ncclComm* communicator : library().live) communicator->live_graphs = 0;
  library().changed.notify_all();
}

void set_version(int version) {
  const std::lock_guard lock(library().mutex);
  library().version = version;
}

}  // namespace bertha::test::nccl

ncclResult_t ncclGetVersion(int* version) {
  const std::lock_guard lock(library().mutex);
  *version = library().version;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  note("get_unique_id");
  const std::lock_guard lock(library().mutex);
  *id = {};
  std::memcpy(id->internal, &++library().ids, sizeof(int64_t));
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* communicator, int ranks, ncclUniqueId id, int rank) {
  note("init");
  const std::lock_guard lock(library().mutex);
  if (rank < 0 || rank >= ranks) return ncclInvalidArgument;
  auto& group = library().groups[std::string(id.internal, sizeof(id.internal))];
  if (!group) group = std::make_shared<Group>(ranks);
  *communicator = new ncclComm{.group = group, .rank = static_cast<size_t>(rank)};
  library().live.push_back(*communicator);
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t communicator) {
  return end("finalize", communicator, false);
}

ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  return end("destroy", communicator, true);
}

ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  {
    const std::lock_guard lock(library().mutex);
    if (is_live(communicator)) communicator->group->aborted = true;
    library().changed.notify_all();
  }
  return end("abort", communicator, true);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote error";
  }
  return "unknown";
}

const char* ncclGetLastError(ncclComm_t /*communicator*/) {
  return "the stand-in says no more";
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t /*op*/, ncclComm_t communicator, CUstream_st* /*stream*/) {
  return queue(communicator, {Kind::kAllReduce, from, to, count, type, 0});
}

ncclResult_t ncclReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                        ncclRedOp_t /*op*/, int root, ncclComm_t communicator,
                        CUstream_st* /*stream*/) {
  return queue(communicator, {Kind::kReduce, from, to, count, type, root});
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t communicator, CUstream_st* /*stream*/) {
  return queue(communicator, {Kind::kBroadcast, from, to, count, type, root});
}

ncclResult_t ncclReduceScatter(const void* from, void* to, size_t count, ncclDataType_t type,
                               ncclRedOp_t /*op*/, ncclComm_t communicator,
                               CUstream_st* /*stream*/) {
  return queue(communicator, {Kind::kReduceScatter, from, to, count, type, 0});
}

ncclResult_t ncclAllGather(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclComm_t communicator, CUstream_st* /*stream*/) {
  return queue(communicator, {Kind::kAllGather, from, to, count, type, 0});
}

ncclResult_t ncclGroupStart() {
  ++group_depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (--group_depth > 0) return ncclSuccess;
  ncclResult_t result = ncclSuccess;
  for (const auto& [communicator, call] : std::exchange(grouped, {})) {
    const ncclResult_t one = meet(communicator, call);
    if (one != ncclSuccess) result = one;
  }
  return result;
}
