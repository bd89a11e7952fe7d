#pragma once

// Kernels of int8_linear, one table an instruction set. Plain pointers alone: the files that fill
// the tables must not pull in inline code of other headers.
//
// A row x of floats is kept as bytes q = round(x / scale) + zero, which the instructions multiply
// by signed bytes. Σ (q - zero) w = Σ q w - zero Σ w, and the second term is subtracted from the
// int32 sum: nothing is lost. All kernels give the same sums, bit for bit.

#include <cstdint>

namespace bertha::ops {

/// A block of the sums Σ_k x[r][k] w[n][k].
struct Int8Block {
  const uint8_t* x;  ///< rows of `depth` bytes. The tile kernel reads 32 rows and ignores what
                     ///< it has too many
  int64_t rows;
  const int8_t* w;  ///< the first of `panels` panels (ops/int8_weights.h), one after the other
  int64_t panels;
  int64_t depth;        ///< bytes of a row of x; a multiple of 64
  const int8_t* ahead;  ///< the panel that the next blocks read, to be fetched into the caches; or
                        ///< null
  int32_t* sums;        ///< [rows, 16 panels]; for the tile kernel 32 rows
};

/// Rows and panels of one block: what the registers hold.
struct Int8BlockShape {
  int64_t rows;
  int64_t panels;
};
/// Rows that the tile kernel reads and writes.
inline constexpr int64_t kInt8TileRows = 32;
/// Sums of a block at most.
inline constexpr int64_t kInt8BlockSums = 1024;

/// One way to the sums. Blocks must be of the shape for the number of rows or smaller.
struct Int8Products {
  /// The shape with which `rows` rows read each weight once, or else the fastest.
  Int8BlockShape (*shape)(int64_t rows);
  void (*multiply)(const Int8Block& block);
};
extern const Int8Products kInt8ProductsAvx2;     ///< 16-bit products: 8-bit ones saturate
extern const Int8Products kInt8ProductsAvxVnni;  ///< AVX-VNNI, 256 bits
extern const Int8Products kInt8ProductsVnni;     ///< AVX512-VNNI
extern const Int8Products kInt8ProductsAmx;      ///< AMX-INT8

/// From the sums of a block to results.
template <typename E>
struct Int8Finish {
  const int32_t* sums;  ///< [rows, channels]
  int64_t rows;
  int64_t channels;             ///< a multiple of 16
  const float* row_scales;      ///< [rows]
  const float* row_zeros;       ///< [rows]: the byte of 0
  const float* channel_scales;  ///< [channels]
  const int32_t* channel_sums;  ///< [channels]: Σ of the weights
  const float* bias;            ///< [channels], or null: 0
  E* y;                         ///< rows of y_stride elements
  int64_t y_stride;
};

/// E is float, or uint16_t for the bits of bf16.
template <typename E>
struct Int8RowKernels {
  /// The bytes of a row of `inputs` values (a multiple of 16), its scale and the byte of 0. What
  /// fills the row up to `depth` meets weights of 0.
  void (*quantize)(const E* x, int64_t inputs, int64_t depth, uint8_t* to, float* scale,
                   float* zero);
  /// By the number of ops::Activation.
  void (*finish[6])(const Int8Finish<E>& block);
};
struct Int8RowTable {
  Int8RowKernels<float> f32;
  Int8RowKernels<uint16_t> bf16;
};
extern const Int8RowTable kInt8RowsAvx2;
extern const Int8RowTable kInt8RowsAvx512;

}  // namespace bertha::ops
