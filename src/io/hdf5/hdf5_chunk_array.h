#pragma once

// The arrays in which HDF5 1.10 and later keep the addresses of chunks (HDF5 File Format
// Specification Version 3.0): a fixed array (VII.C) for a dataset of a fixed size, an extensible
// array (VII.D) for one that grows along one dimension. For hdf5_*.cc only.

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

/// Takes a chunk with its number in the array.
using VisitNumberedChunk = std::function<void(int64_t number, const Hdf5IndexedChunk& chunk)>;

/// Both visit the chunks that are present in the array at `address`, in order. Chunks without
/// filters have `chunk_bytes` bytes.
void visit_hdf5_fixed_array(Hdf5Parts& parts, uint64_t address, uint64_t chunk_bytes,
                            const VisitNumberedChunk& visit);
void visit_hdf5_extensible_array(Hdf5Parts& parts, uint64_t address, uint64_t chunk_bytes,
                                 const VisitNumberedChunk& visit);

}  // namespace bertha::io
