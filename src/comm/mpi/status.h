#pragma once

#include <cstdint>

namespace bertha::comm {

/// Throws Error with MPI's message unless the call succeeded. `where` names the operation.
void check_mpi(int status, const char* where);

/// Converts a count to int, the type of counts in MPI 3.
int mpi_count(int64_t size);

}  // namespace bertha::comm
