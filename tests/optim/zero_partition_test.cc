#include "optim/zero_partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "support/host.h"

namespace bertha::optim {
namespace {

using ops::kNormBlock;
using ops::ParameterSpan;
using test::Host;

/// A parameter of many blocks, one of less than one, a gap, one that no decay acts on.
const std::vector<ParameterSpan> kSpans = {
    {.offset = 0, .size = 3 * kNormBlock + 100, .decay = true},
    {.offset = 3 * kNormBlock + 128, .size = 70, .decay = true},
    {.offset = 3 * kNormBlock + 256, .size = kNormBlock + 5, .decay = false}};
constexpr int64_t kSize = 4 * kNormBlock + 320;

TEST(ZeroPartition, PartitionsCoverEveryElementOnceAndEndBetweenBlocks) {
  for (const int64_t ranks : {1, 2, 3, 4, 9}) {
    int64_t elements = 0;
    int64_t blocks = 0;
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const ZeroPartition shares = partition(kSpans, kSize, ranks, rank);
      ASSERT_EQ(std::ssize(shares.bounds), ranks + 1);
      EXPECT_TRUE(std::ranges::is_sorted(shares.bounds));
      EXPECT_EQ(shares.bounds.front(), 0);
      EXPECT_EQ(shares.bounds.back(), kSize);
      EXPECT_EQ(shares.block_bounds.back(), ops::norm_blocks(kSpans));
      const auto own = static_cast<size_t>(rank);
      EXPECT_EQ(ops::norm_blocks(shares.spans),
                shares.block_bounds[own + 1] - shares.block_bounds[own]);
      for (const ParameterSpan& span : shares.spans) {
        EXPECT_LE(span.offset + span.size, shares.size);
        elements += span.size;
      }
      blocks += ops::norm_blocks(shares.spans);
    }
    EXPECT_EQ(elements, 3 * kNormBlock + 100 + 70 + kNormBlock + 5) << ranks;
    EXPECT_EQ(blocks, ops::norm_blocks(kSpans)) << ranks;
  }
}

TEST(ZeroPartition, PartitionsDifferByABlockAtMost) {
  const ZeroPartition shares = partition(kSpans, kSize, 2, 0);
  EXPECT_LE(std::abs(shares.bounds[1] - kSize / 2), kNormBlock);
}

/// The biases of query, key and value follow each other without a gap: a partition that began at
/// the key's would begin at an address that kernels cannot load packs from.
TEST(ZeroPartition, PartitionsBeginWhereViewsMay) {
  const std::vector<ParameterSpan> spans = {{.offset = 0, .size = 312, .decay = false},
                                            {.offset = 312, .size = 312, .decay = false},
                                            {.offset = 624, .size = 312, .decay = false},
                                            {.offset = 960, .size = 312, .decay = true}};
  for (const int64_t ranks : {2, 3, 4}) {
    const ZeroPartition shares = partition(spans, 1280, ranks, 0);
    for (const int64_t bound : shares.bounds) EXPECT_EQ(bound % 32, 0) << ranks;
    EXPECT_EQ(shares.block_bounds.back(), 4);
  }
}

std::vector<float> noise(uint64_t stream) {
  PhiloxStream random(5, stream);
  std::vector<float> values(kSize, 0);
  for (const ParameterSpan& span : kSpans) {
    for (int64_t i = 0; i < span.size; ++i) {
      values[static_cast<size_t>(span.offset + i)] = static_cast<float>(random.uniform() - 0.5);
    }
  }
  return values;
}

/// Weights after a step, of shares put together.
std::vector<float> lamb_on(int64_t ranks) {
  Host host;
  const Tensor scalars = host.tensor({ops::kStepScalars}, {0.01F, 1, 10, 1000});
  const Tensor weights = host.tensor({kSize}, noise(0));
  const Tensor gradients = host.tensor({kSize}, noise(1));
  const Tensor exp_avg = host.filled({kSize}, 0);
  const Tensor exp_avg_sq = host.filled({kSize}, 0);
  const auto buffers = [&](int64_t begin, int64_t size) {
    return ops::OptimizerBuffers{.weights = inout(weights.rows(begin, size)),
                                 .gradients = inout(gradients.rows(begin, size)),
                                 .exp_avg = inout(exp_avg.rows(begin, size)),
                                 .exp_avg_sq = inout(exp_avg_sq.rows(begin, size))};
  };
  if (ranks == 0) {
    ops::lamb(host.context(),
              {.buffers = buffers(0, kSize), .spans = kSpans, .settings = {}, .scalars = scalars});
    return Host::values(weights);
  }
  const auto blocks = static_cast<size_t>(ops::norm_blocks(kSpans));
  std::vector<double> squares(2 * blocks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const ZeroPartition own = partition(kSpans, kSize, ranks, rank);
    const int64_t count = ops::norm_blocks(own.spans);
    if (count == 0) continue;
    const Buffer buffer = host.device().allocate(count * 16);
    const Tensor of_rank(&buffer, 0, DType::kF64, {count, 2});
    ops::lamb_update(host.context(), {.buffers = buffers(own.begin, own.size),
                                      .spans = own.spans,
                                      .settings = {},
                                      .scalars = scalars,
                                      .squares = out(of_rank)});
    host.device().read(of_rank, squares.data() + 2 * own.block_bounds[static_cast<size_t>(rank)]);
  }
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const ZeroPartition own = partition(kSpans, kSize, ranks, rank);
    if (own.spans.empty()) continue;
    std::vector<float> ratios;
    for (size_t s = 0; s < own.spans.size(); ++s) {
      const auto count = static_cast<size_t>(2 * own.whole[s].count);
      ratios.push_back(ops::trust_ratio(own.spans[s].decay, {},
                                        {squares.data() + 2 * own.whole[s].first, count}));
    }
    ops::lamb_apply(host.context(), {.buffers = buffers(own.begin, own.size),
                                     .spans = own.spans,
                                     .scalars = scalars,
                                     .ratios = host.tensor({std::ssize(ratios)}, ratios)});
  }
  return Host::values(weights);
}

TEST(ZeroPartition, PartitionedLambHasTheBitsOfLamb) {
  const std::vector<float> expected = lamb_on(0);
  EXPECT_NE(expected, noise(0));
  for (const int64_t ranks : {1, 2, 3, 4, 9}) EXPECT_EQ(lamb_on(ranks), expected) << ranks;
}

}  // namespace
}  // namespace bertha::optim
