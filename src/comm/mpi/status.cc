#include "comm/mpi/status.h"

#include <array>
#include <limits>

#include "comm/mpi/mpi_library.h"
#include "core/error.h"

namespace bertha::comm {

void check_mpi(int status, const char* where) {
  if (status == 0) return;
  std::array<char, BERTHA_MPI_TEXT_BYTES> text{};
  mpi().error_string(status, text.data());
  fail("MPI failed in {}: {}", where, text.data());
}

int mpi_count(int64_t size) {
  BERTHA_CHECK(size >= 0 && size <= std::numeric_limits<int>::max());
  return static_cast<int>(size);
}

}  // namespace bertha::comm
