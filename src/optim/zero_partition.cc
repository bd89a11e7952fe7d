#include "optim/zero_partition.h"

#include <algorithm>

#include "core/error.h"

namespace bertha::optim {
namespace {

/// Elements between the addresses to which views are aligned. The biases of key and value, which
/// follow the query's without a gap, may start between them.
constexpr int64_t kAligned = kAlignmentBytes / int64_t{sizeof(float)};
static_assert(ops::kNormBlock % kAligned == 0);

int64_t blocks_of(const ops::ParameterSpan& span) {
  return ops::norm_blocks({&span, 1});
}

/// The first norm block that begins at the element `target` or after it, at an address to which
/// views are aligned.
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
    if (skipped < blocks && span.offset % kAligned == 0) {
      return {span.offset + skipped * ops::kNormBlock, block + skipped};
    }
    block += blocks;
  }
  return {flat_size, block};
}

void add_own(ZeroPartition& own, std::span<const ops::ParameterSpan> spans) {
  int64_t block = 0;
  for (const ops::ParameterSpan& span : spans) {
    const int64_t blocks = blocks_of(span);
    const int64_t begin = std::max(span.offset, own.begin);
    const int64_t end = std::min(span.offset + span.size, own.begin + own.size);
    if (begin < end) {
      own.spans.push_back({.offset = begin - own.begin, .size = end - begin, .decay = span.decay});
      own.whole.push_back({.first = block, .count = blocks});
    }
    block += blocks;
  }
}

}  // namespace

ZeroPartition partition(std::span<const ops::ParameterSpan> spans, int64_t flat_size, int64_t ranks,
                        int64_t rank) {
  BERTHA_CHECK(rank >= 0 && rank < ranks);
  ZeroPartition result;
  for (int64_t r = 0; r <= ranks; ++r) {
    const int64_t target = flat_size / ranks * r + flat_size % ranks * r / ranks;
    const Cut cut = r == 0 ? Cut{0, 0} : cut_at(spans, flat_size, target);
    result.bounds.push_back(cut.offset);
    result.block_bounds.push_back(cut.block);
  }
  const auto index = static_cast<size_t>(rank);
  result.begin = result.bounds[index];
  result.size = result.bounds[index + 1] - result.begin;
  add_own(result, spans);
  return result;
}

}  // namespace bertha::optim
