#include "backend/cuda/kernel_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <numeric>

namespace bertha::cuda {
namespace {

struct Row {
  std::string_view name;
  int64_t calls = 0;
  double sum = 0;
  double least = 0, median = 0, greatest = 0;
};

Row row_of(std::string_view name, std::vector<double> times) {
  std::ranges::sort(times);
  return {.name = name,
          .calls = std::ssize(times),
          .sum = std::accumulate(times.begin(), times.end(), 0.0),
          .least = times.front(),
          .median = times[times.size() / 2],
          .greatest = times.back()};
}

}  // namespace

void KernelTimes::add(std::string_view name, double microseconds) {
  auto found = times_.find(name);
  if (found == times_.end()) found = times_.emplace(std::string(name), std::vector<double>()).first;
  found->second.push_back(microseconds);
}

std::string KernelTimes::table() const {
  std::vector<Row> rows;
  double all = 0;
  for (const auto& [name, times] : times_) {
    rows.push_back(row_of(name, times));
    all += rows.back().sum;
  }
  std::ranges::stable_sort(rows, std::ranges::greater(), &Row::sum);
  std::string table = fmt::format("{:44} {:>7} {:>10} {:>8} {:>9} {:>9} {:>9}\n", "kernel", "calls",
                                  "ms", "share", "least us", "median us", "most us");
  for (const Row& row : rows) {
    table += fmt::format("{:44} {:7} {:10.2f} {:6.1f} % {:9.1f} {:9.1f} {:9.1f}\n", row.name,
                         row.calls, row.sum * 1e-3, all > 0 ? 100 * row.sum / all : 0.0, row.least,
                         row.median, row.greatest);
  }
  return table + fmt::format("{:44} {:7} {:10.2f}\n", "all", "", all * 1e-3);
}

}  // namespace bertha::cuda
