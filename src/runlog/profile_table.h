#pragma once

#include <cstdint>
#include <string>

#include "core/profile.h"

namespace bertha::runlog {

/// The peak rates of a machine; 0 where one is not known.
struct Ceilings {
  double gflops = 0;
  double gbytes_per_s = 0;
};

/// The profile as a table with the slowest op first: milliseconds in a step, percentage of all ops,
/// the arithmetic rate and the memory rate that were reached, and which of the two is nearer to its
/// ceiling.
std::string profile_table(const Profile& profile, int64_t steps, const Ceilings& ceilings = {});

}  // namespace bertha::runlog
