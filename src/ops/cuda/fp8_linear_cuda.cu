// Products of 8-bit floats: operands are rounded to bytes, and cuBLASLt multiplies bytes (Hopper
// and newer). It takes both factors with the sum along their rows alone, so weights, inputs and
// gradients are also written transposed for the backward pass. Where the library has no such
// product, operands are rounded to the same numbers in bf16 or f32.

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "backend/cuda/products.h"
#include "ops/cuda/cuda_kernels.h"
#include "ops/cuda/linear_cuda.h"
#include "ops/fp8_linear.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = kFp8Partials;
constexpr int kSide = 32;  ///< of the tiles that are transposed
constexpr int kTileRows = 8;

/// Each block's largest magnitude; infinity where an element is not finite.
template <typename E, int kPack>
__global__ void __launch_bounds__(kThreads)
    magnitude_kernel(const E* values, int64_t packs, float* partials) {
  float largest = 0;
  for (int64_t pack = int64_t{blockIdx.x} * kThreads + threadIdx.x; pack < packs;
       pack += int64_t{gridDim.x} * kThreads) {
    float of_pack[kPack];
    cuda::load(values + pack * kPack, of_pack);
    for (int i = 0; i < kPack; ++i) {
      const float magnitude = fabsf(of_pack[i]);
      largest = fmaxf(largest, magnitude < INFINITY ? magnitude : INFINITY);
    }
  }
  largest = cuda::block_reduce<kThreads>(largest, cuda::Larger());
  if (threadIdx.x == 0) partials[blockIdx.x] = largest;
}

/// One block: notes the use in the operand's state.
__global__ void __launch_bounds__(kThreads)
    note_kernel(const float* partials, int count, Fp8Format format, float* state) {
  float largest = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    largest = fmaxf(largest, partials[i]);
  }
  largest = cuda::block_reduce<kThreads>(largest, cuda::Larger());
  if (threadIdx.x == 0) note_fp8_use(largest, format, state);
}

/// Rounded to the format, in the operand's own type.
template <typename E>
__global__ void __launch_bounds__(kThreads)
    round_kernel(const E* from, int64_t size, Fp8Format format, const float* state, E* to) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= size) return;
  to[i] = cuda::narrow<E>(round_to_fp8(cuda::widen(from[i]), state[kFp8Scale], format));
}

/// Bytes of a matrix [rows, columns], of its transpose, or of both; null: not wanted.
struct Bytes {
  uint8_t* rows;
  uint8_t* transposed;
};

template <typename E>
__global__ void __launch_bounds__(kSide* kTileRows)
    bytes_kernel(const E* from, int64_t rows, int64_t columns, Fp8Format format, const float* state,
                 Bytes to) {
  __shared__ uint8_t tile[kSide][kSide + 1];
  const float scale = state[kFp8Scale];
  const int64_t row = int64_t{blockIdx.x} * kSide;
  const int64_t column = int64_t{blockIdx.y} * kSide;
  const auto x = static_cast<int>(threadIdx.x);
  for (int y = static_cast<int>(threadIdx.y); y < kSide; y += kTileRows) {
    if (row + y >= rows || column + x >= columns) continue;
    const int64_t at = (row + y) * columns + column + x;
    const uint8_t bits = cuda::float_to_fp8_bits(cuda::widen(from[at]) * scale, format);
    if (to.rows != nullptr) to.rows[at] = bits;
    tile[y][x] = bits;
  }
  if (to.transposed == nullptr) return;
  __syncthreads();
  for (int y = static_cast<int>(threadIdx.y); y < kSide; y += kTileRows) {
    if (column + y >= columns || row + x >= rows) continue;
    to.transposed[(column + y) * rows + row + x] = tile[x][y];
  }
}

void note_maxima(const cuda::CudaDevice& device, const float* maxima, int64_t count,
                 Fp8Format format, InOut state) {
  cuda::launch(device, {.name = "fp8_note", .blocks = {1}, .threads = {kThreads}}, note_kernel,
               maxima, count, format, cuda::data<float>(state));
}

template <typename E>
void note_of(const cuda::CudaDevice& device, const Tensor& values, Fp8Format format,
             const Tensor& partials, InOut state) {
  constexpr int kPack = cuda::kElementPack;
  const bool fits = values.size() % kPack == 0;
  const int64_t packs = fits ? values.size() / kPack : values.size();
  const int64_t blocks = std::min<int64_t>(cuda::blocks_for(packs, kThreads), kMostBlocks);
  auto* const parts = cuda::data<float>(Out(partials));
  cuda::launch(
      device,
      {.name = "fp8_magnitude", .blocks = {static_cast<unsigned>(blocks)}, .threads = {kThreads}},
      fits ? magnitude_kernel<E, kPack> : magnitude_kernel<E, 1>, cuda::data<E>(values), packs,
      parts);
  note_maxima(device, parts, blocks, format, state);
}

void note(const cuda::CudaDevice& device, const Tensor& values, Fp8Format format,
          const Tensor& partials, InOut state) {
  const bool wide = values.dtype() == DType::kF32;
  (wide ? note_of<float> : note_of<BFloat16>)(device, values, format, partials, state);
}

template <typename E>
void round_of(const cuda::CudaDevice& device, const Tensor& from, Fp8Format format,
              const Tensor& state, const Tensor& to) {
  cuda::launch(device,
               {.name = "fp8_round",
                .blocks = {cuda::blocks_for(from.size(), kThreads)},
                .threads = {kThreads}},
               round_kernel<E>, cuda::data<E>(from), from.size(), format, cuda::data<float>(state),
               cuda::data<E>(Out(to)));
}

void round_by(const cuda::CudaDevice& device, const Tensor& state, const Tensor& from,
              Fp8Format format, const Tensor& to) {
  const bool wide = from.dtype() == DType::kF32;
  (wide ? round_of<float> : round_of<BFloat16>)(device, from, format, state, to);
}

template <typename E>
void bytes_of(const cuda::CudaDevice& device, const Tensor& from, Fp8Format format,
              const Tensor& state, const Bytes& to) {
  cuda::launch(
      device,
      {.name = "fp8_bytes",
       .blocks = {cuda::blocks_for(from.dim(0), kSide), cuda::blocks_for(from.dim(1), kSide)},
       .threads = {kSide, kTileRows}},
      bytes_kernel<E>, cuda::data<E>(from), from.dim(0), from.dim(1), format,
      cuda::data<float>(state), to);
}

/// A part of the scratch memory, which is large enough for the operands in their own type.
class ByteScratch {
 public:
  explicit ByteScratch(const Tensor& scratch)
      : buffer_(scratch.buffer()), offset_(scratch.offset_bytes()) {}
  Tensor make(int64_t rows, int64_t columns) {
    const Tensor made(buffer_, offset_, DType::kU8, {rows, columns});
    offset_ += align_up(made.size_bytes());
    return made;
  }

 private:
  const Buffer* buffer_;
  int64_t offset_;
};

/// Rounds a matrix to bytes; an empty tensor is not written.
void write_bytes(const cuda::CudaDevice& device, const Tensor& from, Fp8Format format,
                 const Tensor& state, const Tensor& rows, const Tensor& transposed) {
  const Bytes to = {cuda::data<uint8_t>(Out(rows)), cuda::data<uint8_t>(Out(transposed))};
  const bool wide = from.dtype() == DType::kF32;
  (wide ? bytes_of<float> : bytes_of<BFloat16>)(device, from, format, state, to);
}

/// x wᵀ + b by bytes; false where the library has no such product.
bool forward_by_bytes(cuda::CudaDevice& device, const Fp8Linear& op, const Tensor& bias,
                      const Tensor& scratch, Out y) {
  const Tensor& x = op.linear.x;
  const Tensor& w = op.linear.w;
  if (!device.products().has_fp8(x.dim(0), w.dim(0), x.dim(1))) return false;
  ByteScratch bytes(scratch);
  const Tensor x_bytes = bytes.make(x.dim(0), x.dim(1));
  const Tensor w_bytes = bytes.make(w.dim(0), w.dim(1));
  write_bytes(device, x, Fp8Format::kE4M3, op.x_state.tensor(), x_bytes, Tensor());
  write_bytes(device, w, Fp8Format::kE4M3, op.w_state.tensor(), w_bytes, Tensor());
  return device.products().multiply_fp8({x_bytes, Fp8Format::kE4M3, op.x_state.tensor()},
                                        {w_bytes, Fp8Format::kE4M3, op.w_state.tensor()}, bias,
                                        false, inout(y.tensor()));
}

/// Both gradients by bytes; false, and nothing written, where the library lacks one of the
/// products.
bool backward_by_bytes(cuda::CudaDevice& device, const Fp8LinearBackward& op,
                       const Tensor& scratch) {
  const LinearBackward& l = op.linear;
  const Tensor& d_y = l.d_y.tensor();
  const int64_t tokens = l.x.dim(0);
  const int64_t inner = l.x.dim(1);
  const int64_t outer = l.w.dim(0);
  if (!device.products().has_fp8(tokens, inner, outer)) return false;
  ByteScratch bytes(scratch);
  const Tensor rows = bytes.make(tokens, outer);
  const Tensor columns = bytes.make(outer, tokens);
  const Tensor x_columns = bytes.make(inner, tokens);
  const Tensor& d_y_state = op.d_y_state.tensor();
  write_bytes(device, d_y, Fp8Format::kE5M2, d_y_state, rows, columns);
  write_bytes(device, l.x, Fp8Format::kE4M3, op.x_state, Tensor(), x_columns);
  if (!device.products().multiply_fp8({columns, Fp8Format::kE5M2, d_y_state},
                                      {x_columns, Fp8Format::kE4M3, op.x_state}, Tensor(),
                                      l.d_w_write == Write::kAdd, l.d_w)) {
    return false;
  }
  if (l.d_x.empty()) return true;
  const Tensor w_columns = bytes.make(inner, outer);
  write_bytes(device, l.w, Fp8Format::kE4M3, op.w_state, Tensor(), w_columns);
  const bool done = device.products().multiply_fp8({rows, Fp8Format::kE5M2, d_y_state},
                                                   {w_columns, Fp8Format::kE4M3, op.w_state},
                                                   Tensor(), l.d_x_write == Write::kAdd, l.d_x);
  BERTHA_CHECK(done, "cuBLASLt has one of the two gradients in fp8");
  return true;
}

}  // namespace

void CudaKernels::run(const Fp8Linear& op, const Scratch& scratch) {
  const Linear& linear = op.linear;
  if (op.notes) {
    note(device_, linear.x, Fp8Format::kE4M3, scratch.factors, op.x_state);
    note(device_, linear.w, Fp8Format::kE4M3, scratch.factors, op.w_state);
  }
  const Scratch of_product = {.values = scratch.products};
  const Tensor before = linear.saved.empty() ? linear.y.tensor() : linear.saved.tensor();
  const Tensor bias = bias_as_x(linear, of_product);
  if (!forward_by_bytes(device_, op, bias, scratch.values, out(before))) {
    const auto rounded = fp8_rounded_operands(scratch.values, linear.x, linear.w, false);
    round_by(device_, op.x_state.tensor(), linear.x, Fp8Format::kE4M3, rounded.x);
    round_by(device_, op.w_state.tensor(), linear.w, Fp8Format::kE4M3, rounded.w);
    device_.products().forward(rounded.x, rounded.w, bias, out(before));
  }
  activate_cuda(device_, linear.activation, before, linear.y);
}

void CudaKernels::run(const Fp8LinearBackward& op, const Scratch& scratch) {
  const LinearBackward& linear = op.linear;
  const Tensor& d_y = linear.d_y.tensor();
  activation_backward_cuda(device_, linear, scratch.products, scratch.factors);
  note_maxima(device_, cuda::data<float>(scratch.factors), scratch.factors.size(), Fp8Format::kE5M2,
              op.d_y_state);
  if (backward_by_bytes(device_, op, scratch.values)) return;
  const auto rounded = fp8_rounded_operands(scratch.values, linear.x, linear.w, true);
  round_by(device_, op.x_state, linear.x, Fp8Format::kE4M3, rounded.x);
  round_by(device_, op.w_state, linear.w, Fp8Format::kE4M3, rounded.w);
  round_by(device_, op.d_y_state.tensor(), d_y, Fp8Format::kE5M2, rounded.d_y);
  device_.products().backward_weights(rounded.d_y, rounded.x, linear.d_w_write == Write::kAdd,
                                      linear.d_w);
  if (linear.d_x.empty()) return;
  device_.products().backward_data(rounded.d_y, rounded.w, linear.d_x_write == Write::kAdd,
                                   out(linear.d_x.tensor()));
}

}  // namespace bertha::ops
