#include "backend/cpu/cpu_device.h"

#include <sys/mman.h>

#include <cstring>
#include <string>

#include "backend/cpu/cpu_view.h"
#include "backend/cpu/onednn.h"
#include "backend/cpu/weight_copies.h"
#include "core/error.h"
#include "core/free_memory.h"
#include "core/parallel_for.h"
#include "core/profile.h"

namespace bertha::cpu {
namespace {

constexpr int64_t kCopyGrain = 1 << 20;  // bytes worth a thread

void copy_from(const void* host, Out to) {
  auto* base = static_cast<std::byte*>(address(to.tensor()));
  const auto* from = static_cast<const std::byte*>(host);
  parallel_ranges(to.tensor().size_bytes(), kCopyGrain, [&](int64_t begin, int64_t end, int64_t) {
    std::memcpy(base + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

/// The system promises memory that it does not have, and ends the process that touches it. A block
/// of more than so many bytes is compared with what is free first.
constexpr size_t kCheckedBytes = size_t{64} << 20;

OutOfMemory out_of_memory(size_t size) {
  return {"this machine's memory", static_cast<double>(size), free_memory().bytes};
}

}  // namespace

CpuDevice::CpuDevice() : Device(Memory::kHost) {
  best_isa();
  weight_copies_ = std::make_unique<WeightCopies>();
  products_ = std::make_unique<MatrixProducts>(*this, *weight_copies_);
}

CpuDevice::~CpuDevice() = default;

std::string CpuDevice::description() const {
  return fmt::format("{}, {} thread{}, {}", processor_name(), thread_count(),
                     thread_count() == 1 ? "" : "s", name_of(best_isa()));
}

Buffer CpuDevice::allocate(int64_t size_bytes) {
  // Anonymous pages are zeroed, page-aligned and, where the system allows, huge.
  const auto size = static_cast<size_t>(align_up(size_bytes, 4096));
  if (size > kCheckedBytes && static_cast<double>(size) > free_memory().bytes) {
    throw out_of_memory(size);
  }
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw out_of_memory(size);
  madvise(base, size, MADV_HUGEPAGE);
  return Buffer(this, static_cast<std::byte*>(base), size_bytes);
}

void CpuDevice::free(std::byte* base, int64_t size_bytes) noexcept {
  weight_copies_->forget(base, size_bytes);
  munmap(base, static_cast<size_t>(align_up(size_bytes, 4096)));
}

void CpuDevice::write(Out to, const void* host) {
  copy_from(host, to);
}

void CpuDevice::read(const Tensor& from, void* host) {
  std::memcpy(host, address(from), static_cast<size_t>(from.size_bytes()));
}

void CpuDevice::copy(const Tensor& from, Out to) {
  BERTHA_CHECK(from.size_bytes() == to.tensor().size_bytes(), "{} to {} bytes", from.size_bytes(),
               to.tensor().size_bytes());
  const Timed timed(*this, "copy", [&] { return Cost{.bytes = 2 * from.size_bytes()}; });
  copy_bytes(from, to);
}

void copy_bytes(const Tensor& from, Out to) {
  copy_from(address(from), to);
}

void CpuDevice::zero(Out to) {
  const Timed timed(*this, "zero", [&] { return Cost{.bytes = to.tensor().size_bytes()}; });
  zero_bytes(to);
}

void zero_bytes(Out to) {
  auto* base = static_cast<std::byte*>(address(to.tensor()));
  parallel_ranges(to.tensor().size_bytes(), kCopyGrain, [&](int64_t begin, int64_t end, int64_t) {
    std::memset(base + begin, 0, static_cast<size_t>(end - begin));
  });
}

void CpuDevice::run(const Segment& /*segment*/, BodyRef body) {
  body();
}

}  // namespace bertha::cpu
