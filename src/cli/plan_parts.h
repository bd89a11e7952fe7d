#pragma once

// The parts of `bertha plan`: what was asked for, memory on one card (plan.cc), and step times over
// many ranks with their pictures (plan_scaling.cc).

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/config.h"
#include "cli/ranks.h"
#include "plan/cost_model.h"
#include "plan/step_timing.h"
#include "runlog/svg.h"

namespace bertha::cli {

/// Datasheet figures of a card: memory, dense bf16 and fp32 (outside tensor cores) rates, memory's
/// bandwidth; and what usually connects several.
struct Card {
  std::string_view name;
  double memory_gb;
  double bf16_tflops;
  double fp32_tflops;
  double gbytes_per_s;
  std::string_view within;
  std::string_view network;
  int64_t network_cards;
};

struct PlanOptions {
  std::string config_file;
  std::string card = "h100";
  plan::BatchShape shape = {64, 128, 20};
  int64_t accumulation = 1;
  int64_t steps = 1;
  double real_share = 1;
  double rate_share = 0.5;
  bool autocast = false;
  bool recompute = false;
  // Many ranks.
  std::string ranks = "1,8,32,256,1024";
  int64_t ranks_a_node = 8;
  std::optional<std::string> within;
  std::optional<std::string> network;
  std::optional<int64_t> network_cards;
  int64_t global_batch = 0;
  bool zero = false;
  RankOptions sums;
  // What is measured takes the place of estimates.
  std::vector<std::string> measured;
  std::optional<std::string> measure;
  std::string device = "cpu";
  int64_t measure_steps = 5;
  bool json = false;
  std::string svg;

  bool by_measurement() const { return measure.has_value() || !measured.empty(); }
  DType compute() const { return autocast ? DType::kBF16 : DType::kF32; }
};

/// Operations of forward and backward of one sequence.
struct SequenceFlops {
  double encoder = 0;  ///< layers, forward and backward
  double heads = 0;
  double total() const { return encoder + heads; }
};

/// What is planned: a model on a card, or as it was measured.
struct Plan {
  const PlanOptions& options;
  bert::Config config;
  const Card& card;
  SequenceFlops flops;
  std::vector<plan::StepTiming> timings;  ///< measured ones
};

/// A rank's memory, in GB.
struct Memory {
  double parameters = 0;   ///< weights, gradients, bf16 copies
  double optimizer = 0;    ///< moments, batches, scalars
  double activations = 0;  ///< the arena
  double sums = 0;         ///< of gradients over ranks: ours, and NCCL's own about
  double total() const;
};
/// Counted by building the trainer of the first of `ranks` ranks.
Memory memory_of(const Plan& plan, int64_t ranks);

/// Seconds of one micro-batch and of an update over all parameters, from datasheets.
double estimated_micro_batch_seconds(const Plan& plan);
double estimated_update_seconds(const Plan& plan, int64_t elements);

/// Step times for every number of ranks.
class Scaling {
 public:
  explicit Scaling(const Plan& plan);

  void print() const;
  nlohmann::ordered_json json() const;
  std::string svg() const;

 private:
  struct Row {
    int64_t ranks = 1;
    int64_t accumulation = 1;
    plan::StepTime time;
    double sequences_per_second = 0;
    double efficiency = 1;  ///< sequences a second over those of as many single ranks
    double memory_gb = 0;
  };
  struct Curve {
    std::string network;
    std::vector<double> efficiencies;  ///< of rows_
  };

  void take_links();
  void take_measurement();
  void take_estimate();
  plan::StepCost cost(int64_t ranks) const;
  Row row(int64_t ranks, const plan::Cluster& cluster) const;
  std::vector<plan::FinalGradients> finals() const;
  void print_links() const;
  void print_rows() const;
  void print_overlap() const;
  void print_curves() const;
  void draw_micro_batch(runlog::Svg& svg) const;
  double last_moment() const;

  const Plan& plan_;
  std::vector<int64_t> ranks_;
  std::string within_name_;
  std::string network_name_;
  plan::Cluster cluster_;
  std::optional<plan::LinkFit> fit_within_;
  std::optional<plan::LinkFit> fit_between_;
  plan::StepCost base_;  ///< of one rank
  std::vector<Row> rows_;
  std::vector<Curve> curves_;
};

}  // namespace bertha::cli
