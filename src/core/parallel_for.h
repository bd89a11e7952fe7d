#pragma once

// Data-parallel loops of the CPU ops. They run on the OpenMP team that oneDNN also uses, so both
// use one set of threads. Each loop splits its indices into equal static ranges. The range of a
// thread, and therefore every floating-point sum, depends on the thread count alone.

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace bertha {

/// Number of threads of a parallel loop: OMP_NUM_THREADS, else the cores that this process may use.
inline int thread_count() {
  return omp_get_max_threads();
}

/// Calls body(begin, end, thread) on disjoint ranges that cover [0, count). Each range has at least
/// `grain` indices unless there is only one range. An exception of a body is rethrown here.
template <typename Body>
void parallel_ranges(int64_t count, int64_t grain, const Body& body) {
  const int64_t ranges =
      std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, omp_get_max_threads());
  if (ranges == 1 || omp_in_parallel() != 0) {
    if (count > 0) body(int64_t{0}, count, 0);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel num_threads(static_cast <int>(ranges))
  {
    const int thread = omp_get_thread_num();
    const int64_t begin = count * thread / ranges;
    const int64_t end = count * (thread + 1) / ranges;
    try {
      if (begin < end) body(begin, end, thread);
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// Calls body(i) for every i in [0, count).
template <typename Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  parallel_ranges(count, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace bertha
