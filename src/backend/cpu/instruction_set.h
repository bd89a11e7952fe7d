#pragma once

#include <cstdint>
#include <string>

namespace bertha::cpu {

/// Instruction sets that have kernels. The best one that the processor has is used at run time. The
/// environment variable BERTHA_MAX_ISA (avx2, avx512, avx512_bf16, amx) limits the choice, for
/// tests and comparisons.
enum class Isa : uint8_t { kAvx2, kAvx512, kAvx512Bf16, kAmx };
const char* name_of(Isa isa);

struct IsaChoice {
  Isa used = Isa::kAvx2;
  /// Why it is not the next better one, as a sentence without a full stop; empty for the best.
  std::string reason;
};

/// The choice for this process. Throws Error when the processor lacks AVX2 or FMA, and for a wrong
/// BERTHA_MAX_ISA.
const IsaChoice& isa_choice();
Isa best_isa();

/// The model of the processor, as the system names it.
std::string processor_name();

}  // namespace bertha::cpu
