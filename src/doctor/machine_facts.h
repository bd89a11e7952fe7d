#pragma once

// Facts about the machine and the limits of this process.

#include "doctor/report.h"

namespace bertha::doctor {

Fact fact_of_build();
Fact fact_of_processor();
Fact fact_of_threads();
Fact fact_of_memory();
Fact fact_of_huge_pages();
Fact fact_of_locale();

/// What is free for this process: the least of the system's available memory and of what its
/// control group and its resource limits leave.
struct FreeMemory {
  double bytes = 0;
  std::string limit = {};  ///< what leaves no more; empty: the machine's memory
};
FreeMemory free_memory();

}  // namespace bertha::doctor
