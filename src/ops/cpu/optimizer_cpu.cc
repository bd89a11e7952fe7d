#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"
#include "ops/cpu/optimizer_kernels.h"

namespace bertha::ops {
namespace {

const OptimizerKernels& kernels() {
  return cpu::best_isa() >= cpu::Isa::kAvx512 ? kOptimizerAvx512 : kOptimizerAvx2;
}

int64_t blocks_of(const ParameterSpan& span) {
  return (span.size + kNormBlock - 1) / kNormBlock;
}

/// At most kNormBlock elements of one span.
struct Block {
  int64_t index;  ///< among all blocks
  size_t span;
  int64_t offset;
  int64_t size;
};

/// body(block) for all blocks of all spans, split equally over the threads.
template <typename Body>
void parallel_blocks(Spans spans, const Body& body) {
  parallel_ranges(norm_blocks(spans), 1, [&](int64_t begin, int64_t end, int64_t) {
    int64_t first_of_span = 0;
    for (size_t s = 0; s < spans.size() && first_of_span < end; ++s) {
      const int64_t next = first_of_span + blocks_of(spans[s]);
      for (int64_t b = std::max(begin, first_of_span); b < std::min(end, next); ++b) {
        const int64_t within = (b - first_of_span) * kNormBlock;
        body(Block{.index = b,
                   .span = s,
                   .offset = spans[s].offset + within,
                   .size = std::min(kNormBlock, spans[s].size - within)});
      }
      first_of_span = next;
    }
  });
}

AdamRun run_of(const OptimizerBuffers& buffers, const Block& block) {
  auto* bf16_weights = static_cast<uint16_t*>(cpu::address(buffers.bf16_weights.tensor()));
  return {.weights = cpu::data<float>(buffers.weights) + block.offset,
          .gradients = cpu::data<float>(buffers.gradients) + block.offset,
          .exp_avg = cpu::data<float>(buffers.exp_avg) + block.offset,
          .exp_avg_sq = cpu::data<float>(buffers.exp_avg_sq) + block.offset,
          .bf16_weights = bf16_weights == nullptr ? nullptr : bf16_weights + block.offset,
          .size = block.size};
}

AdamFactors factors_of(const AdamSettings& settings, const Tensor& scalars) {
  const auto* step = cpu::data<float>(scalars);
  return {.beta1 = static_cast<float>(settings.beta1),
          .rest1 = static_cast<float>(1 - settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          .rest2 = static_cast<float>(1 - settings.beta2),
          .eps = static_cast<float>(settings.eps),
          .decay = static_cast<float>(settings.weight_decay),
          .rate = step[kRate],
          .gradient_scale = step[kGradientScale],
          .first_correction = step[kFirstCorrection],
          .second_correction = step[kSecondCorrection]};
}

AdamFactors factors_for(AdamFactors factors, const ParameterSpan& span) {
  if (!span.decay) factors.decay = 0;
  return factors;
}

float clip_factor(double norm, double max_norm) {
  const double factor = max_norm / (norm + 1e-6);
  return factor < 1 ? static_cast<float>(factor) : 1;
}

void scale_blocks(InOut gradients, Spans spans, const float* factors) {
  auto* values = cpu::data<float>(gradients);
  parallel_blocks(spans, [&](const Block& block) {
    const float factor = factors[block.span];
    if (factor != 1) kernels().scale(values + block.offset, factor, block.size);
  });
}

/// squares[b] = Σ x² of block b.
void sum_squares(const float* values, Spans spans, double* squares) {
  parallel_blocks(spans, [&](const Block& block) {
    squares[block.index] = kernels().sum_squares(values + block.offset, block.size);
  });
}

}  // namespace

void CpuKernels::run(const SquareBlocks& op) {
  sum_squares(cpu::data<float>(op.values), op.spans, cpu::data<double>(op.squares));
}

void CpuKernels::run(const GlobalNorm& op, const Scratch& scratch) {
  const ParameterSpan whole = {.size = op.values.size()};
  auto* squares = cpu::data<double>(Out(scratch.values));
  sum_squares(cpu::data<float>(op.values), {&whole, 1}, squares);
  double total = 0;
  for (int64_t b = 0; b < blocks_of(whole); ++b) total += squares[b];
  *cpu::data<float>(op.norm) = static_cast<float>(std::sqrt(total));
}

void CpuKernels::run(const ClipNorm& op) {
  const ParameterSpan whole = {.size = op.gradients.tensor().size()};
  const float factor = clip_factor(static_cast<double>(*cpu::data<float>(op.norm)),
                                   static_cast<double>(op.max_norm));
  scale_blocks(op.gradients, {&whole, 1}, &factor);
}

void CpuKernels::run(const ClipNormEach& op, const Scratch& scratch) {
  auto* squares = cpu::data<double>(Out(scratch.values));
  auto* factors = cpu::data<float>(Out(scratch.factors));
  sum_squares(cpu::data<float>(op.gradients), op.spans, squares);
  for (size_t s = 0; s < op.spans.size(); ++s) {
    double total = 0;
    for (int64_t b = 0; b < blocks_of(op.spans[s]); ++b) total += *squares++;
    factors[s] = clip_factor(std::sqrt(total), static_cast<double>(op.max_norm));
  }
  scale_blocks(op.gradients, op.spans, factors);
}

void CpuKernels::run(const LambUpdate& op) {
  const AdamFactors factors = factors_of(op.settings, op.scalars);
  auto* to = cpu::data<double>(op.squares);
  parallel_blocks(op.spans, [&](const Block& block) {
    const AdamFactors own = factors_for(factors, op.spans[block.span]);
    const SquaredNorms norms = kernels().lamb_update(run_of(op.buffers, block), own);
    to[2 * block.index] = norms.weights;
    to[2 * block.index + 1] = norms.update;
  });
}

void CpuKernels::run(const LambApply& op) {
  const float rate = cpu::data<float>(op.scalars)[kRate];
  const auto* factors = cpu::data<float>(op.ratios);
  parallel_blocks(op.spans, [&](const Block& block) {
    kernels().lamb_apply(run_of(op.buffers, block), rate * factors[block.span]);
  });
}

void CpuKernels::run(const Lamb& op, const Scratch& scratch) {
  run(LambUpdate{.buffers = op.buffers,
                 .spans = op.spans,
                 .settings = op.settings,
                 .scalars = op.scalars,
                 .squares = Out(scratch.values)});
  const auto* squares = cpu::data<double>(scratch.values);
  auto* ratios = cpu::data<float>(Out(scratch.factors));
  for (size_t s = 0; s < op.spans.size(); ++s) {
    const auto values = static_cast<size_t>(2 * blocks_of(op.spans[s]));
    ratios[s] = trust_ratio(op.spans[s].decay, op.settings, {squares, values});
    squares += values;
  }
  run(LambApply{
      .buffers = op.buffers, .spans = op.spans, .scalars = op.scalars, .ratios = scratch.factors});
}

void CpuKernels::run(const AdamW& op) {
  const AdamFactors factors = factors_of(op.settings, op.scalars);
  parallel_blocks(op.spans, [&](const Block& block) {
    kernels().adamw(run_of(op.buffers, block), factors_for(factors, op.spans[block.span]));
  });
}

void CpuKernels::run(const Convert& op) {
  const bool narrows = op.from.dtype() == DType::kF32;
  const ParameterSpan whole = {.size = op.from.size()};
  parallel_blocks({&whole, 1}, [&](const Block& block) {
    if (narrows) {
      auto* bits = static_cast<uint16_t*>(cpu::address(op.to.tensor()));
      kernels().narrow(cpu::data<float>(op.from) + block.offset, bits + block.offset, block.size);
    } else {
      const auto* bits = static_cast<const uint16_t*>(cpu::address(op.from));
      kernels().widen(bits + block.offset, cpu::data<float>(op.to) + block.offset, block.size);
    }
  });
}

}  // namespace bertha::ops
