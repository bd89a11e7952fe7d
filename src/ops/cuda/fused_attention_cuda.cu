// What cuDNN's attention needs beside the operands: lengths and offsets of the sequences, and the
// rows of no sequence, which it does not write. Its results are compared with those of this
// program's kernels once for each problem.

#include "ops/cuda/fused_attention_cuda.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/fused_attention.h"
#include "backend/cuda/kernel_launch.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocks = 64;

struct RaggedArguments {
  const int32_t* seq_start;  ///< [N+1]
  int32_t* lengths;          ///< [sequences]
  int32_t* qkv;              ///< [sequences + 1] and the next two
  int32_t* of_y;
  int32_t* of_lse;
  BFloat16* y;  ///< [T,H]
  float* lse;   ///< [T,heads]
  int tokens;
  int own;        ///< sequences of the batch, N
  int sequences;  ///< of the plan; those after N are empty
  int hidden;
  int heads;
};

__global__ void __launch_bounds__(kThreads) ragged_kernel(RaggedArguments a) {
  const int thread = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(gridDim.x) * kThreads;
  for (int i = thread; i <= a.sequences; i += threads) {
    const int32_t start = a.seq_start[i < a.own ? i : a.own];
    a.qkv[i] = start * 3 * a.hidden;
    a.of_y[i] = start * a.hidden;
    a.of_lse[i] = start * a.heads;
    if (i < a.sequences) a.lengths[i] = i < a.own ? a.seq_start[i + 1] - start : 0;
  }
  const int end = a.seq_start[a.own];
  const int64_t rest = int64_t{a.tokens - end} * a.hidden;
  for (int64_t i = thread; i < rest; i += threads) {
    a.y[int64_t{end} * a.hidden + i] = cuda::narrow<BFloat16>(0);
  }
  for (int i = thread; i < (a.tokens - end) * a.heads; i += threads) {
    a.lse[int64_t{end} * a.heads + i] = 0;
  }
}

bool fits(const Attention& op) {
  const int64_t width = op.qkv.dim(1);
  return op.qkv.dtype() == DType::kBF16 && !op.dropout.active() && op.seq_start.dim(0) > 1 &&
         op.qkv.dim(0) > 0 && cuda::FusedAttention::has(width / (3 * op.shape.heads)) &&
         op.qkv.dim(0) * width <= INT32_MAX;
}

void launch_ragged(const cuda::CudaDevice& device, const Attention& op,
                   const cuda::AttentionProblem& problem, std::byte* numbers) {
  const cuda::RaggedLayout layout(problem.sequences);
  auto* const ragged = reinterpret_cast<int32_t*>(numbers);
  const RaggedArguments arguments = {.seq_start = cuda::data<int32_t>(op.seq_start),
                                     .lengths = ragged,
                                     .qkv = ragged + layout.qkv,
                                     .of_y = ragged + layout.y,
                                     .of_lse = ragged + layout.lse,
                                     .y = cuda::data<BFloat16>(op.y),
                                     .lse = cuda::data<float>(op.lse),
                                     .tokens = static_cast<int>(op.qkv.dim(0)),
                                     .own = static_cast<int>(op.seq_start.dim(0) - 1),
                                     .sequences = static_cast<int>(problem.sequences),
                                     .hidden = static_cast<int>(problem.hidden()),
                                     .heads = static_cast<int>(problem.heads)};
  cuda::launch(device, {.name = "attention_ragged", .blocks = {kBlocks}, .threads = {kThreads}},
               ragged_kernel, arguments);
}

struct HostResults {
  std::vector<BFloat16> y;
  std::vector<float> lse;
};

HostResults read_results(cuda::CudaDevice& device, const Attention& op) {
  HostResults results;
  results.y.resize(static_cast<size_t>(op.y.tensor().size()));
  results.lse.resize(static_cast<size_t>(op.lse.tensor().size()));
  device.read(op.y.tensor(), results.y.data());
  device.read(op.lse.tensor(), results.lse.data());
  return results;
}

/// Both round probabilities to bf16 and sum in f32, in different orders. A wrong head, sequence or
/// scale is far outside these limits.
void compare(const HostResults& own, const HostResults& fused, const std::string& version) {
  constexpr float kMostOfY = 1.0F / 64;
  constexpr float kMostOfLse = 0.01F;
  float largest = 0;
  float of_y = 0;
  float of_lse = 0;
  const auto note = [](float difference, float& most) {
    if (!(difference <= most)) most = difference;  // NaN stays
  };
  for (size_t i = 0; i < own.y.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<float>(own.y[i])));
    note(std::abs(static_cast<float>(own.y[i]) - static_cast<float>(fused.y[i])), of_y);
  }
  for (size_t i = 0; i < own.lse.size(); ++i) {
    note(std::abs(own.lse[i] - fused.lse[i]) / (1 + std::abs(own.lse[i])), of_lse);
  }
  if (of_y <= kMostOfY * largest && of_lse <= kMostOfLse) return;
  fail(
      "BERTHA_LIBCUDNN: attention of cuDNN {} differs from this program's by {} of {} in the "
      "output and {} in the log-sum-exp; run without it",
      version, of_y, largest, of_lse);
}

}  // namespace

bool run_fused_attention(cuda::CudaDevice& device, const Attention& op,
                         const std::function<void()>& own) {
  cuda::FusedAttention* const fused = device.fused_attention();
  if (fused == nullptr || !fits(op)) return false;
  const cuda::AttentionProblem problem =
      cuda::FusedAttention::problem_of(op.qkv.dim(0), op.seq_start.dim(0) - 1, op.shape.max_length,
                                       op.shape.heads, op.qkv.dim(1) / (3 * op.shape.heads));
  cuda::FusedAttention::Entry& entry = fused->entry(problem);
  if (entry.plan == nullptr) return false;
  const cuda::AttentionOperands operands = {.qkv = cuda::address(op.qkv),
                                            .y = cuda::address(op.y.tensor()),
                                            .lse = cuda::address(op.lse.tensor())};
  const auto run = [&] {
    launch_ragged(device, op, problem, entry.ragged.base());
    fused->execute(entry, operands);
  };
  if (entry.compared) {
    run();
    return true;
  }
  own();
  const HostResults expected = read_results(device, op);
  run();
  compare(expected, read_results(device, op), fused->version());
  entry.compared = true;
  return true;
}

}  // namespace bertha::ops
