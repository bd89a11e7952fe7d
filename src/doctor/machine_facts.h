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

}  // namespace bertha::doctor
