#include "core/allowed_threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "core/error.h"

namespace bertha {
namespace {

constexpr int64_t kMostThreads = 1024;

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

int64_t default_thread_count() {
  const char* chosen = std::getenv("OMP_NUM_THREADS");
  if (chosen == nullptr || *chosen == 0) return allowed_threads().count();
  // A list gives the numbers of nested teams. Loops within loops have one thread here.
  const std::string_view all(chosen);
  const std::string_view first = all.substr(0, all.find(','));
  int64_t count = 0;
  const auto [end, problem] = std::from_chars(first.data(), first.data() + first.size(), count);
  if (problem != std::errc() || end != first.data() + first.size() || count < 1 ||
      count > kMostThreads) {
    fail("OMP_NUM_THREADS={}: expected a number of threads from 1 to {}", all, kMostThreads);
  }
  return count;
}

}  // namespace bertha
