#include "tasks/problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace bertha::tasks {

void Problems::add(const std::string& kind, const std::string& place, int64_t count) {
  const auto found = std::find_if(kinds_.begin(), kinds_.end(),
                                  [&](const Kind& known) { return known.name == kind; });
  if (found != kinds_.end()) {
    found->count += count;
  } else {
    kinds_.push_back({kind, place, count});
  }
}

void Problems::add_all(const Problems& others) {
  for (const Kind& kind : others.kinds_) add(kind.name, kind.first_place, kind.count);
}

int64_t Problems::total() const {
  int64_t sum = 0;
  for (const Kind& kind : kinds_) sum += kind.count;
  return sum;
}

std::vector<std::string> Problems::lines() const {
  std::vector<std::string> lines;
  for (const Kind& kind : kinds_) {
    lines.push_back(
        fmt::format("{}: {}, the first at {}", kind.name, kind.count, kind.first_place));
  }
  return lines;
}

}  // namespace bertha::tasks
