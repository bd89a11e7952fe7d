#pragma once

// What messages call types and filters that the reader does not support. For hdf5_*.cc only.

#include <cstdint>
#include <string>

namespace bertha::io {

/// The class of a datatype message (IV.A.2.d): "numbers with fractions".
std::string describe_hdf5_type(uint64_t type_class);
/// A filter by its registered number: "szip (filter 4)".
std::string describe_hdf5_filter(uint16_t filter);

}  // namespace bertha::io
