#pragma once

// How a flat gradient buffer is cut while a backward pass makes it final from its end down.

#include <algorithm>
#include <cstdint>

namespace bertha::comm {

/// The elements [from, unsummed) have their last value and are not yet under way: calls
/// begin(offset, count) for each bucket of at most `bucket` of them, from the end down. A rest
/// shorter than a bucket waits for the next layer, unless `from` is 0. Returns what is unsummed
/// then.
template <typename Begin>
int64_t cut_buckets(int64_t unsummed, int64_t from, int64_t bucket, const Begin& begin) {
  while (unsummed > from && (from == 0 || unsummed - from >= bucket)) {
    const int64_t offset = std::max(from, unsummed - bucket);
    begin(offset, unsummed - offset);
    unsummed = offset;
  }
  return unsummed;
}

}  // namespace bertha::comm
