#include "comm/nccl/nccl_world.h"

#include <cstdlib>
#include <exception>

#include "backend/cuda/cuda_view.h"
#include "comm/device_communicator.h"
#include "comm/nccl/round.h"
#include "core/error.h"

namespace bertha::comm {
namespace {

void check(ncclResult_t status, const char* call) {
  if (status == ncclSuccess) return;
  fail("NCCL: {}: {}: {}", call, ncclGetErrorString(status), ncclGetLastError(nullptr));
}

size_t count_of(std::span<const int64_t> bounds, size_t rank) {
  return static_cast<size_t>(bounds[rank + 1] - bounds[rank]);
}

/// Collectives in graphs, and an end of the communicator that waits for these graphs.
constexpr int kLeastVersion = NCCL_VERSION(2, 18, 0);

void check_version() {
  int version = 0;
  check(ncclGetVersion(&version), "ncclGetVersion");
  if (version < kLeastVersion) {
    fail("NCCL {}.{}.{} is loaded; 2.18 or newer is needed", version / 10000, version / 100 % 100,
         version % 100);
  }
}

/// NCCL may register the memory of a captured collective, which all ranks must do together. Here
/// one rank may capture a step while another replays it, so the registration would wait for ever.
void forbid_registration() {
  constexpr int kKeepTheUsers = 0;
  setenv("NCCL_GRAPH_REGISTER", "0", kKeepTheUsers);
}

}  // namespace

/// Evaluates an NCCL call once. Throws Error with NCCL's message unless it succeeded.
#define BERTHA_NCCL(call) check((call), #call)

NcclWorld::NcclWorld(Communicator& host, cuda::CudaDevice& device)
    : DeviceWorld(host), device_(device) {
  check_version();
  forbid_registration();
  ncclUniqueId id{};
  if (host.leads()) BERTHA_NCCL(ncclGetUniqueId(&id));
  host.broadcast(std::as_writable_bytes(std::span(&id, 1)), Stage::kStart);
  BERTHA_NCCL(ncclCommInitRank(&communicator_, static_cast<int>(host.ranks()), id,
                               static_cast<int>(host.rank())));
  host.on_abort([this] { release(); });
}

NcclWorld::~NcclWorld() {
  host_.on_abort({});
  // Since NCCL 2.26 the end and the abort of a communicator wait until every graph that holds one
  // of its collectives is destroyed.
  device_.drop_graphs();
  // The normal end waits for the other ranks. A rank that leaves by an error must not wait.
  if (std::uncaught_exceptions() > exceptions_before_) release();
  if (released_.exchange(true)) return;
  ncclCommFinalize(communicator_);
  ncclCommDestroy(communicator_);
}

/// Ends the kernels that wait for a lost rank, so that threads that wait for the GPU continue.
void NcclWorld::release() {
  if (!released_.exchange(true)) ncclCommAbort(communicator_);
}

NcclWorld::Wire NcclWorld::to_wire(const Tensor& values, const ReduceOptions& options,
                                   cuda::Stream stream) {
  if (options.fixed_order) fail("--deterministic sums gradients between CPU ranks only");
  auto* const own = cuda::data<float>(InOut(values));
  if (options.wire_dtype == DType::kF32) return {own, ncclFloat32, size_of(DType::kF32)};
  const int64_t size = values.size() * size_of(DType::kBF16);
  // Grows only in the first run of a segment: captured runs have the same pieces.
  if (rounded_.size_bytes() < size) rounded_ = device_.allocate(size);
  auto* const rounded = reinterpret_cast<BFloat16*>(rounded_.base());
  round_on_gpu(device_, own, rounded, values.size(), stream);
  return {rounded, ncclBfloat16, size_of(DType::kBF16)};
}

void NcclWorld::from_wire(const Wire& wire, const Tensor& values, int64_t begin, int64_t end,
                          cuda::Stream stream) const {
  if (wire.type == ncclFloat32) return;
  widen_on_gpu(device_, static_cast<const BFloat16*>(wire.data) + begin,
               cuda::data<float>(InOut(values)) + begin, end - begin, stream);
}

void NcclWorld::all_reduce_async(InOut piece, const ReduceOptions& options) {
  const cuda::Stream stream = device_.fork();
  const Tensor& values = piece.tensor();
  const Wire wire = to_wire(values, options, stream);
  BERTHA_NCCL(ncclAllReduce(wire.data, wire.data, static_cast<size_t>(values.size()), wire.type,
                            ncclSum, communicator_, stream));
  from_wire(wire, values, 0, values.size(), stream);
}

void NcclWorld::wait_all_reduces() {
  device_.join();
}

void NcclWorld::reduce_scatter(InOut values, std::span<const int64_t> bounds,
                               const ReduceOptions& options) {
  const cuda::Stream stream = device_.fork();
  const Wire wire = to_wire(values.tensor(), options, stream);
  const auto own = static_cast<size_t>(rank());
  if (equal_partition_size(bounds) > 0) {
    BERTHA_NCCL(ncclReduceScatter(wire.at(bounds[0]), wire.at(bounds[own]), count_of(bounds, own),
                                  wire.type, ncclSum, communicator_, stream));
  } else {
    BERTHA_NCCL(ncclGroupStart());
    for (size_t r = 0; r + 1 < bounds.size(); ++r) {
      BERTHA_NCCL(ncclReduce(wire.at(bounds[r]), wire.at(bounds[r]), count_of(bounds, r), wire.type,
                             ncclSum, static_cast<int>(r), communicator_, stream));
    }
    BERTHA_NCCL(ncclGroupEnd());
  }
  from_wire(wire, values.tensor(), bounds[own], bounds[own + 1], stream);
  device_.join();
}

void NcclWorld::all_gather(InOut values, std::span<const int64_t> bounds, Stage /*stage*/) {
  const cuda::Stream stream = device_.fork();
  auto* const data = cuda::data<float>(values);
  const auto own = static_cast<size_t>(rank());
  if (equal_partition_size(bounds) > 0) {
    BERTHA_NCCL(ncclAllGather(data + bounds[own], data + bounds[0], count_of(bounds, own),
                              ncclFloat32, communicator_, stream));
  } else {
    BERTHA_NCCL(ncclGroupStart());
    for (size_t r = 0; r + 1 < bounds.size(); ++r) {
      BERTHA_NCCL(ncclBroadcast(data + bounds[r], data + bounds[r], count_of(bounds, r),
                                ncclFloat32, static_cast<int>(r), communicator_, stream));
    }
    BERTHA_NCCL(ncclGroupEnd());
  }
  device_.join();
}

std::unique_ptr<Communicator> make_device_communicator(Communicator& host, Device& device) {
  BERTHA_CHECK(device.kind() == DeviceKind::kCuda);
  return std::make_unique<NcclWorld>(host, static_cast<cuda::CudaDevice&>(device));
}

}  // namespace bertha::comm
