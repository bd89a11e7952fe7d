#pragma once

#include <cstdint>
#include <string>

#include "train/checkpoint.h"
#include "train/pretraining_options.h"

namespace bertha::train {

/// How a run begins.
enum class StartKind : uint8_t {
  kFresh,      ///< new weights
  kInitial,    ///< weights (and moments, if any) of --init_checkpoint, step 0
  kContinue,   ///< this very command, exactly where it stopped; --max_steps may have grown
  kPhase2,     ///< phase 2 from the last checkpoint of phase 1
  kOtherOrder  ///< --resume_from_checkpoint with another program's or another command's checkpoint
};

/// How a run ended.
enum class RunEnd : uint8_t {
  kFinished,
  kStopped,  ///< a signal came; the last step is saved, the same command goes on
};

struct StartPlan {
  StartKind kind = StartKind::kFresh;
  std::string path;                   ///< the checkpoint; empty for kFresh
  CheckpointState state;              ///< what it says
  int64_t step = 0;                   ///< updates done in this phase
  std::vector<std::string> warnings;  ///< what a user must know, a line each
};

/// Looks at the output folder and decides. A damaged newest checkpoint is passed over with a
/// warning. Throws Error for a folder that holds another run's checkpoints (naming what differs), a
/// --phase1_end_step that does not fit, or when there is nothing to resume phase 2 from.
StartPlan plan_start(const PretrainingOptions& options, const Settings& settings);

}  // namespace bertha::train
