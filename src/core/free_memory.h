#pragma once

// How much memory this process can still have, and the error where that is not enough.

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"

namespace bertha {

/// The least of the system's available memory and of what the control group and the resource limits
/// of this process leave.
struct FreeMemory {
  double bytes = 0;
  std::string limit = {};    ///< what leaves no more: "ulimit -v"; empty: the machine's memory
  double allowed_bytes = 0;  ///< by that limit, in all
};
FreeMemory free_memory();

/// A number of /proc/meminfo or /proc/self/status in bytes: "MemTotal:  16318480 kB". Nothing where
/// the file has no such line.
std::optional<double> kilobytes_in(const char* file, const std::string& name);

/// A device has not the memory that is asked for. The message names the device and both numbers.
class OutOfMemory : public Error {
 public:
  OutOfMemory(const std::string& device, double needed_bytes, double free_bytes);

  double needed_bytes() const { return needed_; }
  double free_bytes() const { return free_; }

 private:
  double needed_;
  double free_;
};

}  // namespace bertha
