#pragma once

#include "comm/communicator.h"
#include "doctor/report.h"

namespace bertha::doctor {

/// The MPI library and its launcher, or why several ranks are not possible. With `test` it starts
/// two ranks of this program, which call check_ranks().
Fact fact_of_mpi(bool test);

/// What each rank of the self-test does: collectives whose results are known. Throws Error for a
/// wrong result. Rank 0 prints a line.
void check_ranks(comm::Communicator& world);

/// The option of `bertha doctor` that makes a process a rank of the self-test.
inline constexpr const char* kRankOption = "as-rank";

}  // namespace bertha::doctor
