#include "comm/mpi/status.h"

#include <array>
#include <limits>

#include "core/error.h"

namespace bertha::comm {

void check_mpi(int status, const char* where) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  fail("MPI failed in {}: {}", where, text.data());
}

int mpi_count(int64_t size) {
  BERTHA_CHECK(size >= 0 && size <= std::numeric_limits<int>::max());
  return static_cast<int>(size);
}

}  // namespace bertha::comm
