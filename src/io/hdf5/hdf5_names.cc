#include "io/hdf5/hdf5_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace bertha::io {
namespace {

constexpr auto kTypes = std::to_array<const char*>(
    {"integers", "numbers with fractions (`ds[...].astype(\"i4\")` in h5py converts them)", "times",
     "text", "bit fields", "opaque bytes", "records of several fields", "references",
     "enumerations",
     "rows of variable length (write them anew from h5py as an array [rows, length], filled up "
     "with zeros)",
     "arrays as elements"});

struct NamedFilter {
  uint16_t number;
  const char* name;
};
// The numbers below 256 are HDF5's own, the others are registered with The HDF Group.
constexpr auto kFilters = std::to_array<NamedFilter>({{1, "gzip"},
                                                      {2, "shuffle"},
                                                      {3, "fletcher32"},
                                                      {4, "szip"},
                                                      {5, "n-bit"},
                                                      {6, "scale-offset"},
                                                      {305, "lzo"},
                                                      {307, "bzip2"},
                                                      {32000, "lzf"},
                                                      {32001, "blosc"},
                                                      {32004, "lz4"},
                                                      {32008, "bitshuffle"},
                                                      {32013, "zfp"},
                                                      {32015, "zstd"},
                                                      {32026, "blosc2"}});

}  // namespace

std::string describe_hdf5_type(uint64_t type_class) {
  if (type_class < kTypes.size()) return kTypes[type_class];
  return fmt::format("a type of class {}", type_class);
}

std::string describe_hdf5_filter(uint16_t filter) {
  const auto* const found = std::ranges::find(kFilters, filter, &NamedFilter::number);
  if (found == kFilters.end()) return fmt::format("filter {}", filter);
  return fmt::format("{} (filter {})", found->name, filter);
}

}  // namespace bertha::io
