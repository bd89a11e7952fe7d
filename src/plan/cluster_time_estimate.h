#pragma once

// Step times for several numbers of ranks (cost_model.h), with links by name or fitted to what was
// measured (step_timing.h).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plan/cost_model.h"
#include "plan/datasheets.h"
#include "plan/device_time_estimate.h"
#include "plan/step_timing.h"
#include "plan/training_job.h"

namespace bertha::plan {

/// What is not given is as measured, else usual for the GPU.
struct ScalingRequest {
  std::vector<int64_t> ranks{1, 8, 32, 256, 1024};
  int64_t ranks_a_node = 8;
  std::optional<std::string> within;   ///< link between ranks of a node
  std::optional<std::string> network;  ///< link between nodes
  std::optional<int64_t> network_cards;
  /// Sequences of an update over all ranks. 0: the job's accumulation on every rank.
  int64_t global_batch = 0;
};

/// Numbers of ranks in a text like "1,8,32". Throws Error for anything else.
std::vector<int64_t> parse_rank_counts(const std::string& text);

struct NamedLink {
  std::string name;
  Link link;
  std::optional<LinkFit> fit;  ///< where the link was measured
};

struct ScalingRow {
  int64_t ranks = 1;
  int64_t accumulation = 1;
  StepTime time;
  double sequences_per_second = 0;
  double efficiency = 1;            ///< sequences a second over those of as many single ranks
  std::optional<double> memory_gb;  ///< of a rank; absent for a machine that was measured
};

struct NetworkCurve {
  std::string network;
  std::vector<double> efficiencies;  ///< one for each row
};

struct Scaling {
  NamedLink within;
  NamedLink between;
  Cluster cluster;
  StepCost one_rank;
  std::vector<ScalingRow> rows;      ///< one for each number of ranks
  std::vector<NetworkCurve> curves;  ///< the same with every network that is known

  /// Seconds from the begin of the last micro-batch to the end of the last reduction of any row.
  double last_second() const;
};

/// `time` is of one rank. Measured times, where there are any, take its place. Throws Error for a
/// link without a name, a batch that the ranks cannot divide, and measurements of another model.
Scaling estimate_scaling(const TrainingJob& job, const Datasheet& gpu, const TimeEstimate& time,
                         const ScalingRequest& request, std::span<const StepTiming> timings);

}  // namespace bertha::plan
