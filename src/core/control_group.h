#pragma once

// The limits that a control group (cgroup) sets for this process, of version 1 or 2. Containers,
// Kubernetes, Slurm and systemd set them; neither the number of processors nor the free memory of
// the machine shows them. A limit of a group holds for the groups below it, so the lowest one of
// all groups from the process's own up to the root counts.

#include <cstdint>
#include <string>

namespace bertha {

/// A limit and the file that sets it; an empty file: no limit.
struct GroupLimit {
  double value = 0;
  std::string file;

  bool exists() const { return !file.empty(); }
};

/// Cores' worth of time that the process may use (cpu.max; cpu.cfs_quota_us / cpu.cfs_period_us).
/// `root` is the folder that has proc/ and sys/, for tests.
GroupLimit group_cores(const std::string& root = "");

/// Bytes of memory (memory.max; memory.limit_in_bytes), and in `used_bytes`, if it is not null,
/// those that the group with this limit uses, without pages of files that can be dropped.
GroupLimit group_memory(const std::string& root = "", double* used_bytes = nullptr);

}  // namespace bertha
