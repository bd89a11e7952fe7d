#pragma once

// What the ranks of a training run agree on.

#include <cstdint>
#include <functional>

#include "bert/parameters.h"
#include "comm/communicator.h"
#include "train/pretraining_trainer.h"
#include "train/start_plan.h"

namespace bertha::train {

/// Rank 0 looks at the output folder and decides; all ranks get its plan. Throws Error when the
/// ranks were started with other settings or see other data.
StartPlan agree_on_start(comm::Communicator& world, const Settings& settings,
                         const std::function<StartPlan()>& decide);

/// Rank 0's weights on every rank.
void broadcast_weights(comm::Communicator& world, bert::ParameterStore& parameters);
/// Its weights and moments.
void broadcast_state(comm::Communicator& world, bert::ParameterStore& parameters,
                     optim::MomentStore& trainer);

/// What the micro-batches of a step came to.
struct StepSums {
  LossSums losses;
  double loss = 0;  ///< sum over micro-batches of their mean loss
  int64_t tokens = 0;
  bool finite = true;
};
/// The sum over ranks; not finite when it is not on any.
StepSums all_reduce_sums(comm::Communicator& world, const StepSums& mine);

/// Throws Error, on every rank, naming those whose weights differ from rank 0's.
void check_same_weights(comm::Communicator& world, const bert::ParameterStore& parameters,
                        int64_t step);

}  // namespace bertha::train
