#include "backend/cpu/instruction_set.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

#include "core/error.h"

namespace bertha::cpu {
namespace {

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

IsaChoice best_of_processor() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    fail("this processor lacks AVX2 and FMA, which bertha needs (Intel Haswell, AMD Zen or newer)");
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
    return {Isa::kAvx2, "the processor has no AVX-512 (F, BW, VL and DQ)"};
  }
  if (!__builtin_cpu_supports("avx512bf16")) {
    return {Isa::kAvx512, "the processor has no AVX512_BF16"};
  }
  if (!cpu_has_amx()) return {Isa::kAvx512Bf16, "the processor has no AMX"};
  if (!request_amx()) return {Isa::kAvx512Bf16, "Linux does not give AMX to this process"};
  return {Isa::kAmx, ""};
}

/// The set that BERTHA_MAX_ISA names.
Isa parse_limit(const std::string& limit) {
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx}) {
    if (limit == name_of(isa)) return isa;
  }
  fail("BERTHA_MAX_ISA={}: expected avx2, avx512, avx512_bf16 or amx", limit);
}

IsaChoice choose() {
  const IsaChoice best = best_of_processor();
  const char* limit = std::getenv("BERTHA_MAX_ISA");
  if (limit == nullptr || parse_limit(limit) >= best.used) return best;
  return {parse_limit(limit), fmt::format("BERTHA_MAX_ISA={} excludes {}, which the processor has",
                                          limit, name_of(best.used))};
}

}  // namespace

const char* name_of(Isa isa) {
  static constexpr std::array kNames = {"avx2", "avx512", "avx512_bf16", "amx"};
  return kNames.at(static_cast<size_t>(isa));
}

const IsaChoice& isa_choice() {
  static const IsaChoice choice = choose();
  return choice;
}

Isa best_isa() {
  static const Isa isa = isa_choice().used;
  return isa;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

}  // namespace bertha::cpu
