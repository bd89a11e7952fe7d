#pragma once

#include <mpi.h>

#include <cstdint>

namespace bertha::comm {

/// Throws Error with MPI's own text when a call did not succeed; `where` names what was under way.
void check_mpi(int status, const char* where);

/// Counts of MPI 3 are int.
int mpi_count(int64_t size);

}  // namespace bertha::comm
