#pragma once

#include <cstdint>

#include "plan/datasheets.h"
#include "plan/training_job.h"

namespace bertha::plan {

/// Memory of one rank, in GB (1e9 bytes). All is counted but for `library`, `driver`, `graphs` and
/// NCCL's part of `communication`, which are about right.
struct MemoryEstimate {
  double parameters = 0;     ///< weights, gradients, bf16 copies
  double optimizer = 0;      ///< moments, batches, scalars
  double activations = 0;    ///< the arena
  double communication = 0;  ///< to sum gradients over ranks: our buffers and NCCL's
  double library = 0;        ///< as the data sheet has it
  double driver = 0;         ///< as the data sheet has it
  double graphs = 0;         ///< of the driver, for the steps of a run over rows of all lengths

  double total() const {
    return parameters + optimizer + activations + communication + library + driver + graphs;
  }
};

/// Builds the trainer of the first of `ranks` ranks on a device without memory, and counts what it
/// allocates: the code is that of a run.
MemoryEstimate estimate_memory(const TrainingJob& job, const Datasheet& gpu, int64_t ranks);

}  // namespace bertha::plan
