#pragma once

// Kills this process, as kill -9 does, at a chosen call of the system: open, pwrite, fsync, rename,
// close, unlink and flock of the whole test program go through here.

#include <cstdint>

namespace bertha::test {

enum class Death : uint8_t {
  kBefore,  ///< the call does not happen
  kHalfway  ///< a write writes half; any other call happens and never returns
};

/// From now on calls are counted from 0, and call number `call` kills the process; -1: none does.
void die_at(int64_t call, Death death);
/// Calls counted since.
int64_t counted_calls();

}  // namespace bertha::test
