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

/// Threads of the loops of this process: OMP_NUM_THREADS where it is set, else
/// allowed_threads().count(). Throws Error when OMP_NUM_THREADS is no number of threads.
int64_t default_thread_count();

}  // namespace bertha
