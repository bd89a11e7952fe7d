#pragma once

// What is planned: pre-training of a model with micro-batches of full rows.

#include <cstdint>
#include <string>

#include "bert/config.h"
#include "comm/communicator.h"
#include "core/dtype.h"
#include "plan/step_timing.h"

namespace bertha::plan {

struct TrainingJob {
  std::string config_file;         ///< where `config` is from, for messages
  bert::Config config;             ///< with the vocabulary padded as in training
  BatchShape shape{64, 128, 20};   ///< of a micro-batch
  int64_t accumulation = 1;        ///< micro-batches of an update, on each rank
  bool autocast = false;           ///< products in bf16
  bool recompute = false;          ///< run layers again in the backward pass
  bool partitions_state = false;   ///< ZeRO-1: each rank has a partition of the optimizer's state
  comm::ReduceOptions reductions;  ///< how gradients are summed over ranks

  DType compute() const { return autocast ? DType::kBF16 : DType::kF32; }
};

}  // namespace bertha::plan
