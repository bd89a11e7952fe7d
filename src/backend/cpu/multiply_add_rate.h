#pragma once

// The best speed of the processor in f32, measured: a loop of fused multiply-adds in registers.

#include <cstdint>

namespace bertha::cpu {

/// GFLOP/s of all threads. Takes some tenths of a second.
double multiply_add_rate();

/// Twelve chains of `rounds` multiply-adds of 8 or 16 numbers. Returns a value that depends on all.
float multiply_add_avx2(int64_t rounds);
float multiply_add_avx512(int64_t rounds);

}  // namespace bertha::cpu
