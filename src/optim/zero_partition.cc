#include "optim/zero_partition.h"

#include <algorithm>

#include "core/error.h"

namespace bertha::optim {
namespace {

int64_t blocks_of(const ops::ParameterSpan& span) {
  return ops::norm_blocks({&span, 1});
}

/// The first block of any span that begins at `target` or after it.
struct Cut {
  int64_t offset;
  int64_t block;
};
Cut cut_at(std::span<const ops::ParameterSpan> spans, int64_t flat_size, int64_t target) {
  int64_t block = 0;
  for (const ops::ParameterSpan& span : spans) {
    const int64_t blocks = blocks_of(span);
    const int64_t before = std::max<int64_t>(0, target - span.offset);
    const int64_t skipped = (before + ops::kNormBlock - 1) / ops::kNormBlock;
    if (skipped < blocks) return {span.offset + skipped * ops::kNormBlock, block + skipped};
    block += blocks;
  }
  return {flat_size, block};
}

void add_own(ZeroPartition& shares, std::span<const ops::ParameterSpan> spans) {
  int64_t block = 0;
  for (const ops::ParameterSpan& span : spans) {
    const int64_t blocks = blocks_of(span);
    const int64_t begin = std::max(span.offset, shares.begin);
    const int64_t end = std::min(span.offset + span.size, shares.begin + shares.size);
    if (begin < end) {
      shares.spans.push_back(
          {.offset = begin - shares.begin, .size = end - begin, .decay = span.decay});
      shares.whole.push_back({.first = block, .count = blocks});
    }
    block += blocks;
  }
}

}  // namespace

ZeroPartition partition(std::span<const ops::ParameterSpan> spans, int64_t flat_size, int64_t ranks,
                        int64_t rank) {
  BERTHA_CHECK(rank >= 0 && rank < ranks);
  ZeroPartition shares;
  for (int64_t r = 0; r <= ranks; ++r) {
    const int64_t target = flat_size / ranks * r + flat_size % ranks * r / ranks;
    const Cut cut = r == 0 ? Cut{0, 0} : cut_at(spans, flat_size, target);
    shares.bounds.push_back(cut.offset);
    shares.block_bounds.push_back(cut.block);
  }
  const auto own = static_cast<size_t>(rank);
  shares.begin = shares.bounds[own];
  shares.size = shares.bounds[own + 1] - shares.begin;
  add_own(shares, spans);
  return shares;
}

}  // namespace bertha::optim
