#pragma once

#include <string>

#include "doctor/report.h"

namespace bertha::doctor {

/// Free space and file system of a folder, and whether a file can be written there, flushed and
/// renamed over another one, as checkpoints are. It is tried with a file that is removed again.
Fact fact_of_folder(const std::string& folder);

}  // namespace bertha::doctor
