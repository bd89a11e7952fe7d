#pragma once

// The index of chunks that HDF5 1.10 writes for datasets of a fixed size: a fixed array (HDF5 File
// Format Specification Version 3.0, VII.C). For hdf5_*.cc only.

#include <cstdint>
#include <functional>

#include "io/hdf5/hdf5_structure.h"

namespace bertha::io {

/// A chunk as an index names it.
struct Hdf5IndexedChunk {
  uint64_t address = 0;
  uint64_t bytes = 0;
  uint32_t skipped_filters = 0;
};

/// Visits the chunks that are present in the fixed array at `address`, in order, with their number
/// in the array. Chunks without filters have `chunk_bytes` bytes.
void visit_hdf5_fixed_array(
    Hdf5Parts& parts, uint64_t address, uint64_t chunk_bytes,
    const std::function<void(int64_t number, const Hdf5IndexedChunk& chunk)>& visit);

}  // namespace bertha::io
