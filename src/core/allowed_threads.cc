#include "core/allowed_threads.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace bertha {
namespace {

/// The size of the set that the system wants is not known: it grows until it fits.
int64_t processors_of_affinity(int64_t online) {
  for (int64_t processors = std::max<int64_t>(online, 1024); processors <= (int64_t{1} << 20);
       processors *= 2) {
    const auto count = static_cast<size_t>(processors);
    cpu_set_t* set = CPU_ALLOC(count);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(count);
    const bool got = ::sched_getaffinity(0, bytes, set) == 0;
    const int reason = errno;
    const int64_t mine = got ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (got) return std::max<int64_t>(mine, 1);
    if (reason != EINVAL) break;
  }
  return online;
}

}  // namespace

int64_t AllowedThreads::count() const {
  if (!quota.exists()) return affinity;
  return std::clamp<int64_t>(std::llround(std::ceil(quota.value)), 1, affinity);
}

AllowedThreads allowed_threads(const std::string& root) {
  AllowedThreads allowed;
  allowed.online = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  allowed.affinity = processors_of_affinity(allowed.online);
  allowed.quota = group_cores(root);
  return allowed;
}

void limit_openmp_threads() {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const int64_t count = allowed_threads().count();
  if (count < omp_get_max_threads()) omp_set_num_threads(static_cast<int>(count));
}

}  // namespace bertha
