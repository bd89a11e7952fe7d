// Attention on tensor cores: bf16, head size 64 (Dao: "FlashAttention-2", 2023). A block of four
// warps takes 64 rows of one head of one sequence, 16 a warp, and walks over the other side 64 rows
// at a time; scores live in registers only. The backward pass has one kernel for the queries'
// gradient and one for keys and values: scores are made twice, and nothing is added atomically.
// Dropout's bits of a 64 x 64 tile are drawn once, a Philox block a thread and eight keys, and
// passed through shared memory.

#include <cmath>

#include "backend/cuda/mma.h"
#include "ops/cuda/attention_arguments_cuda.h"

namespace bertha::ops {
namespace {

using cuda::kWarp;
using Arguments = AttentionArguments<BFloat16>;

constexpr int kSize = kTensorCoreHeadSize;
constexpr int kRows = 64;  ///< of a tile
constexpr int kThreads = 128;
constexpr int kWarpRows = 16;            ///< rows of a tile a warp has
constexpr int kSteps = kSize / 16;       ///< mma's depth is 16
constexpr int kColumnTiles = kRows / 8;  ///< mma's width is 8
constexpr int kChunks = kSize * 2 / 16;  ///< 16-byte chunks of a row
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

/// Sums of a warp: 16 rows by 64 columns, in mma's layout.
using Sums = float[kColumnTiles][4];
/// 16 rows by 64 columns as the left factor.
using Left = uint32_t[kSteps][4];

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

/// Copies `rows` (at most 64) rows that lie `stride` elements apart; the others become 0.
__device__ void copy_tile(const BFloat16* from, int64_t stride, int rows, Tile& to) {
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kChunks; i += kThreads) {
    const int row = i / kChunks;
    const int chunk = i % kChunks;
    Chunk value = {};
    if (row < rows) value = *reinterpret_cast<const Chunk*>(from + row * stride + chunk * 8);
    *to.at(row, chunk) = value;
  }
}

/// The tile's rows [first, first + 16) as left factor.
__device__ void load_left(const Tile& tile, int first, Left& to) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int matrix = lane / 8;
  for (int step = 0; step < kSteps; ++step) {
    cuda::load_matrices(to[step],
                        tile.at(first + matrix % 2 * 8 + lane % 8, step * 2 + matrix / 2));
  }
}

/// sums += left tileᵀ: the tile's rows become columns.
__device__ void multiply_rows(const Left& left, const Tile& tile, Sums& sums) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int matrix = lane / 8;
#pragma unroll
  for (int j = 0; j < kColumnTiles; j += 2) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t right[4];
      cuda::load_matrices(right, tile.at(j * 8 + matrix / 2 * 8 + lane % 8, step * 2 + matrix % 2));
      cuda::mma(sums[j], left[step], right[0], right[1]);
      cuda::mma(sums[j + 1], left[step], right[2], right[3]);
    }
  }
}

/// sums += left tile: the tile's columns stay columns.
__device__ void multiply_columns(const Left& left, const Tile& tile, Sums& sums) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int matrix = lane / 8;
#pragma unroll
  for (int j = 0; j < kColumnTiles; j += 2) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t right[4];
      cuda::load_matrices_transposed(
          right, tile.at(step * 16 + matrix % 2 * 8 + lane % 8, j + matrix / 2));
      cuda::mma(sums[j], left[step], right[0], right[1]);
      cuda::mma(sums[j + 1], left[step], right[2], right[3]);
    }
  }
}

/// Values in the layout of sums as the left factor of the next product.
__device__ void as_left(const Sums& values, Left& to) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
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
  for (int half = 0; half < 2; ++half) {
    const int row = lane.first + lane.row + 8 * half;
    if (row >= rows) continue;
    for (int j = 0; j < kColumnTiles; ++j) {
      *reinterpret_cast<uint32_t*>(to + row * stride + j * 8 + lane.column) =
          cuda::pack_bf16(sums[j][2 * half] * factor[half], sums[j][2 * half + 1] * factor[half]);
    }
  }
}

/// Bits of a tile: bit k of words (2 query, 2 query + 1) says whether key k of the tile stays.
struct KeepTile {
  uint32_t words[2 * kRows];

  __device__ bool keeps(int query, int key) const {
    return (words[2 * query + key / 32] >> (key % 32) & 1U) != 0;
  }
};

/// Draws the bits for queries from `query` (a row of the batch) and keys from `key` on.
__device__ void draw_keeps(const Arguments& a, int query, int key, int head, KeepTile& to) {
  const auto thread = static_cast<int>(threadIdx.x);
  static_assert(kThreads == 2 * kRows);
  const int64_t first = a.element(query + thread / 2, head, key + thread % 2 * 32);
  uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) bits |= keep_bits(a.dropout, first + 8 * i) << (8 * i);
  to.words[thread] = bits;
}

/// The rows a block works on.
struct BlockWork {
  int begin;   ///< first row of the sequence in the batch
  int length;  ///< of the sequence
  int first;   ///< first row of the block in the sequence
  int head;

  __device__ int rows() const { return min(kRows, length - first); }
};
__device__ BlockWork block_work(const Arguments& a) {
  const int begin = a.seq_start[blockIdx.z];
  return {.begin = begin,
          .length = a.seq_start[blockIdx.z + 1] - begin,
          .first = static_cast<int>(blockIdx.x) * kRows,
          .head = static_cast<int>(blockIdx.y)};
}

/// Query (part 0), key (1) or value (2) of a row of the sequence.
__device__ int64_t part_at(const Arguments& a, const BlockWork& w, int part, int row) {
  return int64_t{w.begin + row} * 3 * a.hidden() + part * a.hidden() + w.head * kSize;
}
__device__ int64_t head_at(const Arguments& a, const BlockWork& w, int row) {
  return int64_t{w.begin + row} * a.hidden() + w.head * kSize;
}

/// The four lanes that hold a row combine their values.
template <typename Operation>
__device__ float row_reduce(float value, Operation operation) {
  value = operation(value, __shfl_xor_sync(cuda::kAllLanes, value, 1));
  return operation(value, __shfl_xor_sync(cuda::kAllLanes, value, 2));
}

/// Softmax of a row, key tile by key tile, in powers of 2.
struct RowSoftmax {
  float most = -INFINITY;
  float sum = 0;
};

/// Scores become probabilities relative to the largest so far; keys from `keys` on get 0. Earlier
/// sums are brought to the same scale.
__device__ void online_softmax(float scale, int keys, const Lane& lane, Sums& scores,
                               RowSoftmax (&rows)[2], Sums& sums) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float most = rows[half].most;
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
      for (int i = 0; i < 2; ++i) {
        float& score = scores[j][2 * half + i];
        score = j * 8 + lane.column + i < keys ? score * scale : -INFINITY;
        most = fmaxf(most, score);
      }
    }
    most = row_reduce(most, cuda::Larger());
    const float shrink = exp2f(rows[half].most - most);
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
      for (int i = 0; i < 2; ++i) {
        float& score = scores[j][2 * half + i];
        score = exp2f(score - most);
        sum += score;
        sums[j][2 * half + i] *= shrink;
      }
    }
    rows[half].sum = rows[half].sum * shrink + row_reduce(sum, cuda::Sum());
    rows[half].most = most;
  }
}

/// Probabilities that dropout removes become 0.
__device__ void drop_scores(const KeepTile& keep, const Lane& lane, Sums& scores) {
#pragma unroll
  for (int j = 0; j < kColumnTiles; ++j) {
    for (int i = 0; i < 4; ++i) {
      const int query = lane.first + lane.row + i / 2 * 8;
      if (!keep.keeps(query, j * 8 + lane.column + i % 2)) scores[j][i] = 0;
    }
  }
}

__global__ void __launch_bounds__(kThreads) forward_kernel(Arguments a) {
  __shared__ Tile query, key, value;
  __shared__ KeepTile keep;
  const BlockWork w = block_work(a);
  if (w.first >= w.length) return;
  const Lane lane = lane_of_thread();
  const int64_t stride = int64_t{3} * a.hidden();
  copy_tile(a.qkv + part_at(a, w, 0, w.first), stride, w.rows(), query);
  __syncthreads();
  Left q;
  load_left(query, lane.first, q);
  Sums sums = {};
  RowSoftmax rows[2];
  for (int base = 0; base < w.length; base += kRows) {
    const int keys = min(kRows, w.length - base);
    __syncthreads();  // the tiles of the last turn may still be read
    copy_tile(a.qkv + part_at(a, w, 1, base), stride, keys, key);
    copy_tile(a.qkv + part_at(a, w, 2, base), stride, keys, value);
    if (a.dropout.seed != nullptr) draw_keeps(a, w.begin + w.first, base, w.head, keep);
    __syncthreads();
    Sums scores = {};
    multiply_rows(q, key, scores);
    online_softmax(a.scale * kLog2E, keys, lane, scores, rows, sums);
    if (a.dropout.seed != nullptr) drop_scores(keep, lane, scores);
    Left p;
    as_left(scores, p);
    multiply_columns(p, value, sums);
  }
  const float factor[2] = {a.dropout.scale / rows[0].sum, a.dropout.scale / rows[1].sum};
  write_sums(sums, lane, factor, w.rows(), a.hidden(), a.y + head_at(a, w, w.first));
  for (int half = 0; half < 2; ++half) {
    const int row = lane.first + lane.row + 8 * half;
    if (lane.column != 0 || row >= w.rows()) continue;
    a.lse[int64_t{w.begin + w.first + row} * a.heads + w.head] =
        (rows[half].most + log2f(rows[half].sum)) * kLn2;
  }
}

/// Statistics of the forward pass for a tile's queries; past the last one an lse of infinity makes
/// every probability 0.
struct QueryStatistics {
  float lse2;  ///< in powers of 2
  float delta;
};
__device__ QueryStatistics statistics_of(const Arguments& a, const BlockWork& w, int row) {
  if (row >= w.length) return {.lse2 = INFINITY, .delta = 0};
  const int64_t at = int64_t{w.begin + row} * a.heads + w.head;
  return {.lse2 = a.lse[at] * kLog2E, .delta = a.delta[at]};
}

/// Gradient of a score, but for the factor 1/√D, from the score and the gradient of its probability
/// after dropout.
__device__ float d_score(float scale2, float score, float d_p, float kept,
                         const QueryStatistics& query) {
  return exp2f(score * scale2 - query.lse2) * (d_p * kept - query.delta);
}

__global__ void __launch_bounds__(kThreads) query_kernel(Arguments a) {
  __shared__ Tile query, d_out, key, value;
  __shared__ KeepTile keep;
  const BlockWork w = block_work(a);
  if (w.first >= w.length) return;
  const Lane lane = lane_of_thread();
  const int64_t stride = int64_t{3} * a.hidden();
  copy_tile(a.qkv + part_at(a, w, 0, w.first), stride, w.rows(), query);
  copy_tile(a.d_y + head_at(a, w, w.first), a.hidden(), w.rows(), d_out);
  __syncthreads();
  Left q, d_y;
  load_left(query, lane.first, q);
  load_left(d_out, lane.first, d_y);
  const QueryStatistics statistics[2] = {statistics_of(a, w, w.first + lane.first + lane.row),
                                         statistics_of(a, w, w.first + lane.first + lane.row + 8)};
  Sums sums = {};
  for (int base = 0; base < w.length; base += kRows) {
    const int keys = min(kRows, w.length - base);
    __syncthreads();
    copy_tile(a.qkv + part_at(a, w, 1, base), stride, keys, key);
    copy_tile(a.qkv + part_at(a, w, 2, base), stride, keys, value);
    if (a.dropout.seed != nullptr) draw_keeps(a, w.begin + w.first, base, w.head, keep);
    __syncthreads();
    Sums scores = {};
    Sums d_p = {};
    multiply_rows(q, key, scores);
    multiply_rows(d_y, value, d_p);
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int at = j * 8 + lane.column + i % 2;
        const bool stays =
            a.dropout.seed == nullptr || keep.keeps(lane.first + lane.row + i / 2 * 8, at);
        const float gradient = d_score(a.scale * kLog2E, scores[j][i], d_p[j][i],
                                       stays ? a.dropout.scale : 0.0F, statistics[i / 2]);
        scores[j][i] = at < keys ? gradient : 0.0F;
      }
    }
    Left d_scores;
    as_left(scores, d_scores);
    multiply_columns(d_scores, key, sums);
  }
  const float factor[2] = {a.scale, a.scale};
  write_sums(sums, lane, factor, w.rows(), stride, a.d_qkv + part_at(a, w, 0, w.first));
}

/// Here rows are keys and columns queries.
__global__ void __launch_bounds__(kThreads) key_value_kernel(Arguments a) {
  __shared__ Tile key, value, query, d_out;
  __shared__ KeepTile keep;
  __shared__ QueryStatistics statistics[kRows];
  const BlockWork w = block_work(a);
  if (w.first >= w.length) return;
  const Lane lane = lane_of_thread();
  const int64_t stride = int64_t{3} * a.hidden();
  copy_tile(a.qkv + part_at(a, w, 1, w.first), stride, w.rows(), key);
  copy_tile(a.qkv + part_at(a, w, 2, w.first), stride, w.rows(), value);
  __syncthreads();
  Left k, v;
  load_left(key, lane.first, k);
  load_left(value, lane.first, v);
  Sums d_k = {};
  Sums d_v = {};
  for (int base = 0; base < w.length; base += kRows) {
    const int queries = min(kRows, w.length - base);
    __syncthreads();
    copy_tile(a.qkv + part_at(a, w, 0, base), stride, queries, query);
    copy_tile(a.d_y + head_at(a, w, base), a.hidden(), queries, d_out);
    if (threadIdx.x < kRows) {
      statistics[threadIdx.x] = statistics_of(a, w, base + static_cast<int>(threadIdx.x));
    }
    if (a.dropout.seed != nullptr) draw_keeps(a, w.begin + base, w.first, w.head, keep);
    __syncthreads();
    Sums scores = {};
    Sums d_p = {};
    multiply_rows(k, query, scores);
    multiply_rows(v, d_out, d_p);
#pragma unroll
    for (int j = 0; j < kColumnTiles; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int at = j * 8 + lane.column + i % 2;
        const QueryStatistics of_query = statistics[at];
        const bool stays =
            a.dropout.seed == nullptr || keep.keeps(at, lane.first + lane.row + i / 2 * 8);
        const float kept = stays ? a.dropout.scale : 0.0F;
        const float score = scores[j][i];
        scores[j][i] = exp2f(score * a.scale * kLog2E - of_query.lse2) * kept;
        d_p[j][i] = d_score(a.scale * kLog2E, score, d_p[j][i], kept, of_query);
      }
    }
    Left p;
    as_left(scores, p);
    multiply_columns(p, d_out, d_v);
    as_left(d_p, p);
    multiply_columns(p, query, d_k);
  }
  const float d_k_factor[2] = {a.scale, a.scale};
  const float d_v_factor[2] = {1, 1};
  write_sums(d_k, lane, d_k_factor, w.rows(), stride, a.d_qkv + part_at(a, w, 1, w.first));
  write_sums(d_v, lane, d_v_factor, w.rows(), stride, a.d_qkv + part_at(a, w, 2, w.first));
}

/// Zeroes the rows of no sequence: of `values` [T,columns] and, where given, of lse [T,heads].
__global__ void clear_kernel(const int32_t* end_of_sequences, int tokens, int columns,
                             BFloat16* values, int heads, float* lse) {
  for (int row = *end_of_sequences + static_cast<int>(blockIdx.x); row < tokens;
       row += static_cast<int>(gridDim.x)) {
    for (int c = static_cast<int>(threadIdx.x); c < columns; c += kThreads) {
      values[int64_t{row} * columns + c].bits = 0;
    }
    for (int h = static_cast<int>(threadIdx.x); lse != nullptr && h < heads; h += kThreads) {
      lse[int64_t{row} * heads + h] = 0;
    }
  }
}

/// The host does not know the lengths: blocks past the end of their sequence return at once.
cuda::Grid tile_grid(const char* name, const Arguments& a) {
  const int longest = std::min(a.max_length, a.tokens);
  return {.name = name,
          .blocks = {cuda::blocks_for(longest, kRows), static_cast<unsigned>(a.heads),
                     static_cast<unsigned>(a.sequences)},
          .threads = {kThreads}};
}

cuda::Grid clear_grid() {
  return {.name = "attention_clear", .blocks = {64}, .threads = {kThreads}};
}

}  // namespace

void attention_tensor_cores(const cuda::CudaDevice& device, const Arguments& arguments) {
  cuda::launch(device, tile_grid("attention", arguments), forward_kernel, arguments);
  cuda::launch(device, clear_grid(), clear_kernel, arguments.seq_start + arguments.sequences,
               arguments.tokens, arguments.hidden(), arguments.y, arguments.heads, arguments.lse);
}

void attention_backward_tensor_cores(const cuda::CudaDevice& device, const Arguments& arguments) {
  attention_delta(device, arguments);
  cuda::launch(device, tile_grid("attention_d_query", arguments), query_kernel, arguments);
  cuda::launch(device, tile_grid("attention_d_key_value", arguments), key_value_kernel, arguments);
  cuda::launch(device, clear_grid(), clear_kernel, arguments.seq_start + arguments.sequences,
               arguments.tokens, 3 * arguments.hidden(), arguments.d_qkv, 0, nullptr);
}

}  // namespace bertha::ops
