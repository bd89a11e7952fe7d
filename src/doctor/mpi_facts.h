#pragma once

#include <string>

#include "backend/devices.h"
#include "comm/communicator.h"
#include "doctor/report.h"

namespace bertha::doctor {

/// The MPI library and its launcher, or why several ranks are not possible. With `test` it starts
/// two ranks of this program, which call check_ranks().
Fact fact_of_mpi(bool test);
/// The same test with ranks that also sum on a device each. `device` is a name of
/// backend/devices.h.
Fact fact_of_device_ranks(const std::string& device);

/// What each rank of the self-test does: collectives whose results are known. Throws Error for a
/// wrong result. Rank 0 prints a line.
void check_ranks(comm::Communicator& world);
/// The same for the collectives between the devices of the ranks.
void check_device_ranks(comm::Communicator& world, const DeviceEntry& entry);

/// The option of `bertha doctor` that makes a process a rank of the self-test.
inline constexpr const char* kRankOption = "as-rank";

}  // namespace bertha::doctor
