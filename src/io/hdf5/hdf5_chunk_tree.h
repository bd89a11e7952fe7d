#pragma once

// The index of chunks that HDF5 1.10 and later write for datasets that grow along several
// dimensions: a B-tree of version 2 (HDF5 File Format Specification Version 3.0, III.A.2, records
// of types 10 and 11). For hdf5_*.cc only.

#include <array>
#include <cstdint>
#include <functional>

#include "io/hdf5/hdf5_chunk_array.h"
#include "io/hdf5/hdf5_structure.h"

namespace bertha::io {

/// Takes a chunk with its place in the grid of chunks. The second number is 0 where there is one
/// dimension.
using VisitPlacedChunk =
    std::function<void(const std::array<uint64_t, 2>& place, const Hdf5IndexedChunk& chunk)>;

/// Visits the chunks in the tree at `address` in the tree's order. `rank` is 1 or 2. Chunks without
/// filters have `chunk_bytes` bytes.
void visit_hdf5_chunk_tree(Hdf5Parts& parts, uint64_t address, int rank, uint64_t chunk_bytes,
                           const VisitPlacedChunk& visit);

}  // namespace bertha::io
