#pragma once

// int8_linear on a processor's instructions of choice; tests compare the choices.

#include <cstdint>

#include "core/tensor.h"
#include "ops/cpu/int8_kernels.h"
#include "ops/int8_linear.h"

namespace bertha::ops {

/// The instructions that multiply bytes.
enum class ByteProducts : uint8_t { kAvx2, kAvxVnni, kAvx512Vnni, kAmx };
const char* name_of(ByteProducts products);
/// Whether this processor has them, within the limit of BERTHA_MAX_ISA.
bool has(ByteProducts products);
ByteProducts best_byte_products();
const Int8Products& products_of(ByteProducts products);

/// Rows of the scratch that holds x as bytes [rows, D]; the tile kernel reads whole tiles.
constexpr int64_t int8_scratch_rows(int64_t tokens) {
  return align_up(tokens, kInt8TileRows);
}

/// `bytes` u8 [int8_scratch_rows(T), D] and `scales` f32 [2,T], the scales and the bytes of 0, are
/// overwritten.
void int8_linear_cpu(const Int8Linear& op, ByteProducts products, Out bytes, Out scales);

}  // namespace bertha::ops
