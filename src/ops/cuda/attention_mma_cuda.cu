// Attention on tensor cores: bf16, head size 64 (Dao: "FlashAttention-2", 2023). A block of four
// warps takes 64 rows of one head of one sequence, 16 a warp, and walks over the other side 64 rows
// at a time; scores live in registers only. Two stages of tiles in shared memory alternate: while
// one is multiplied, the next one is copied. The backward pass has one kernel for the queries'
// gradient and one for keys and values: scores are made twice, and nothing is added atomically.
// The forward pass draws dropout's bits of a 64 x 64 tile once, a Philox block a thread and eight
// keys, and keeps them for the backward pass.

#include <cmath>

#include "backend/cuda/async_copy.h"
#include "backend/cuda/mma.h"
#include "ops/cuda/attention_arguments_cuda.h"

namespace bertha::ops {
namespace {

using cuda::kWarp;
using Arguments = AttentionArguments<BFloat16>;

constexpr int kSize = kTensorCoreHeadSize;
constexpr int kRows = kAttentionTileRows;
constexpr int kThreads = 128;
constexpr int kBlocks = 3;     ///< a multiprocessor holds: bounds the registers of a thread to 168
constexpr int kWarpRows = 16;  ///< rows of a tile a warp has
constexpr int kSteps = kSize / 16;             ///< mma's depth is 16
constexpr int kColumnTiles = kRows / 8;        ///< mma's width is 8
constexpr int kChunks = kSize * 2 / 16;        ///< 16-byte chunks of a row
constexpr int kCopyRows = kThreads / kChunks;  ///< rows that all threads copy at once
constexpr float kLog2E = 1.44269504F;
constexpr float kLn2 = 0.693147181F;

/// 16 bytes, loaded and stored at once.
struct alignas(16) Chunk {
  uint32_t words[4];
};

/// 64 rows of 64 bf16 in shared memory. Chunk c of row r lies at c ^ (r % 8), so that eight rows of
/// one column of chunks fall in different banks.
struct alignas(128) Tile {
  Chunk chunks[kRows * kChunks];

  __device__ const Chunk* at(int row, int chunk) const {
    return &chunks[row * kChunks + (chunk ^ (row % 8))];
  }
  __device__ Chunk* at(int row, int chunk) { return &chunks[row * kChunks + (chunk ^ (row % 8))]; }
};

/// Bits of a tile of scores: bit k of words (2 query, 2 query + 1) says whether key k stays.
struct alignas(16) KeepTile {
  uint32_t words[2 * kRows];
};
static_assert(sizeof(KeepTile) == sizeof(uint32_t) * kAttentionTileWords);

/// Sums of a warp: 16 rows by 64 columns, in mma's layout.
using Sums = float[kColumnTiles][4];
/// The backward kernels make scores of 32 columns at a time, so that those of the next 32 need no
/// registers meanwhile.
constexpr int kPartColumns = 32;
using PartSums = float[kPartColumns / 8][4];
using PartLeft = uint32_t[kPartColumns / 16][4];

/// Which elements of its warp's 16 rows a lane holds: rows row and row + 8, columns 8 j + column
/// and the next.
struct Lane {
  int first;  ///< row of the tile at which the warp's rows start
  int row;
  int column;
};
__device__ Lane lane_of_thread() {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % kWarp;
  return {.first = thread / kWarp * kWarpRows, .row = lane / 4, .column = 2 * (lane % 4)};
}

/// Begins to copy `rows` (at most 64) rows that lie `stride` elements apart; the others become 0.
__device__ void copy_tile(const BFloat16* from, int64_t stride, int rows, Tile& to) {
  const int row = static_cast<int>(threadIdx.x) / kChunks;
  const int chunk = static_cast<int>(threadIdx.x) % kChunks;
#pragma unroll
  for (int i = 0; i < kRows; i += kCopyRows) {
    const bool inside = row + i < rows;
    cuda::copy_async_16(to.at(row + i, chunk),
                        from + (inside ? (row + i) * stride + chunk * 8 : int64_t{0}),
                        inside ? 16 : 0);
  }
}

/// sums += left rightᵀ: the right tile's rows from `from` on become columns. `first` is the warp's
/// first row in the left tile.
template <int kTiles>
__device__ void multiply_rows(const Tile& left, int first, const Tile& right, int from,
                              float (&sums)[kTiles][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int matrix = lane / 8;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    uint32_t a[4];
    cuda::load_matrices(a, left.at(first + matrix % 2 * 8 + lane % 8, step * 2 + matrix / 2));
#pragma unroll
    for (int j = 0; j < kTiles; j += 2) {
      uint32_t b[4];
      cuda::load_matrices(
          b, right.at(from + j * 8 + matrix / 2 * 8 + lane % 8, step * 2 + matrix % 2));
      cuda::mma(sums[j], a, b[0], b[1]);
      cuda::mma(sums[j + 1], a, b[2], b[3]);
    }
  }
}

/// sums += left tile: the tile's rows from `from` on meet the left factor's columns, and its
/// columns stay columns.
template <int kDepths>
__device__ void multiply_columns(const uint32_t (&left)[kDepths][4], const Tile& tile, int from,
                                 Sums& sums) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int matrix = lane / 8;
#pragma unroll
  for (int j = 0; j < kColumnTiles; j += 2) {
#pragma unroll
    for (int step = 0; step < kDepths; ++step) {
      uint32_t right[4];
      cuda::load_matrices_transposed(
          right, tile.at(from + step * 16 + matrix % 2 * 8 + lane % 8, j + matrix / 2));
      cuda::mma(sums[j], left[step], right[0], right[1]);
      cuda::mma(sums[j + 1], left[step], right[2], right[3]);
    }
  }
}

/// Values in the layout of sums as the left factor of the next product.
template <int kTiles>
__device__ void as_left(const float (&values)[kTiles][4], uint32_t (&to)[kTiles / 2][4]) {
#pragma unroll
  for (int step = 0; step < kTiles / 2; ++step) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float(&v)[4] = values[2 * step + half];
      to[step][2 * half] = cuda::pack_bf16(v[0], v[1]);
      to[step][2 * half + 1] = cuda::pack_bf16(v[2], v[3]);
    }
  }
}

/// Writes factor[row half] * sums to the rows of a head below `rows`.
__device__ void write_sums(const Sums& sums, const Lane& lane, const float (&factor)[2], int rows,
                           int64_t stride, BFloat16* to) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane.first + lane.row + 8 * half;
    if (row >= rows) continue;
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
      *reinterpret_cast<uint32_t*>(to + row * stride + j * 8 + lane.column) =
          cuda::pack_bf16(sums[j][2 * half] * factor[half], sums[j][2 * half + 1] * factor[half]);
    }
  }
}

/// Writes 0 to `rows` (at most 64) rows of a head.
__device__ void clear_rows(int rows, int64_t stride, BFloat16* to) {
  const int chunk = static_cast<int>(threadIdx.x) % kChunks;
  for (int row = static_cast<int>(threadIdx.x) / kChunks; row < rows; row += kCopyRows) {
    *reinterpret_cast<Chunk*>(to + row * stride + chunk * 8) = {};
  }
}

/// The rows a block works on. Tiles of 64 rows lie in slots, those of sequence s from the slot
/// seq_start[s] / 64 + s on: a sequence of l rows from b to e has ⌈l/64⌉ <= ⌊e/64⌋ - ⌊b/64⌋ + 1
/// tiles, so no two share a slot. The slots after the last sequence are for the rows of none.
struct BlockWork {
  int begin;   ///< first row of the sequence in the batch
  int length;  ///< of the sequence
  int slot;    ///< of the sequence's first tile
  int first;   ///< first row of the block in the sequence
  int head;
  bool filler;  ///< the rows belong to no sequence

  __device__ int rows() const { return min(kRows, length - first); }
};

__device__ int slot_of(const Arguments& a, int sequence) {
  return a.seq_start[sequence] / kRows + sequence;
}

/// Each warp searches the slots of all sequences, 32 at a time.
__device__ BlockWork block_work(const Arguments& a) {
  const auto slot = static_cast<int>(blockIdx.x);
  int sequence = -1;
  unsigned started = cuda::kAllLanes;
  for (int base = 0; base <= a.sequences && started == cuda::kAllLanes; base += kWarp) {
    const int s = base + static_cast<int>(threadIdx.x) % kWarp;
    started =
        __ballot_sync(cuda::kAllLanes, static_cast<int>(s <= a.sequences && slot_of(a, s) <= slot));
    sequence += __popc(started);
  }
  const int begin = a.seq_start[sequence];
  const bool filler = sequence == a.sequences;
  const int first_slot = begin / kRows + sequence;
  return {.begin = begin,
          .length = (filler ? a.tokens : a.seq_start[sequence + 1]) - begin,
          .slot = first_slot,
          .first = (slot - first_slot) * kRows,
          .head = static_cast<int>(blockIdx.y),
          .filler = filler};
}

/// Query (part 0), key (1) or value (2) of a row of the sequence.
__device__ int64_t part_at(const Arguments& a, const BlockWork& w, int part, int row) {
  return int64_t{w.begin + row} * 3 * a.hidden() + part * a.hidden() + w.head * kSize;
}
__device__ int64_t head_at(const Arguments& a, const BlockWork& w, int row) {
  return int64_t{w.begin + row} * a.hidden() + w.head * kSize;
}
/// A row's place in lse and delta.
__device__ int64_t statistic_at(const Arguments& a, const BlockWork& w, int row) {
  return int64_t{w.begin + row} * a.heads + w.head;
}

/// Words of the tile of queries from `query` and keys from `key` of the sequence on.
__device__ uint32_t* kept_tile(const Arguments& a, const BlockWork& w, int query, int key) {
  const int64_t tile =
      (int64_t{w.slot + query / kRows} * a.heads + w.head) * a.key_tiles() + key / kRows;
  return a.kept + tile * kAttentionTileWords;
}

/// Draws this thread's word of a tile, and keeps it where the backward pass wants it.
__device__ void draw_keeps(const Arguments& a, const BlockWork& w, int query, int key,
                           KeepTile& to) {
  const auto thread = static_cast<int>(threadIdx.x);
  static_assert(kThreads == 2 * kRows);
  const int64_t first = a.element(w.begin + query + thread / 2, w.head, key + thread % 2 * 32);
  uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) bits |= keep_bits(a.dropout, first + 8 * i) << (8 * i);
  to.words[thread] = bits;
  if (a.kept != nullptr) kept_tile(a, w, query, key)[thread] = bits;
}

/// Two tiles and the dropout of their scores.
struct Stage {
  Tile first;
  Tile second;
  KeepTile keep;
};

/// Begins to copy keys and values from row `base` of the sequence on.
__device__ void copy_keys(const Arguments& a, const BlockWork& w, int base, Stage& to) {
  const int keys = min(kRows, w.length - base);
  const int64_t stride = int64_t{3} * a.hidden();
  copy_tile(a.qkv + part_at(a, w, 1, base), stride, keys, to.first);
  copy_tile(a.qkv + part_at(a, w, 2, base), stride, keys, to.second);
}
/// Begins to copy the dropout that the forward pass kept.
__device__ void copy_keeps(const Arguments& a, const BlockWork& w, int query, int key,
                           KeepTile& to) {
  constexpr int kWords = 4;
  const int word = static_cast<int>(threadIdx.x) * kWords;
  if (a.kept == nullptr || word >= kAttentionTileWords) return;
  cuda::copy_async_16(&to.words[word], kept_tile(a, w, query, key) + word);
}

/// A lane's bits of dropout for 32 columns of its two rows, which are queries; all are set without
/// dropout.
struct RowKeeps {
  uint32_t words[2];  ///< by row; the lane's first column is bit 0

  __device__ bool keeps(int j, int i) const {
    return (words[i / 2] >> (j % 4 * 8 + i % 2) & 1U) != 0;
  }
};
/// `part` is which 32 columns of the tile.
__device__ RowKeeps row_keeps(const Arguments& a, const KeepTile& keep, const Lane& lane,
                              int part) {
  if (a.dropout.seed == nullptr) return {{cuda::kAllLanes, cuda::kAllLanes}};
  const int word = 2 * (lane.first + lane.row) + part;
  return {{keep.words[word] >> lane.column, keep.words[word + 2 * 8] >> lane.column}};
}

/// The four lanes that hold a row combine their values.
template <typename Operation>
__device__ float row_reduce(float value, Operation operation) {
  value = operation(value, __shfl_xor_sync(cuda::kAllLanes, value, 1));
  return operation(value, __shfl_xor_sync(cuda::kAllLanes, value, 2));
}

/// Scores of the columns from `columns` on become -∞.
template <int kTiles>
__device__ void hide_columns(int columns, const Lane& lane, float (&scores)[kTiles][4]) {
  if (columns >= kTiles * 8) return;
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (j * 8 + lane.column + i % 2 >= columns) scores[j][i] = -INFINITY;
    }
  }
}

/// Softmax of a row, key tile by key tile.
struct RowSoftmax {
  float most = -INFINITY;  ///< of the scores before they are scaled
  float sum = 0;
};

/// Scores become probabilities relative to the largest so far. Earlier sums are brought to the same
/// scale. `scale2` is that of the scores for powers of 2.
__device__ void online_softmax(float scale2, Sums& scores, RowSoftmax (&rows)[2], Sums& sums) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float most = rows[half].most;
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
      most = fmaxf(most, fmaxf(scores[j][2 * half], scores[j][2 * half + 1]));
    }
    most = row_reduce(most, cuda::Larger());
    const float shrink = cuda::fast_exp2((rows[half].most - most) * scale2);
    const float shift = most * scale2;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float& score = scores[j][2 * half + i];
        score = cuda::fast_exp2(score * scale2 - shift);
        sum += score;
        sums[j][2 * half + i] *= shrink;
      }
    }
    rows[half].sum = rows[half].sum * shrink + row_reduce(sum, cuda::Sum());
    rows[half].most = most;
  }
}

/// Probabilities that dropout removes become 0.
__device__ void drop_scores(const Arguments& a, const KeepTile& keep, const Lane& lane,
                            Sums& scores) {
#pragma unroll
  for (int part = 0; part < kRows / kPartColumns; ++part) {
    const RowKeeps keeps = row_keeps(a, keep, lane, part);
#pragma unroll
    for (int j = 0; j < kPartColumns / 8; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (!keeps.keeps(j, i)) scores[part * kPartColumns / 8 + j][i] = 0;
      }
    }
  }
}

struct ForwardMemory {
  Tile query;
  Stage stages[2];
};

/// y and lse of the block's rows.
__device__ void write_rows(const Arguments& a, const BlockWork& w, const Lane& lane,
                           const Sums& sums, const RowSoftmax (&rows)[2]) {
  const float factor[2] = {a.dropout.scale / rows[0].sum, a.dropout.scale / rows[1].sum};
  write_sums(sums, lane, factor, w.rows(), a.hidden(), a.y + head_at(a, w, w.first));
  for (int half = 0; half < 2; ++half) {
    const int row = lane.first + lane.row + 8 * half;
    if (lane.column != 0 || row >= w.rows()) continue;
    a.lse[statistic_at(a, w, w.first + row)] =
        (rows[half].most * a.scale * kLog2E + log2f(rows[half].sum)) * kLn2;
  }
}

__global__ void __launch_bounds__(kThreads, kBlocks) forward_kernel(Arguments a) {
  auto& shared = *cuda::dynamic_shared<ForwardMemory>();
  const BlockWork w = block_work(a);
  if (w.first >= w.length) return;
  if (w.filler) {
    clear_rows(w.rows(), a.hidden(), a.y + head_at(a, w, w.first));
    const auto row = static_cast<int>(threadIdx.x);
    if (row < w.rows()) a.lse[statistic_at(a, w, w.first + row)] = 0;
    return;
  }
  const Lane lane = lane_of_thread();
  copy_tile(a.qkv + part_at(a, w, 0, w.first), int64_t{3} * a.hidden(), w.rows(), shared.query);
  copy_keys(a, w, 0, shared.stages[0]);
  cuda::end_copy_group();
  Sums sums = {};
  RowSoftmax rows[2];
  int turn = 0;
  for (int base = 0; base < w.length; base += kRows, turn ^= 1) {
    Stage& stage = shared.stages[turn];
    if (base + kRows < w.length) copy_keys(a, w, base + kRows, shared.stages[turn ^ 1]);
    cuda::end_copy_group();
    if (a.dropout.seed != nullptr) draw_keeps(a, w, w.first, base, stage.keep);
    cuda::wait_copies<1>();
    __syncthreads();
    Sums scores = {};
    multiply_rows(shared.query, lane.first, stage.first, 0, scores);
    hide_columns(w.length - base, lane, scores);
    online_softmax(a.scale * kLog2E, scores, rows, sums);
    if (a.dropout.seed != nullptr) drop_scores(a, stage.keep, lane, scores);
    uint32_t p[kSteps][4];
    as_left(scores, p);
    multiply_columns(p, stage.second, 0, sums);
    __syncthreads();  // before the next copies to this stage
  }
  write_rows(a, w, lane, sums, rows);
}

struct QueryMemory {
  Tile query, d_out;
  Stage stages[2];
  float delta[kRows];
};

/// Writes delta = Σ d_y y of the block's rows, which the other backward kernel reads, too. `y` is
/// the tile of the forward pass's results.
__device__ void find_delta(const Arguments& a, const BlockWork& w, const Tile& y, const Tile& d_out,
                           float (&delta)[kRows]) {
  const int row = static_cast<int>(threadIdx.x) / 2;
  const int half = static_cast<int>(threadIdx.x) % 2;
  float sum = 0;
#pragma unroll
  for (int chunk = 0; chunk < kChunks / 2; ++chunk) {
    float left[8], right[8];
    cuda::load(reinterpret_cast<const BFloat16*>(y.at(row, half * kChunks / 2 + chunk)), left);
    cuda::load(reinterpret_cast<const BFloat16*>(d_out.at(row, half * kChunks / 2 + chunk)), right);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += left[i] * right[i];
  }
  sum += __shfl_xor_sync(cuda::kAllLanes, sum, 1);
  if (half != 0) return;
  delta[row] = sum;
  if (row < w.rows()) a.delta[statistic_at(a, w, w.first + row)] = sum;
}

/// -log2 Σ exp of a query's scores; past the last query -∞, which makes every probability 0.
__device__ float minus_lse2(const Arguments& a, const BlockWork& w, int row) {
  return row < w.length ? -a.lse[statistic_at(a, w, row)] * kLog2E : -INFINITY;
}

/// Scores become their gradients, but for the factor 1/√D; rows are queries.
__device__ void query_gradients(const Arguments& a, const RowKeeps& keeps, const float (&shift)[2],
                                const float (&delta)[2], const PartSums& d_p, PartSums& scores) {
  const float scale2 = a.scale * kLog2E;
#pragma unroll
  for (int j = 0; j < kPartColumns / 8; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float p = cuda::fast_exp2(scores[j][i] * scale2 + shift[i / 2]);
      const float kept = keeps.keeps(j, i) ? d_p[j][i] * a.dropout.scale : 0.0F;
      scores[j][i] = p * (kept - delta[i / 2]);
    }
  }
}

/// With kDraws the forward pass has kept no dropout.
template <bool kDraws>
__global__ void __launch_bounds__(kThreads, kBlocks) query_kernel(Arguments a) {
  auto& shared = *cuda::dynamic_shared<QueryMemory>();
  const BlockWork w = block_work(a);
  if (w.first >= w.length) return;
  const int64_t stride = int64_t{3} * a.hidden();
  if (w.filler) return clear_rows(w.rows(), stride, a.d_qkv + part_at(a, w, 0, w.first));
  const Lane lane = lane_of_thread();
  copy_tile(a.qkv + part_at(a, w, 0, w.first), stride, w.rows(), shared.query);
  copy_tile(a.d_y + head_at(a, w, w.first), a.hidden(), w.rows(), shared.d_out);
  Tile& y = shared.stages[1].first;  // its turn as a stage comes later
  copy_tile(a.y + head_at(a, w, w.first), a.hidden(), w.rows(), y);
  copy_keys(a, w, 0, shared.stages[0]);
  copy_keeps(a, w, w.first, 0, shared.stages[0].keep);
  cuda::end_copy_group();
  cuda::wait_copies<0>();
  __syncthreads();
  find_delta(a, w, y, shared.d_out, shared.delta);
  __syncthreads();
  const int row = lane.first + lane.row;
  const float delta[2] = {shared.delta[row], shared.delta[row + 8]};
  const float shift[2] = {minus_lse2(a, w, w.first + row), minus_lse2(a, w, w.first + row + 8)};
  Sums sums = {};
  int turn = 0;
  for (int base = 0; base < w.length; base += kRows, turn ^= 1) {
    Stage& stage = shared.stages[turn];
    if (base + kRows < w.length) {
      copy_keys(a, w, base + kRows, shared.stages[turn ^ 1]);
      copy_keeps(a, w, w.first, base + kRows, shared.stages[turn ^ 1].keep);
    }
    cuda::end_copy_group();
    if constexpr (kDraws) draw_keeps(a, w, w.first, base, stage.keep);
    cuda::wait_copies<1>();
    __syncthreads();
#pragma unroll 1
    for (int key = 0; key < kRows; key += kPartColumns) {
      PartSums scores = {};
      PartSums d_p = {};
      multiply_rows(shared.query, lane.first, stage.first, key, scores);
      multiply_rows(shared.d_out, lane.first, stage.second, key, d_p);
      hide_columns(w.length - base - key, lane, scores);
      query_gradients(a, row_keeps(a, stage.keep, lane, key / kPartColumns), shift, delta, d_p,
                      scores);
      PartLeft d_scores;
      as_left(scores, d_scores);
      multiply_columns(d_scores, stage.first, key, sums);
    }
    __syncthreads();
  }
  const float factor[2] = {a.scale, a.scale};
  write_sums(sums, lane, factor, w.rows(), stride, a.d_qkv + part_at(a, w, 0, w.first));
}

/// A stage of the kernel for keys and values: queries, gradients of the results, and statistics.
struct QueryStage {
  Stage tiles;
  float shift[kRows];  ///< lse when it is copied, then -log2 Σ exp, which is -∞ past the last query
  float delta[kRows];
};
struct KeyValueMemory {
  Tile key, value;
  QueryStage stages[2];
};

/// Begins to copy queries from row `base` of the sequence on, and what belongs to them.
__device__ void copy_queries(const Arguments& a, const BlockWork& w, int base, QueryStage& to) {
  const int queries = min(kRows, w.length - base);
  copy_tile(a.qkv + part_at(a, w, 0, base), int64_t{3} * a.hidden(), queries, to.tiles.first);
  copy_tile(a.d_y + head_at(a, w, base), a.hidden(), queries, to.tiles.second);
  copy_keeps(a, w, base, w.first, to.tiles.keep);
  const auto row = static_cast<int>(threadIdx.x);
  if (row >= kRows) return;
  const bool inside = row < queries;
  const int64_t at = statistic_at(a, w, inside ? base + row : base);
  cuda::copy_async_4(&to.shift[row], a.lse + at, inside ? 4 : 0);
  cuda::copy_async_4(&to.delta[row], a.delta + at, inside ? 4 : 0);
}

/// Scores become probabilities after dropout but for its scale, and d_p the scores' gradients but
/// for 1/√D. Rows are keys, and columns queries from `query` of the stage on.
__device__ void key_gradients(const Arguments& a, const QueryStage& stage, const Lane& lane,
                              int query, PartSums& scores, PartSums& d_p) {
  const float scale2 = a.scale * kLog2E;
  const int row = lane.first + lane.row;
#pragma unroll
  for (int j = 0; j < kPartColumns / 8; ++j) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int at = query + j * 8 + lane.column + c;
      const uint32_t keeps = a.dropout.seed == nullptr
                                 ? cuda::kAllLanes
                                 : stage.tiles.keep.words[2 * at + row / 32] >> (row % 32);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int i = 2 * half + c;
        const float p = cuda::fast_exp2(scores[j][i] * scale2 + stage.shift[at]);
        const bool stays = (keeps >> (8 * half) & 1U) != 0;
        scores[j][i] = stays ? p : 0.0F;
        d_p[j][i] = p * ((stays ? d_p[j][i] * a.dropout.scale : 0.0F) - stage.delta[at]);
      }
    }
  }
}

template <bool kDraws>
__global__ void __launch_bounds__(kThreads, kBlocks) key_value_kernel(Arguments a) {
  auto& shared = *cuda::dynamic_shared<KeyValueMemory>();
  const BlockWork w = block_work(a);
  if (w.first >= w.length) return;
  const int64_t stride = int64_t{3} * a.hidden();
  if (w.filler) {
    clear_rows(w.rows(), stride, a.d_qkv + part_at(a, w, 1, w.first));
    return clear_rows(w.rows(), stride, a.d_qkv + part_at(a, w, 2, w.first));
  }
  const Lane lane = lane_of_thread();
  copy_tile(a.qkv + part_at(a, w, 1, w.first), stride, w.rows(), shared.key);
  copy_tile(a.qkv + part_at(a, w, 2, w.first), stride, w.rows(), shared.value);
  copy_queries(a, w, 0, shared.stages[0]);
  cuda::end_copy_group();
  Sums d_k = {};
  Sums d_v = {};
  int turn = 0;
  for (int base = 0; base < w.length; base += kRows, turn ^= 1) {
    QueryStage& stage = shared.stages[turn];
    if (base + kRows < w.length) copy_queries(a, w, base + kRows, shared.stages[turn ^ 1]);
    cuda::end_copy_group();
    if constexpr (kDraws) draw_keeps(a, w, base, w.first, stage.tiles.keep);
    cuda::wait_copies<1>();
    const auto own = static_cast<int>(threadIdx.x);  // a thread sees its own copies
    if (own < kRows) {
      stage.shift[own] = base + own < w.length ? -stage.shift[own] * kLog2E : -INFINITY;
    }
    __syncthreads();
#pragma unroll 1
    for (int part = 0; part < kRows; part += kPartColumns) {
      PartSums scores = {};
      PartSums d_p = {};
      multiply_rows(shared.key, lane.first, stage.tiles.first, part, scores);
      multiply_rows(shared.value, lane.first, stage.tiles.second, part, d_p);
      key_gradients(a, stage, lane, part, scores, d_p);
      PartLeft p;
      as_left(scores, p);
      multiply_columns(p, stage.tiles.second, part, d_v);
      as_left(d_p, p);
      multiply_columns(p, stage.tiles.first, part, d_k);
    }
    __syncthreads();
  }
  const float d_k_factor[2] = {a.scale, a.scale};
  const float d_v_factor[2] = {a.dropout.scale, a.dropout.scale};
  write_sums(d_k, lane, d_k_factor, w.rows(), stride, a.d_qkv + part_at(a, w, 1, w.first));
  write_sums(d_v, lane, d_v_factor, w.rows(), stride, a.d_qkv + part_at(a, w, 2, w.first));
}

/// The host does not know the lengths. Few blocks have no tile, and they return at once.
template <typename Memory>
cuda::Grid tile_grid(const char* name, const Arguments& a) {
  static_assert(kBlocks * (sizeof(Memory) + 1024) <= 163 << 10, "of a multiprocessor of 8.0");
  return {.name = name,
          .blocks = {static_cast<unsigned>(attention_tile_slots(a.tokens, a.sequences)),
                     static_cast<unsigned>(a.heads)},
          .threads = {kThreads},
          .shared_bytes = int64_t{sizeof(Memory)}};
}

}  // namespace

void attention_tensor_cores(const cuda::CudaDevice& device, const Arguments& arguments) {
  cuda::launch(device, tile_grid<ForwardMemory>("attention", arguments), forward_kernel, arguments);
}

void attention_backward_tensor_cores(const cuda::CudaDevice& device, const Arguments& arguments) {
  const bool draws = arguments.dropout.seed != nullptr && arguments.kept == nullptr;
  cuda::launch(device, tile_grid<QueryMemory>("attention_d_query", arguments),
               draws ? query_kernel<true> : query_kernel<false>, arguments);
  cuda::launch(device, tile_grid<KeyValueMemory>("attention_d_key_value", arguments),
               draws ? key_value_kernel<true> : key_value_kernel<false>, arguments);
}

}  // namespace bertha::ops
