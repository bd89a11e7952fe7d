#include "comm/hccl/hccl_world.h"

#include <algorithm>

#include "backend/gaudi/synapse_library.h"
#include "comm/hccl/make_hccl_communicator.h"
#include "core/error.h"
#include "ops/convert.h"

namespace bertha::comm {
namespace {

using gaudi::abi::UniqueId;

constexpr int kSuccess = 0;
constexpr int kSum = 0;
constexpr int kF32 = 7;
constexpr int kBF16 = 9;

/// The first generation takes at most 128 MiB at once.
constexpr int64_t kPieceBytes = int64_t{128} << 20;

/// Device addresses travel as pointers.
void* pointer(gaudi::abi::Address address) {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
}

template <typename Function>
void find(gaudi::SynapseLibrary& library, Function& function, const char* name) {
  function = reinterpret_cast<Function>(library.symbol(name));  // NOLINT
  if (function == nullptr) fail("{} lacks the function {} of HCCL", library.path(), name);
}

}  // namespace

struct HcclFunctions {
  explicit HcclFunctions(gaudi::SynapseLibrary& library) {
    find(library, get_unique_id, "hcclGetUniqueId");
    find(library, comm_init_rank, "hcclCommInitRank");
    find(library, comm_destroy, "hcclCommDestroy");
    find(library, comm_abort, "hcclCommAbort");
    find(library, get_error_string, "hcclGetErrorString");
    find(library, all_reduce, "hcclAllReduce");
    find(library, broadcast, "hcclBroadcast");
    find(library, all_gather, "hcclAllGather");
    find(library, reduce_scatter, "hcclReduceScatter");
  }

  int (*get_unique_id)(UniqueId*) = nullptr;
  int (*comm_init_rank)(void**, int, UniqueId, int) = nullptr;
  int (*comm_destroy)(void*) = nullptr;
  int (*comm_abort)(void*) = nullptr;
  const char* (*get_error_string)(int) = nullptr;
  int (*all_reduce)(const void*, void*, size_t, int, int, void*, gaudi::abi::Stream) = nullptr;
  int (*broadcast)(const void*, void*, size_t, int, int, void*, gaudi::abi::Stream) = nullptr;
  int (*all_gather)(const void*, void*, size_t, int, void*, gaudi::abi::Stream) = nullptr;
  int (*reduce_scatter)(const void*, void*, size_t, int, int, void*, gaudi::abi::Stream) = nullptr;
};

HcclWorld::HcclWorld(Communicator& host, gaudi::GaudiDevice& device)
    : DeviceWorld(host),
      device_(device),
      functions_(std::make_unique<HcclFunctions>(device.library())),
      arena_(device, 0) {
  UniqueId id{};
  if (host.leads()) check(functions_->get_unique_id(&id), "hcclGetUniqueId");
  host.broadcast(std::as_writable_bytes(std::span(&id, 1)), Stage::kStart);
  check(functions_->comm_init_rank(&communicator_, static_cast<int>(host.ranks()), id,
                                   static_cast<int>(host.rank())),
        "hcclCommInitRank");
  host.on_abort([this] { release(); });
}

HcclWorld::~HcclWorld() {
  host_.on_abort({});
  // The normal end waits for the other ranks. A rank that leaves by an error must not wait.
  if (std::uncaught_exceptions() > exceptions_before_) release();
  if (released_.exchange(true)) return;
  functions_->comm_destroy(communicator_);
}

/// Ends collectives that wait for a lost rank, so that threads that wait for the device continue.
void HcclWorld::release() {
  if (!released_.exchange(true)) functions_->comm_abort(communicator_);
}

void HcclWorld::check(int result, const char* function) const {
  if (result == kSuccess) return;
  const char* const text = functions_->get_error_string(result);
  fail("HCCL: {}: {} (result {})", function, text == nullptr ? "no description" : text, result);
}

void HcclWorld::sum(const Tensor& values) {
  const bool narrow = values.dtype() == DType::kBF16;
  const int64_t most = kPieceBytes / size_of(values.dtype());
  for (int64_t begin = 0; begin < values.size(); begin += most) {
    const Tensor piece = values.rows(begin, std::min(most, values.size() - begin));
    void* const data = pointer(device_.address(piece));
    check(functions_->all_reduce(data, data, static_cast<size_t>(piece.size()),
                                 narrow ? kBF16 : kF32, kSum, communicator_, device_.stream()),
          "hcclAllReduce");
  }
}

void HcclWorld::all_reduce_async(InOut piece, const ReduceOptions& options) {
  if (options.fixed_order) fail("--deterministic sums gradients between CPU ranks only");
  const Tensor& values = piece.tensor();
  if (options.wire_dtype == DType::kF32) return sum(values);
  const int64_t size = values.size() * size_of(DType::kBF16);
  if (rounded_.size_bytes() < size) rounded_ = device_.allocate(size);
  const Tensor rounded(&rounded_, 0, DType::kBF16, {values.size()});
  Context context(device_, arena_);
  ops::convert(context, {.from = values, .to = out(rounded)});
  sum(rounded);
  ops::convert(context, {.from = rounded, .to = out(values)});
}

/// HCCL has equal partitions alone; of others each rank gets the sums of all.
void HcclWorld::reduce_scatter(InOut values, std::span<const int64_t> bounds,
                               const ReduceOptions& options) {
  const int64_t size = equal_partition_size(bounds);
  const bool whole = size == 0 || options.wire_dtype != DType::kF32 || options.fixed_order;
  if (whole) return Communicator::all_reduce(values, options);
  const auto own = bounds[static_cast<size_t>(rank())];
  void* const data = pointer(device_.address(values.tensor().rows(bounds[0], size * ranks())));
  void* const result = pointer(device_.address(values.tensor().rows(own, size)));
  check(functions_->reduce_scatter(data, result, static_cast<size_t>(size), kF32, kSum,
                                   communicator_, device_.stream()),
        "hcclReduceScatter");
}

void HcclWorld::all_gather(InOut values, std::span<const int64_t> bounds, Stage /*stage*/) {
  const auto address = [&](int64_t begin, int64_t count) {
    return pointer(device_.address(values.tensor().rows(begin, count)));
  };
  if (const int64_t size = equal_partition_size(bounds); size > 0) {
    const int64_t own = bounds[static_cast<size_t>(rank())];
    check(functions_->all_gather(address(own, size), address(bounds[0], size * ranks()),
                                 static_cast<size_t>(size), kF32, communicator_, device_.stream()),
          "hcclAllGather");
    return;
  }
  for (size_t r = 0; r + 1 < bounds.size(); ++r) {
    const int64_t count = bounds[r + 1] - bounds[r];
    if (count == 0) continue;
    void* const part = address(bounds[r], count);
    check(functions_->broadcast(part, part, static_cast<size_t>(count), kF32, static_cast<int>(r),
                                communicator_, device_.stream()),
          "hcclBroadcast");
  }
}

std::unique_ptr<Communicator> make_hccl_communicator(Communicator& host, Device& device) {
  BERTHA_CHECK(device.kind() == DeviceKind::kGaudi);
  return std::make_unique<HcclWorld>(host, static_cast<gaudi::GaudiDevice&>(device));
}

}  // namespace bertha::comm
