// Work is cut into heads of sequences, and in the forward pass, where there are few of them, into
// runs of queries. Every output element is made by one item in one order, so results depend on
// neither timing nor thread count.

#include "ops/cpu/attention_cpu.h"

#include <algorithm>
#include <span>

#include "backend/cpu/cpu_view.h"
#include "backend/cpu/thread_scratch.h"
#include "core/parallel_for.h"
#include "ops/cpu/attention_kernels.h"
#include "ops/cpu/cpu_kernels.h"

namespace bertha::ops {
namespace {

const AttentionKernels& kernels_for(cpu::Isa isa, DType dtype) {
  BERTHA_CHECK(isa <= cpu::best_isa(), "no {} here", cpu::name_of(isa));
  const bool bf16 = dtype == DType::kBF16;
  switch (isa) {
    case cpu::Isa::kAvx2:
      return bf16 ? kAttentionAvx2Bf16 : kAttentionAvx2F32;
    case cpu::Isa::kAvx512:
      break;
    case cpu::Isa::kAvx512Bf16:
      if (bf16) return kAttentionAvx512Bf16Products;
      break;
    case cpu::Isa::kAmx:
      if (bf16) return kAttentionAmxBf16;
      break;
  }
  return bf16 ? kAttentionAvx512Bf16 : kAttentionAvx512F32;
}

/// The sequence boundaries, checked: a wrong one would read outside the batch.
std::span<const int32_t> boundaries(const Tensor& seq_start, int64_t tokens, int64_t max_length) {
  const std::span start(cpu::data<int32_t>(seq_start), static_cast<size_t>(seq_start.size()));
  BERTHA_CHECK(start.front() == 0 && start.back() <= tokens, "seq_start from {} to {} of {} tokens",
               start.front(), start.back(), tokens);
  for (size_t i = 1; i < start.size(); ++i) {
    const int64_t length = int64_t{start[i]} - start[i - 1];
    BERTHA_CHECK(length >= 0 && length <= max_length, "sequence {} has {} tokens, at most {}",
                 i - 1, length, max_length);
  }
  return start;
}

int64_t longest(std::span<const int32_t> start) {
  int32_t most = 0;
  for (size_t i = 1; i < start.size(); ++i) most = std::max(most, start[i] - start[i - 1]);
  return most;
}

AttentionCall make_call(const Tensor& qkv, const AttentionShape& shape, const Dropout& dropout) {
  return {.qkv = cpu::address(qkv),
          .heads = shape.heads,
          .head_size = qkv.dim(1) / (3 * shape.heads),
          .max_length = shape.max_length,
          .dropout = dropout_stream(dropout),
          .dropout_scale = dropout.scale()};
}

/// Runs work(item, scratch) for every sequence, head and part; parts split the queries.
template <typename Work>
void for_each_item(std::span<const int32_t> start, int64_t heads, int64_t parts,
                   int64_t scratch_bytes, const Work& work) {
  const auto items = static_cast<int64_t>(start.size() - 1) * heads * parts;
  parallel_items(items, [&](int64_t i) {
    const auto sequence = static_cast<size_t>(i / (heads * parts));
    const int64_t length = start[sequence + 1] - start[sequence];
    const int64_t part = i % parts;
    const AttentionItem item{.row = start[sequence],
                             .length = length,
                             .head = i / parts % heads,
                             .query_begin = length * part / parts,
                             .query_end = length * (part + 1) / parts};
    if (item.query_begin < item.query_end) work(item, cpu::thread_scratch(scratch_bytes));
  });
}

/// Zeroes the rows of no sequence.
void clear_rows(const Tensor& tensor, int64_t begin) {
  const int64_t row_bytes = tensor.dim(1) * size_of(tensor.dtype());
  auto* base = static_cast<std::byte*>(cpu::address(tensor));
  std::fill(base + begin * row_bytes, base + tensor.size_bytes(), std::byte{0});
}

}  // namespace

void attention_cpu(const Attention& op, cpu::Isa isa) {
  const AttentionKernels& kernels = kernels_for(isa, op.qkv.dtype());
  const auto start = boundaries(op.seq_start, op.qkv.dim(0), op.shape.max_length);
  AttentionCall call = make_call(op.qkv, op.shape, op.dropout);
  call.y = cpu::address(op.y.tensor());
  call.lse = cpu::data<float>(op.lse);
  // Each part packs all keys and values again, which costs as much as some 64 queries' worth.
  constexpr int64_t kFewestQueries = 64;
  const int64_t heads = static_cast<int64_t>(start.size() - 1) * op.shape.heads;
  const int64_t most = std::max<int64_t>(longest(start) / kFewestQueries, 1);
  const int64_t parts = std::clamp<int64_t>(thread_count() / std::max<int64_t>(heads, 1), 1, most);
  for_each_item(
      start, op.shape.heads, parts, kernels.forward_scratch_bytes(longest(start), call.head_size),
      [&](const AttentionItem& item, std::byte* scratch) { kernels.forward(call, item, scratch); });
  clear_rows(op.y.tensor(), start.back());
  clear_rows(op.lse.tensor(), start.back());
}

void attention_backward_cpu(const AttentionBackward& op, cpu::Isa isa) {
  const AttentionKernels& kernels = kernels_for(isa, op.qkv.dtype());
  const auto start = boundaries(op.seq_start, op.qkv.dim(0), op.shape.max_length);
  AttentionCall call = make_call(op.qkv, op.shape, op.dropout);
  call.y = cpu::address(op.y);
  call.lse = static_cast<float*>(cpu::address(op.lse));
  call.d_y = cpu::address(op.d_y);
  call.d_qkv = cpu::address(op.d_qkv.tensor());
  for_each_item(start, op.shape.heads, 1,
                kernels.backward_scratch_bytes(longest(start), call.head_size),
                [&](const AttentionItem& item, std::byte* scratch) {
                  kernels.backward(call, item, scratch);
                });
  clear_rows(op.d_qkv.tensor(), start.back());
}

void CpuKernels::run(const Attention& op) {
  attention_cpu(op, cpu::best_isa());
}

void CpuKernels::run(const AttentionBackward& op, const Scratch& /*scratch*/) {
  attention_backward_cpu(op, cpu::best_isa());
}

}  // namespace bertha::ops
