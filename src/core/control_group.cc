#include "core/control_group.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

namespace bertha {
namespace {

/// A hierarchy of groups as this process sees it.
struct Hierarchy {
  std::string mount;  ///< folder of the highest group that is visible
  std::string path;   ///< of the process's group below it: "" or "/a/b"
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool has_item(const std::string& list, std::string_view item) {
  const std::vector<std::string> items = split(list, ',');
  return std::ranges::find(items, item) != items.end();
}

/// The path of this process's group in the hierarchy of `controller`; "" means version 2.
std::optional<std::string> group_path(const std::string& root, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const bool wanted = controller.empty() ? names.empty() : has_item(names, controller);
    if (wanted) return line.substr(second + 1);
  }
  return std::nullopt;
}

/// `path` without the part that lies above the mount. A container may see its own group as the
/// root.
std::string below_mount(const std::string& path, const std::string& mount_root) {
  if (path == "/" || path.starts_with("/..")) return "";
  if (mount_root == "/") return path;
  if (path == mount_root || path.starts_with(mount_root + "/")) {
    return path.substr(mount_root.size());
  }
  return "";
}

/// proc_pid_mountinfo(5): "36 35 98:0 /root /mount options ... - type source super-options".
std::optional<Hierarchy> hierarchy(const std::string& root, const std::string& controller) {
  const std::optional<std::string> path = group_path(root, controller);
  if (!path) return std::nullopt;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> words = split(line, ' ');
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const bool wanted = controller.empty() ? dash[1] == "cgroup2"
                                           : dash[1] == "cgroup" && has_item(dash[3], controller);
    if (wanted) return Hierarchy{root + words[4], below_mount(*path, words[3])};
  }
  return std::nullopt;
}

/// The numbers of a file's first line. "max" ends them.
std::vector<double> numbers_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<double> numbers;
  for (std::string word; file >> word;) {
    double number = 0;
    const auto [rest, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (failure != std::errc()) break;
    numbers.push_back(number);
  }
  return numbers;
}

/// The lowest limit that `read(folder)` finds in the process's group and those above it.
template <typename Read>
GroupLimit lowest_limit(const std::optional<Hierarchy>& groups, const Read& read) {
  GroupLimit lowest;
  if (!groups) return lowest;
  for (std::string path = groups->path;; path.resize(path.rfind('/'))) {
    const GroupLimit limit = read(groups->mount + path);
    if (limit.exists() && (!lowest.exists() || limit.value < lowest.value)) lowest = limit;
    if (path.empty() || path.rfind('/') == std::string::npos) return lowest;
  }
}

GroupLimit lower_of(const GroupLimit& a, const GroupLimit& b) {
  if (!a.exists()) return b;
  return b.exists() && b.value < a.value ? b : a;
}

GroupLimit cores_of_version_2(const std::string& folder) {
  const std::vector<double> quota_and_period = numbers_of(folder + "/cpu.max");
  if (quota_and_period.size() < 2 || quota_and_period[0] <= 0 || quota_and_period[1] <= 0) {
    return {};
  }
  return {quota_and_period[0] / quota_and_period[1], folder + "/cpu.max"};
}

GroupLimit cores_of_version_1(const std::string& folder) {
  const std::vector<double> quota = numbers_of(folder + "/cpu.cfs_quota_us");
  const std::vector<double> period = numbers_of(folder + "/cpu.cfs_period_us");
  // A quota of -1 is none.
  if (quota.empty() || quota[0] <= 0 || period.empty() || period[0] <= 0) return {};
  return {quota[0] / period[0], folder + "/cpu.cfs_quota_us"};
}

/// A limit above this many bytes is version 1's way to write none.
constexpr double kNoMemoryLimit = 0x1p60;

GroupLimit bytes_in(const std::string& file) {
  const std::vector<double> bytes = numbers_of(file);
  if (bytes.empty() || bytes[0] > kNoMemoryLimit) return {};
  return {bytes[0], file};
}

/// The number after `name` in memory.stat.
double statistic(const std::string& folder, const std::string& name) {
  std::ifstream file(folder + "/memory.stat");
  std::string key;
  for (double value = 0; file >> key >> value;) {
    if (key == name) return value;
  }
  return 0;
}

/// Memory in use, without pages of files that the kernel can drop.
double used_beside(const std::string& file) {
  const std::string folder = file.substr(0, file.rfind('/'));
  const std::vector<double> version_2 = numbers_of(folder + "/memory.current");
  if (!version_2.empty()) return version_2[0] - statistic(folder, "inactive_file");
  const std::vector<double> version_1 = numbers_of(folder + "/memory.usage_in_bytes");
  return version_1.empty() ? 0 : version_1[0] - statistic(folder, "total_inactive_file");
}

}  // namespace

GroupLimit group_cores(const std::string& root) {
  return lower_of(lowest_limit(hierarchy(root, ""), cores_of_version_2),
                  lowest_limit(hierarchy(root, "cpu"), cores_of_version_1));
}

GroupLimit group_memory(const std::string& root, double* used_bytes) {
  const GroupLimit limit = lower_of(
      lowest_limit(hierarchy(root, ""),
                   [](const std::string& f) { return bytes_in(f + "/memory.max"); }),
      lowest_limit(hierarchy(root, "memory"),
                   [](const std::string& f) { return bytes_in(f + "/memory.limit_in_bytes"); }));
  if (used_bytes != nullptr) *used_bytes = limit.exists() ? used_beside(limit.file) : 0;
  return limit;
}

}  // namespace bertha
