#pragma once

// The shell scripts that the containers of a manifest run, and the folders that they name.

#include <string>
#include <string_view>

#include "k8s/manifests.h"

namespace bertha::k8s {

/// Where a container finds the data sets.
inline constexpr std::string_view kDataFolder = "/ceph/datasets/bert/pytorch";

/// Script of a Pod, one command a line.
std::string pod_script(const ManifestOptions& options);
/// Script of an MPIJob's launcher, one command a line.
std::string launcher_script(const ManifestOptions& options);

}  // namespace bertha::k8s
