#pragma once

// Splits a flat gradient buffer into buckets while a backward pass completes it from its end down.

#include <algorithm>
#include <cstdint>

namespace bertha::comm {

/// The elements [from, unsummed) are final and not yet in an all-reduce. Calls begin(offset, count)
/// for each bucket of at most `bucket` of them, from the end down. A remainder shorter than a
/// bucket waits for the next layer, unless `from` is 0. Returns the new value of `unsummed`.
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
