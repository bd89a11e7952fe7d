#include "core/free_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "core/control_group.h"

namespace bertha {
namespace {

/// The soft limit of a resource; nothing where it is unlimited.
std::optional<double> soft_limit(__rlimit_resource_t resource) {
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

void lower(FreeMemory& free, double used, double allowed, const std::string& limit) {
  if (allowed - used >= free.bytes) return;
  free = {.bytes = std::max(allowed - used, 0.0), .limit = limit, .allowed_bytes = allowed};
}

std::string in_words(double bytes) {
  return bytes < 1e12 ? fmt::format("{:.2f} GB", bytes / 1e9)
                      : fmt::format("{:.2f} TB", bytes / 1e12);
}

}  // namespace

std::optional<double> kilobytes_in(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + ":")) continue;
    return 1024 * std::strtod(line.c_str() + name.size() + 1, nullptr);
  }
  return std::nullopt;
}

FreeMemory free_memory() {
  FreeMemory free{.bytes = kilobytes_in("/proc/meminfo", "MemAvailable").value_or(0)};
  double used = 0;
  if (const GroupLimit group = group_memory("", &used); group.exists()) {
    lower(free, used, group.value, "the control group of " + group.file);
  }
  if (const auto space = soft_limit(RLIMIT_AS)) {
    lower(free, kilobytes_in("/proc/self/status", "VmSize").value_or(0), *space, "ulimit -v");
  }
  if (const auto data = soft_limit(RLIMIT_DATA)) {
    lower(free, kilobytes_in("/proc/self/status", "VmData").value_or(0), *data, "ulimit -d");
  }
  return free;
}

OutOfMemory::OutOfMemory(const std::string& device, double needed_bytes, double free_bytes)
    : Error(fmt::format("{}: {} more are needed, {} are free", device, in_words(needed_bytes),
                        in_words(free_bytes))),
      needed_(needed_bytes),
      free_(free_bytes) {}

}  // namespace bertha
