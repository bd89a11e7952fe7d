#include "plan/cluster_time_estimate.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

#include "bert/parameters.h"
#include "core/error.h"
#include "core/strings.h"
#include "plan/memory_estimate.h"

namespace bertha::plan {
namespace {

constexpr const char* kMeasured = "as measured";

Link link_of(std::span<const Fabric> fabrics, const char* option, const std::string& name) {
  if (const std::optional<Link> link = find_link(fabrics, name)) return *link;
  std::vector<std::string> names;
  for (const Fabric& fabric : fabrics) names.emplace_back(fabric.name);
  fail("--{} {}: expected {}", option, name, join(names, ", "));
}

/// Fitted to all measurements on one host, or to those with one rank a host.
std::optional<LinkFit> fit_of(std::span<const StepTiming> timings, bool one_host) {
  std::vector<Sample> samples;
  for (const StepTiming& timing : timings) {
    const bool fits = one_host ? timing.hosts == 1 : timing.hosts == timing.ranks;
    if (fits) samples.insert(samples.end(), timing.sums.begin(), timing.sums.end());
  }
  return fit_link(samples);
}

/// The estimate in the making.
class Estimator {
 public:
  Estimator(const TrainingJob& job, const Datasheet& gpu, const TimeEstimate& time,
            const ScalingRequest& request, std::span<const StepTiming> timings)
      : job_(job), gpu_(gpu), time_(time), request_(request), timings_(timings) {}

  Scaling run() {
    choose_links();
    take_estimate();
    if (!timings_.empty()) take_measurement();
    for (const int64_t ranks : request_.ranks) {
      scaling_.rows.push_back(row(ranks, scaling_.cluster));
      if (timings_.empty()) {
        scaling_.rows.back().memory_gb = estimate_memory(job_, gpu_, ranks).total();
      }
    }
    for (const Fabric& fabric : known_networks()) scaling_.curves.push_back(curve(fabric));
    return std::move(scaling_);
  }

 private:
  void choose_links();
  void take_estimate();
  void take_measurement();
  void take_overlap(const StepTiming& timing);
  std::vector<FinalGradients> finals() const;
  StepCost cost(int64_t ranks) const;
  double sequences_per_second(int64_t ranks, const StepCost& cost, const StepTime& time) const {
    return static_cast<double>(cost.accumulation * job_.shape.sequences * ranks) /
           time.step_seconds;
  }
  ScalingRow row(int64_t ranks, const Cluster& cluster) const;
  NetworkCurve curve(const Fabric& network) const;

  const TrainingJob& job_;
  const Datasheet& gpu_;
  const TimeEstimate& time_;
  const ScalingRequest& request_;
  const std::span<const StepTiming> timings_;
  Scaling scaling_;
};

void Estimator::choose_links() {
  const bool measured = !timings_.empty();
  const auto choose = [&](const std::optional<std::string>& named, std::string_view usual,
                          const char* option, std::span<const Fabric> fabrics, bool one_host) {
    NamedLink chosen;
    chosen.name = named.value_or(std::string(usual));
    chosen.link = link_of(fabrics, option, chosen.name);
    if (!named) chosen.fit = fit_of(timings_, one_host);
    if (chosen.fit) {
      chosen.link = chosen.fit->link;
      chosen.name = kMeasured;
    }
    return chosen;
  };
  scaling_.within = choose(request_.within, measured ? "shared-memory" : gpu_.within, "within",
                           known_interconnects(), true);
  scaling_.between = choose(request_.network, measured ? "ethernet-10g" : gpu_.network, "network",
                            known_networks(), false);
  scaling_.cluster = {
      .within = scaling_.within.link,
      .between = scaling_.between.link,
      .ranks_a_node = request_.ranks_a_node,
      .cards_a_node = request_.network_cards.value_or(measured ? 1 : gpu_.network_cards)};
  // What was measured between nodes is the rate of all network cards together.
  if (scaling_.between.fit) scaling_.cluster.cards_a_node = 1;
}

void Estimator::take_estimate() {
  const bert::ParameterTable table(job_.config, bert::Heads::for_pretraining());
  StepCost& cost = scaling_.one_rank;
  cost.elements = table.flat_size();
  cost.bucket_elements = job_.reductions.bucket_elements;
  cost.wire_bytes = static_cast<double>(size_of(job_.reductions.wire_dtype));
  cost.partitions_state = job_.partitions_state;
  cost.micro_batch_seconds = time_.micro_batch_seconds;
  cost.update_seconds = time_.update_seconds;
  cost.finals = finals();
}

/// Takes the times of the measurement with most ranks, which share memory and cores as the planned
/// ranks will.
void Estimator::take_measurement() {
  StepCost& cost = scaling_.one_rank;
  for (const StepTiming& timing : timings_) {
    if (timing.elements == cost.elements) continue;
    fail("measured with a model of {} parameters, {} has {}", timing.elements, job_.config_file,
         cost.elements);
  }
  const StepTiming& timing = *std::ranges::max_element(timings_, {}, &StepTiming::ranks);
  cost.micro_batch_seconds = timing.micro_batch_seconds;
  cost.update_seconds = timing.update_seconds;
  cost.bucket_elements = timing.bucket_elements;
  cost.finals = finals();
  if (timing.ranks > 1 && (scaling_.within.fit || scaling_.between.fit)) take_overlap(timing);
}

/// The time by which reductions slowed computation down says how much of them can hide.
void Estimator::take_overlap(const StepTiming& timing) {
  Cluster cluster = scaling_.cluster;
  cluster.ranks_a_node = (timing.ranks + timing.hosts - 1) / timing.hosts;
  const StepTime ideal = step_time(scaling_.one_rank, cluster, timing.ranks);
  if (ideal.hidden_seconds <= 0) return;
  const double hidden = timing.whole_sum_seconds - timing.exposed_seconds();
  scaling_.one_rank.overlap = std::clamp(hidden / ideal.hidden_seconds, 0.0, 1.0);
}

/// The forward pass and the heads, then the backward pass layer by layer from the last. Each takes
/// the share of the micro-batch that its operations have.
std::vector<FinalGradients> Estimator::finals() const {
  const double micro_batch = scaling_.one_rank.micro_batch_seconds;
  const bert::ParameterTable table(job_.config, bert::Heads::for_pretraining());
  const int64_t layers = job_.config.num_hidden_layers;
  const double forward = time_.flops.encoder / 3;
  const double backward = forward * (job_.recompute ? 3 : 2);
  const double all = forward + time_.flops.heads + backward;
  const double before = (forward + time_.flops.heads) / all;
  std::vector<FinalGradients> finals;
  for (int64_t done = 0; done <= layers; ++done) {
    const double share =
        before + (1 - before) * static_cast<double>(done) / static_cast<double>(layers);
    finals.push_back({share * micro_batch, table.layer_begin(layers - done)});
  }
  finals.push_back({micro_batch, 0});
  return finals;
}

StepCost Estimator::cost(int64_t ranks) const {
  StepCost cost = scaling_.one_rank;
  cost.accumulation = job_.accumulation;
  if (request_.global_batch == 0) return cost;
  const int64_t at_once = job_.shape.sequences * ranks;
  if (request_.global_batch % at_once != 0) {
    fail("--global-batch {}: no multiple of {} ranks with micro-batches of {}",
         request_.global_batch, ranks, job_.shape.sequences);
  }
  cost.accumulation = request_.global_batch / at_once;
  return cost;
}

ScalingRow Estimator::row(int64_t ranks, const Cluster& cluster) const {
  const StepCost own = cost(ranks);
  const StepCost alone = cost(1);
  ScalingRow row;
  row.ranks = ranks;
  row.accumulation = own.accumulation;
  row.time = step_time(own, cluster, ranks);
  row.sequences_per_second = sequences_per_second(ranks, own, row.time);
  const double single = sequences_per_second(1, alone, step_time(alone, cluster, 1));
  row.efficiency = row.sequences_per_second / (single * static_cast<double>(ranks));
  return row;
}

NetworkCurve Estimator::curve(const Fabric& network) const {
  Cluster cluster = scaling_.cluster;
  cluster.between = network.delivered();
  NetworkCurve curve{std::string(network.name), {}};
  for (const int64_t ranks : request_.ranks) {
    curve.efficiencies.push_back(row(ranks, cluster).efficiency);
  }
  return curve;
}

}  // namespace

std::vector<int64_t> parse_rank_counts(const std::string& text) {
  constexpr int64_t kMost = 1 << 20;
  std::vector<int64_t> ranks;
  std::stringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    int64_t count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc() || end != word.data() + word.size() || count < 1 || count > kMost) {
      fail("--ranks {}: expected numbers from 1 to {}, separated by commas", text, kMost);
    }
    ranks.push_back(count);
  }
  if (ranks.empty()) fail("--ranks: expected at least one number");
  return ranks;
}

double Scaling::last_second() const {
  double last = one_rank.micro_batch_seconds;
  for (const ScalingRow& row : rows) {
    if (!row.time.buckets.empty()) last = std::max(last, row.time.buckets.back().end);
  }
  return last;
}

Scaling estimate_scaling(const TrainingJob& job, const Datasheet& gpu, const TimeEstimate& time,
                         const ScalingRequest& request, std::span<const StepTiming> timings) {
  return Estimator(job, gpu, time, request, timings).run();
}

}  // namespace bertha::plan
