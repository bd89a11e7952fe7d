#pragma once

// How many threads this process should start: the one answer that parallel loops, ranks and loaders
// take as their default.

#include <cstdint>
#include <string>

#include "core/control_group.h"

namespace bertha {

struct AllowedThreads {
  int64_t online = 1;    ///< processors of the machine
  int64_t affinity = 1;  ///< those that this process may run on
  GroupLimit quota;      ///< cores' worth of time of its control group

  /// The lower one of affinity and quota. A quota of 1.5 cores gives two threads, so that all of it
  /// can be used.
  int64_t count() const;
};

/// `root` is the folder that has proc/ and sys/, for tests.
AllowedThreads allowed_threads(const std::string& root = "");

/// Makes OpenMP's loops of this thread use at most allowed_threads().count() threads. OpenMP itself
/// sees the affinity alone. OMP_NUM_THREADS, if it is set, stays as the user chose it. For main().
void limit_openmp_threads();

}  // namespace bertha
