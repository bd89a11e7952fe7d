#pragma once

#include <string>

#include "plan/cluster_time_estimate.h"

namespace bertha::plan {

/// A picture as SVG: efficiency by number of ranks for each network, and below it the last
/// micro-batch with the reductions that it hides.
std::string scaling_svg(const Scaling& scaling);

}  // namespace bertha::plan
