#pragma once

// The pack stage: several sequences share a row, so that training spends little on padding.

#include <cstdint>
#include <functional>
#include <string>

#include "comm/communicator.h"
#include "core/progress.h"
#include "dataset/packing/pack_shards.h"
#include "dataset/packing/packing.h"

namespace bertha::prepare {

struct PackOptions {
  std::string input_dir;              ///< folder of unpacked shards, *training*.hdf5
  std::string output_dir;             ///< folder of packed shards; made when missing
  bool overwrite = false;             ///< replaces packed shards of an earlier run
  dataset::PackOptions packing = {};  ///< run_pack() sets `part` and `parts`
};

struct PackResult {
  int64_t files = 0;     ///< written by all ranks
  std::string metadata;  ///< the file of metadata beside output_dir
  double seconds = 0;
};

/// Receives the packing as soon as it is known.
using ReportPacking = std::function<void(const dataset::Packing& packing)>;

/// What the progress of run_pack() counts.
inline constexpr const char* kPackUnit = "files, read and written";

/// Throws Error naming the option of `bertha prepare pack` that is out of range.
void check_options(const dataset::PackOptions& options);

/// Writes the packed files, and the metadata last; all ranks call it, and each writes its part of
/// the files. The same shards, options and seed give the same bytes for any number of ranks and
/// threads. `progress` is in files of this rank, read and written. `packing_found` is called on
/// every rank before the first file is written; it may be empty. Throws Error when output_dir holds
/// the result of an earlier run and `overwrite` is not set.
PackResult run_pack(const PackOptions& options, comm::Communicator& world,
                    const ReportProgress& progress, const ReportPacking& packing_found = {});

/// "51831 sequences in 47100 rows of 128 tokens: …"
std::string describe(const dataset::Packing& packing);
/// "7 files and packed_metadata.json in 1.2 s".
std::string describe(const PackResult& result);

}  // namespace bertha::prepare
