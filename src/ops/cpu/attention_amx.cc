// Attention on AMX tiles: 32 rows by 32 columns of sums in four tiles, 32 deep in a step.

#include "backend/cpu/amx_tiles.h"
#include "ops/cpu/attention_bf16.h"

namespace bertha::ops {
namespace {

struct Tiles {
  static constexpr int64_t kRows = kBlock;

  template <bool kAdd>
  static void multiply(const uint16_t* a, int64_t lda, const uint32_t* b, int64_t panel,
                       int64_t depth, float* c, int64_t ldc) {
    const int64_t c_bytes = ldc * 4;
    const int64_t a_bytes = lda * 2;
    cpu::memory_barrier();
    if constexpr (kAdd) {
      _tile_loadd(0, c, c_bytes);
      _tile_loadd(1, c + kTile, c_bytes);
      _tile_loadd(2, c + kTile * ldc, c_bytes);
      _tile_loadd(3, c + kTile * ldc + kTile, c_bytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int64_t k = 0; k < depth; k += kBlock) {
      _tile_loadd(6, b + k / 2 * kTile, 64);
      _tile_loadd(4, a + k, a_bytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, b + panel + k / 2 * kTile, 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, a + kTile * lda + k, a_bytes);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    _tile_stored(1, c + kTile, c_bytes);
    _tile_stored(2, c + kTile * ldc, c_bytes);
    _tile_stored(3, c + kTile * ldc + kTile, c_bytes);
    cpu::memory_barrier();
  }

 private:
  cpu::TileUnit tiles_;
};

}  // namespace

const AttentionKernels kAttentionAmxBf16 = kKernels<Tiles>;

}  // namespace bertha::ops
