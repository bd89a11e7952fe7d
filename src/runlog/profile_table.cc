#include "runlog/profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace bertha::runlog {
namespace {

/// "FMA 83 %" or "bytes 61 %".
std::string nearest_bound(double gflops, double gbytes_per_s, const Ceilings& ceilings) {
  const double products = ceilings.gflops > 0 ? gflops / ceilings.gflops : 0;
  const double memory = ceilings.gbytes_per_s > 0 ? gbytes_per_s / ceilings.gbytes_per_s : 0;
  if (products == 0 && memory == 0) return "";
  return products > memory ? fmt::format("FMA {:.0f} %", 100 * products)
                           : fmt::format("bytes {:.0f} %", 100 * memory);
}

}  // namespace

std::string profile_table(const Profile& profile, int64_t steps, const Ceilings& ceilings) {
  std::vector<Profile::Entry> entries = profile.entries();
  std::ranges::stable_sort(entries, std::ranges::greater(), &Profile::Entry::seconds);
  const double all = std::max(profile.seconds(), 1e-12);
  const double per_step = 1 / static_cast<double>(std::max<int64_t>(steps, 1));
  std::string table = fmt::format("{:38} {:>7} {:>10} {:>7} {:>9} {:>7}  {}\n", "op", "calls",
                                  "ms a step", "share", "GFLOP/s", "GB/s", "bound");
  for (const Profile::Entry& entry : entries) {
    const double seconds = std::max(entry.seconds, 1e-12);
    const double gflops = entry.flops / seconds * 1e-9;
    const double gbytes_per_s = entry.bytes / seconds * 1e-9;
    table += fmt::format("{:38} {:7} {:10.2f} {:5.1f} % {:>9} {:7.1f}  {}\n", entry.name,
                         entry.calls, 1e3 * entry.seconds * per_step, 100 * entry.seconds / all,
                         entry.flops > 0 ? fmt::format("{:.0f}", gflops) : "-", gbytes_per_s,
                         nearest_bound(gflops, gbytes_per_s, ceilings));
  }
  table += fmt::format("{:38} {:>7} {:10.2f}\n", "all", "", 1e3 * profile.seconds() * per_step);
  return table;
}

}  // namespace bertha::runlog
