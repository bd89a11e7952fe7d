#include "backend/cpu/cpu_device.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "backend/cpu/cpu_view.h"
#include "backend/cpu/onednn.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "core/profile.h"

namespace bertha::cpu {
namespace {

constexpr int64_t kCopyGrain = 1 << 20;  // bytes worth a thread

/// Linux gives the AMX tile registers to a process that asks (arch_prctl ARCH_REQ_XCOMP_PERM).
bool request_amx() {
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// CPUID leaf 7: AMX-BF16 is EDX bit 22, AMX-TILE bit 24 (gcc 12 has no name for them here).
bool cpu_has_amx() {
  unsigned a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d & (1U << 22)) != 0 && (d & (1U << 24)) != 0;
}

Isa detect() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    fail("this processor lacks AVX2 and FMA, which bertha needs (Intel Haswell, AMD Zen or newer)");
  }
  Isa isa = Isa::kAvx2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    isa = Isa::kAvx512;
    if (__builtin_cpu_supports("avx512bf16")) {
      isa = Isa::kAvx512Bf16;
      if (cpu_has_amx() && request_amx()) isa = Isa::kAmx;
    }
  }
  if (const char* limit = std::getenv("BERTHA_MAX_ISA"); limit != nullptr) {
    Isa most = Isa::kAvx2;
    while (std::strcmp(name_of(most), limit) != 0) {
      if (most == Isa::kAmx) {
        fail("BERTHA_MAX_ISA={}: expected avx2, avx512, avx512_bf16 or amx", limit);
      }
      most = static_cast<Isa>(static_cast<int>(most) + 1);
    }
    isa = std::min(isa, most);
  }
  return isa;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

void copy_from(const void* host, Out to) {
  auto* base = static_cast<std::byte*>(address(to.tensor()));
  const auto* from = static_cast<const std::byte*>(host);
  parallel_ranges(to.tensor().size_bytes(), kCopyGrain, [&](int64_t begin, int64_t end, int) {
    std::memcpy(base + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

}  // namespace

Isa best_isa() {
  static const Isa isa = detect();
  return isa;
}

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAmx:
      return "amx";
  }
  BERTHA_CHECK(false, "isa {}", static_cast<int>(isa));
}

CpuDevice::CpuDevice() : Device(Memory::kHost) {
  best_isa();
  products_ = std::make_unique<MatrixProducts>(*this);
}

CpuDevice::~CpuDevice() = default;

std::string CpuDevice::description() const {
  return fmt::format("{}, {} thread{}, {}", processor_name(), thread_count(),
                     thread_count() == 1 ? "" : "s", name_of(best_isa()));
}

Buffer CpuDevice::allocate(int64_t size_bytes) {
  // Anonymous pages are zeroed, page-aligned and, where the system allows, huge.
  const auto size = static_cast<size_t>(align_up(size_bytes, 4096));
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) fail("cannot have {} bytes of memory: {}", size, std::strerror(errno));
  madvise(base, size, MADV_HUGEPAGE);
  return Buffer(this, static_cast<std::byte*>(base), size_bytes);
}

void CpuDevice::free(std::byte* base, int64_t size_bytes) noexcept {
  products_->forget(base, size_bytes);
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
  parallel_ranges(to.tensor().size_bytes(), kCopyGrain, [&](int64_t begin, int64_t end, int) {
    std::memset(base + begin, 0, static_cast<size_t>(end - begin));
  });
}

void CpuDevice::run(const Segment& /*segment*/, BodyRef body) {
  body();
}

}  // namespace bertha::cpu
