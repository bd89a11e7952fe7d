#include "plan/datasheets.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace bertha::plan {
namespace {

constexpr std::array kDatasheets = {
    Datasheet{"a100-40", 40, 312, 19.5, 1555, "nvlink3", "infiniband-hdr", 8},
    Datasheet{"a100-80", 80, 312, 19.5, 2039, "nvlink3", "infiniband-hdr", 8},
    Datasheet{"l40s", 48, 362, 91.6, 864, "pcie4", "ethernet-100g", 1},
    Datasheet{"h100", 80, 989, 67, 3350, "nvlink4", "infiniband-ndr", 8},
    Datasheet{"h200", 141, 989, 67, 4800, "nvlink4", "infiniband-ndr", 8},
    Datasheet{"b200", 180, 2250, 75, 8000, "nvlink5", "infiniband-ndr", 8},
};

}  // namespace

const Datasheet& find_datasheet(std::string_view name) {
  const auto* const found = std::ranges::find(kDatasheets, name, &Datasheet::name);
  if (found == kDatasheets.end()) {
    fail("--card {}: expected a100-40, a100-80, l40s, h100, h200 or b200", name);
  }
  return *found;
}

}  // namespace bertha::plan
