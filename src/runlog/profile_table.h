#pragma once

#include <cstdint>
#include <string>

#include "core/profile.h"

namespace bertha::runlog {

/// What a machine can do at best; 0: not known.
struct Ceilings {
  double gflops = 0;
  double gbytes_per_s = 0;
};

/// The profile as a table, the longest op first: milliseconds a step, share of all ops, what was
/// reached of products and of memory, and which of the two ceilings it is nearer to.
std::string profile_table(const Profile& profile, int64_t steps, const Ceilings& ceilings = {});

}  // namespace bertha::runlog
