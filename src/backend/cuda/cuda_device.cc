#include "backend/cuda/cuda_device.h"

#include <cstring>
#include <unordered_map>

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/fused_attention.h"
#include "backend/cuda/graphs.h"
#include "backend/cuda/handles.h"
#include "backend/cuda/launch_scope.h"
#include "backend/cuda/launch_timer.h"
#include "backend/cuda/products.h"
#include "backend/cuda/staging.h"
#include "core/free_memory.h"

namespace bertha::cuda {
namespace {

/// The kernels use tensor cores of Ampere and newer GPUs.
constexpr int kLeastMajor = 8;

size_t bytes_of(const Tensor& tensor) {
  return static_cast<size_t>(tensor.size_bytes());
}

double gigabytes(size_t bytes) {
  return static_cast<double>(bytes) * 1e-9;
}

OwnedStream make_stream(int ordinal) {
  BERTHA_CUDA(cudaSetDevice(ordinal));
  return make<OwnedStream>("cudaStreamCreateWithFlags", cudaStreamCreateWithFlags,
                           unsigned{cudaStreamNonBlocking});
}

OwnedEvent make_event() {
  return make<OwnedEvent>("cudaEventCreate", cudaEventCreateWithFlags,
                          unsigned{cudaEventDisableTiming});
}

/// Makes `waiting` wait for the work that is queued on `first` at the time of the call.
void order(cudaStream_t first, cudaEvent_t event, cudaStream_t waiting) {
  BERTHA_CUDA(cudaEventRecord(event, first));
  BERTHA_CUDA(cudaStreamWaitEvent(waiting, event, 0));
}

}  // namespace

std::string absence(int64_t number) {
  int cards = 0;
  const cudaError_t status = cudaGetDeviceCount(&cards);
  if (status != cudaSuccess) {
    return fmt::format("no NVIDIA GPU can be used: {}", cudaGetErrorString(status));
  }
  if (cards == 0) return "no NVIDIA GPU is present";
  if (number >= cards) {
    return fmt::format("this host has {} NVIDIA GPUs; rank {} of the host needs one of its own",
                       cards, number);
  }
  cudaDeviceProp card{};
  BERTHA_CUDA(cudaGetDeviceProperties(&card, static_cast<int>(number)));
  if (card.major < kLeastMajor) {
    return fmt::format("{} has compute capability {}.{}; 8.0 (Ampere) or newer is needed",
                       card.name, card.major, card.minor);
  }
  return "";
}

std::unique_ptr<Device> open_device(int64_t number) {
  if (const std::string why = absence(number); !why.empty()) fail("{}", why);
  return std::make_unique<CudaDevice>(static_cast<int>(number));
}

struct CudaDevice::State {
  explicit State(int ordinal)
      : stream(make_stream(ordinal)),
        beside(make_stream(ordinal)),
        forked(make_event()),
        joined(make_event()),
        staging(stream.get()),
        timer(LaunchTimer::wanted()),
        graphs(stream.get(), timer == nullptr) {
    BERTHA_CUDA(cudaGetDeviceProperties(&card, ordinal));
  }

  cudaDeviceProp card{};
  OwnedStream stream;
  OwnedStream beside;
  OwnedEvent forked, joined;
  bool apart = false;  ///< work was queued on the second stream since the last join
  Staging staging;
  std::unique_ptr<LaunchTimer> timer;
  Graphs graphs;
  std::unique_ptr<MatrixProducts> products;
  std::unique_ptr<FusedAttention> attention;
  std::unordered_map<std::string, Buffer> tables;
};

CudaDevice::CudaDevice(int ordinal)
    : Device(Memory::kDevice), state_(std::make_unique<State>(ordinal)) {
  state_->products = std::make_unique<MatrixProducts>(*this);
  state_->attention = FusedAttention::wanted(*this);
}

CudaDevice::~CudaDevice() {
  // A destructor must not throw. The last checked call has reported a broken GPU.
  cudaStreamSynchronize(stream());
  // free() waits for the stream and drops graphs, so what holds buffers goes before them.
  state_->attention.reset();
  state_->products.reset();
  state_->tables.clear();
}

std::string CudaDevice::description() const {
  const cudaDeviceProp& card = state_->card;
  return fmt::format("{}, {} multiprocessors, {:.0f} GB, compute capability {}.{}", card.name,
                     card.multiProcessorCount, gigabytes(card.totalGlobalMem), card.major,
                     card.minor);
}

bool CudaDevice::has_bf16() const {
  return state_->card.major >= kLeastMajor;
}

bool CudaDevice::has_fp8() const {
  return state_->card.major > 8 || (state_->card.major == 8 && state_->card.minor >= 9);
}

Stream CudaDevice::stream() const {
  return state_->stream.get();
}

Stream CudaDevice::fork() {
  order(stream(), state_->forked.get(), state_->beside.get());
  state_->apart = true;
  return state_->beside.get();
}

void CudaDevice::join() {
  if (!state_->apart) return;
  state_->apart = false;
  order(state_->beside.get(), state_->joined.get(), stream());
}

void CudaDevice::drop_graphs() noexcept {
  state_->graphs.forget();
}

LaunchTimer* CudaDevice::launch_timer() const {
  return state_->timer.get();
}

int64_t CudaDevice::multiprocessors() const {
  return state_->card.multiProcessorCount;
}

MatrixProducts& CudaDevice::products() {
  return *state_->products;
}

FusedAttention* CudaDevice::fused_attention() {
  return state_->attention.get();
}

Buffer CudaDevice::allocate(int64_t size_bytes) {
  void* base = nullptr;
  const auto size = static_cast<size_t>(align_up(size_bytes > 0 ? size_bytes : 1));
  const cudaError_t status = cudaMalloc(&base, size);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    size_t free = 0;
    size_t total = 0;
    BERTHA_CUDA(cudaMemGetInfo(&free, &total));
    throw OutOfMemory(state_->card.name, static_cast<double>(size), static_cast<double>(free));
  }
  check(status, "cudaMalloc");
  Buffer buffer(this, static_cast<std::byte*>(base), size_bytes);
  BERTHA_CUDA(cudaMemsetAsync(base, 0, size, stream()));
  return buffer;
}

void CudaDevice::free(std::byte* base, int64_t /*size_bytes*/) noexcept {
  // cudaFree waits for queued work that may use the buffer. Graphs hold addresses, so all are
  // dropped.
  state_->graphs.forget();
  cudaStreamSynchronize(stream());
  cudaFree(base);
}

void CudaDevice::write(Out to, const void* host) {
  state_->staging.copy(address(to.tensor()), static_cast<const std::byte*>(host),
                       to.tensor().size_bytes());
}

void CudaDevice::read(const Tensor& from, void* host) {
  if (from.size_bytes() == 0) return;
  BERTHA_CUDA(
      cudaMemcpyAsync(host, address(from), bytes_of(from), cudaMemcpyDeviceToHost, stream()));
  synchronize();
}

void CudaDevice::copy(const Tensor& from, Out to) {
  BERTHA_CHECK(from.size_bytes() == to.tensor().size_bytes(), "{} to {} bytes", from.size_bytes(),
               to.tensor().size_bytes());
  const LaunchScope scope(*this, "copy", stream());
  BERTHA_CUDA(cudaMemcpyAsync(address(to.tensor()), address(from), bytes_of(from),
                              cudaMemcpyDeviceToDevice, stream()));
}

void CudaDevice::zero(Out to) {
  if (to.tensor().size_bytes() == 0) return;
  const LaunchScope scope(*this, "zero", stream());
  BERTHA_CUDA(cudaMemsetAsync(address(to.tensor()), 0, bytes_of(to.tensor()), stream()));
}

void CudaDevice::run(const Segment& segment, BodyRef body) {
  join();  // work that began earlier is not part of this segment
  state_->graphs.run(segment, [&] {
    body();
    join();
  });
}

void CudaDevice::synchronize() {
  BERTHA_CUDA(cudaStreamSynchronize(stream()));
  if (state_->timer) state_->timer->collect();
}

const std::byte* CudaDevice::table(std::span<const std::byte> bytes) {
  const std::string key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto found = state_->tables.find(key);
  if (found == state_->tables.end()) {
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    BERTHA_CUDA(cudaStreamIsCapturing(stream(), &capture));
    BERTHA_CHECK(capture == cudaStreamCaptureStatusNone, "a table first used in a captured run");
    Buffer buffer = allocate(std::ssize(bytes));
    state_->staging.copy(buffer.base(), bytes.data(), std::ssize(bytes));
    found = state_->tables.emplace(key, std::move(buffer)).first;
  }
  return found->second.base();
}

}  // namespace bertha::cuda
