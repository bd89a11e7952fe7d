#pragma once

#include "doctor/report.h"

namespace bertha::doctor {

/// What the program is hardened with (cmake/hardening.cmake): what its ELF headers say as they lie
/// in memory, and what the compiler said of the flags.
Fact fact_of_hardening();

/// Whether commands that read what strangers send can confine themselves on this kernel
/// (core/confinement.h).
Fact fact_of_sandbox();

}  // namespace bertha::doctor
