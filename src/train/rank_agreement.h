#pragma once

// What the ranks of a training run exchange: the start, weights, losses, checksums of weights.

#include <cstdint>
#include <functional>
#include <vector>

#include "bert/parameters.h"
#include "comm/communicator.h"
#include "train/pretraining_trainer.h"
#include "train/start_plan.h"

namespace bertha::train {

/// Rank 0 looks at the output folder and decides; all ranks get its plan. Throws Error when the
/// ranks were started with other settings or see other data.
StartPlan agree_on_start(comm::Communicator& world, const Settings& settings,
                         const std::function<StartPlan()>& decide);

/// Copies rank 0's weights to every rank.
void broadcast_weights(comm::Communicator& world, bert::ParameterStore& parameters);
/// Copies rank 0's weights and moments to every rank.
void broadcast_state(comm::Communicator& world, bert::ParameterStore& parameters,
                     optim::MomentStore& moments);

/// The histories of fp8 operands of all ranks, as a checkpoint holds them, on rank 0; empty on the
/// others and without fp8. All ranks call it.
std::vector<float> gather_fp8_histories(comm::Communicator& world,
                                        const bert::ParameterStore& parameters);
/// Gives each rank its own part of rank 0's `all`. An empty `all` leaves every rank without a
/// history. All ranks call it.
void scatter_fp8_histories(comm::Communicator& world, std::vector<float> all,
                           bert::ParameterStore& parameters);

/// Sums over the micro-batches of a step.
struct StepSums {
  LossSums losses;
  double loss = 0;  ///< sum of the micro-batches' mean losses
  int64_t tokens = 0;
  int64_t nonfinite = 0;  ///< micro-batches whose loss is NaN or infinite
};
/// Sums every field over ranks.
StepSums all_reduce_sums(comm::Communicator& world, const StepSums& mine);

/// Compares a checksum of the weights over ranks. Throws Error, on every rank, that names the ranks
/// whose weights differ from rank 0's.
void check_same_weights(comm::Communicator& world, const bert::ParameterStore& parameters,
                        int64_t step);

}  // namespace bertha::train
