#include "ops/cpu/optimizer_cpu.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/view.h"
#include "core/threads.h"
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

/// body(block) for all blocks of all spans, threads taking equal shares of them.
template <typename Body>
void parallel_blocks(std::span<const ParameterSpan> spans, const Body& body) {
  parallel_ranges(norm_blocks(spans), 1, [&](int64_t begin, int64_t end, int) {
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
  auto* shadow = static_cast<uint16_t*>(cpu::address(buffers.shadow));
  return {.weights = cpu::data<float>(InOut(buffers.weights)) + block.offset,
          .gradients = cpu::data<float>(InOut(buffers.gradients)) + block.offset,
          .first = cpu::data<float>(InOut(buffers.first)) + block.offset,
          .second = cpu::data<float>(InOut(buffers.second)) + block.offset,
          .shadow = shadow == nullptr ? nullptr : shadow + block.offset,
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

void scale_blocks(InOut gradients, std::span<const ParameterSpan> spans, const float* factors) {
  auto* values = cpu::data<float>(gradients);
  parallel_blocks(spans, [&](const Block& block) {
    const float factor = factors[block.span];
    if (factor != 1) kernels().scale(values + block.offset, factor, block.size);
  });
}

}  // namespace

int64_t norm_blocks(std::span<const ParameterSpan> spans) {
  int64_t blocks = 0;
  for (const ParameterSpan& span : spans) blocks += blocks_of(span);
  return blocks;
}

float trust_ratio(bool decays, const AdamSettings& settings, std::span<const double> squares) {
  if (!decays || settings.weight_decay == 0) return 1;
  double weights = 0;
  double update = 0;
  for (size_t i = 0; i + 1 < squares.size(); i += 2) {
    weights += squares[i];
    update += squares[i + 1];
  }
  return weights > 0 && update > 0 ? static_cast<float>(std::sqrt(weights) / std::sqrt(update)) : 1;
}

void square_blocks_cpu(const Tensor& values, std::span<const ParameterSpan> spans, Out squares) {
  const auto* from = cpu::data<float>(values);
  auto* to = cpu::data<double>(squares);
  parallel_blocks(spans, [&](const Block& block) {
    to[block.index] = kernels().sum_squares(from + block.offset, block.size);
  });
}

void global_norm_cpu(const Tensor& gradients, Out norm, const NormScratch& scratch) {
  const ParameterSpan whole = {.size = gradients.size()};
  const auto* squares = cpu::data<double>(scratch.blocks);
  square_blocks_cpu(gradients, {&whole, 1}, Out(scratch.blocks));
  double total = 0;
  for (int64_t b = 0; b < blocks_of(whole); ++b) total += squares[b];
  *cpu::data<float>(norm) = static_cast<float>(std::sqrt(total));
}

void clip_norm_cpu(InOut gradients, const Tensor& norm, float max_norm) {
  const ParameterSpan whole = {.size = gradients.tensor().size()};
  const float factor =
      clip_factor(static_cast<double>(*cpu::data<float>(norm)), static_cast<double>(max_norm));
  scale_blocks(gradients, {&whole, 1}, &factor);
}

void clip_norm_each_cpu(InOut gradients, std::span<const ParameterSpan> spans, float max_norm,
                        const NormScratch& scratch) {
  const auto* squares = cpu::data<double>(scratch.blocks);
  auto* factors = cpu::data<float>(Out(scratch.factors));
  square_blocks_cpu(gradients.tensor(), spans, Out(scratch.blocks));
  for (size_t s = 0; s < spans.size(); ++s) {
    double total = 0;
    for (int64_t b = 0; b < blocks_of(spans[s]); ++b) total += *squares++;
    factors[s] = clip_factor(std::sqrt(total), static_cast<double>(max_norm));
  }
  scale_blocks(gradients, spans, factors);
}

void lamb_update_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
                     const AdamSettings& settings, const Tensor& scalars, Out squares) {
  const AdamFactors factors = factors_of(settings, scalars);
  auto* to = cpu::data<double>(squares);
  parallel_blocks(spans, [&](const Block& block) {
    const AdamFactors own = factors_for(factors, spans[block.span]);
    const SquaredNorms norms = kernels().lamb_update(run_of(buffers, block), own);
    to[2 * block.index] = norms.weights;
    to[2 * block.index + 1] = norms.update;
  });
}

void lamb_apply_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
                    const Tensor& scalars, const Tensor& ratios) {
  const float rate = cpu::data<float>(scalars)[kRate];
  const auto* factors = cpu::data<float>(ratios);
  parallel_blocks(spans, [&](const Block& block) {
    kernels().lamb_apply(run_of(buffers, block), rate * factors[block.span]);
  });
}

void lamb_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
              const AdamSettings& settings, const Tensor& scalars, const NormScratch& scratch) {
  lamb_update_cpu(buffers, spans, settings, scalars, Out(scratch.blocks));
  const auto* squares = cpu::data<double>(scratch.blocks);
  auto* ratios = cpu::data<float>(Out(scratch.factors));
  for (size_t s = 0; s < spans.size(); ++s) {
    const auto values = static_cast<size_t>(2 * blocks_of(spans[s]));
    ratios[s] = trust_ratio(spans[s].decay, settings, {squares, values});
    squares += values;
  }
  lamb_apply_cpu(buffers, spans, scalars, scratch.factors);
}

void adamw_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
               const AdamSettings& settings, const Tensor& scalars) {
  const AdamFactors factors = factors_of(settings, scalars);
  parallel_blocks(spans, [&](const Block& block) {
    kernels().adamw(run_of(buffers, block), factors_for(factors, spans[block.span]));
  });
}

void convert_cpu(const Tensor& from, Out to) {
  const bool narrows = from.dtype() == DType::kF32;
  const ParameterSpan whole = {.size = from.size()};
  parallel_blocks({&whole, 1}, [&](const Block& block) {
    if (narrows) {
      auto* bits = static_cast<uint16_t*>(cpu::address(to.tensor()));
      kernels().narrow(cpu::data<float>(from) + block.offset, bits + block.offset, block.size);
    } else {
      const auto* bits = static_cast<const uint16_t*>(cpu::address(from));
      kernels().widen(bits + block.offset, cpu::data<float>(to) + block.offset, block.size);
    }
  });
}

}  // namespace bertha::ops
