// What many ranks bring: links fitted or by name, step times by comm/cost_model.h.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bert/parameters.h"
#include "cli/plan_parts.h"
#include "core/error.h"
#include "core/strings.h"

namespace bertha::cli {
namespace {

using Json = nlohmann::ordered_json;

std::vector<int64_t> parse_ranks(const std::string& text) {
  constexpr int64_t kMost = 1 << 20;
  std::vector<int64_t> ranks;
  std::stringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    int64_t count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (error != std::errc() || end != word.data() + word.size() || count < 1 || count > kMost) {
      fail("--ranks {}: expected numbers from 1 to {}, set apart by commas", text, kMost);
    }
    ranks.push_back(count);
  }
  if (ranks.empty()) fail("--ranks: expected at least one number");
  return ranks;
}

plan::Link link_of(std::span<const plan::Fabric> fabrics, const char* option,
                   const std::string& name) {
  if (const std::optional<plan::Link> link = plan::find_link(fabrics, name)) return *link;
  std::vector<std::string> names;
  for (const plan::Fabric& fabric : fabrics) names.emplace_back(fabric.name);
  fail("--{} {}: expected {}", option, name, join(names, ", "));
}

/// Samples of all measurements on one host, or of those with one rank a host.
std::optional<plan::LinkFit> fit_of(const std::vector<plan::StepTiming>& timings, bool one_host) {
  std::vector<plan::Sample> samples;
  for (const plan::StepTiming& timing : timings) {
    const bool fits = one_host ? timing.hosts == 1 : timing.hosts == timing.ranks;
    if (fits) samples.insert(samples.end(), timing.sums.begin(), timing.sums.end());
  }
  return plan::fit_link(samples);
}

Json json_of(const std::string& name, const plan::Link& link,
             const std::optional<plan::LinkFit>& fit) {
  Json json = {{"name", name},
               {"latency_seconds", link.latency_seconds},
               {"bytes_per_second", link.bytes_per_second}};
  if (fit) {
    json["method"] = plan::name_of(fit->method);
    json["residual"] = fit->residual;
  }
  return json;
}

}  // namespace

Scaling::Scaling(const Plan& plan) : plan_(plan), ranks_(parse_ranks(plan.options.ranks)) {
  take_links();
  const bert::ParameterTable table(plan.config, bert::Heads::for_pretraining());
  base_.elements = table.flat_size();
  base_.bucket_elements = plan.options.sums.sums().bucket_elements;
  base_.wire_bytes = static_cast<double>(size_of(plan.options.sums.sums().wire_dtype));
  base_.partitions_state = plan.options.zero;
  take_estimate();
  take_measurement();
  for (const int64_t ranks : ranks_) {
    rows_.push_back(row(ranks, cluster_));
    if (!plan.options.by_measurement()) rows_.back().memory_gb = memory_of(plan, ranks).total();
  }
  for (const plan::Fabric& fabric : plan::known_networks()) {
    plan::Cluster cluster = cluster_;
    cluster.between = fabric.delivered();
    Curve curve{std::string(fabric.name), {}};
    for (const int64_t ranks : ranks_) curve.efficiencies.push_back(row(ranks, cluster).efficiency);
    curves_.push_back(std::move(curve));
  }
}

/// By name where one is given, else as measured, else usual for the card.
void Scaling::take_links() {
  const PlanOptions& o = plan_.options;
  const bool measured = o.by_measurement();
  within_name_ = o.within.value_or(measured ? "shared-memory" : std::string(plan_.card.within));
  network_name_ = o.network.value_or(measured ? "ethernet-10g" : std::string(plan_.card.network));
  cluster_ = {.within = link_of(plan::known_interconnects(), "within", within_name_),
              .between = link_of(plan::known_networks(), "network", network_name_),
              .ranks_a_node = o.ranks_a_node,
              .cards_a_node = o.network_cards.value_or(measured ? 1 : plan_.card.network_cards)};
  if (!o.within) fit_within_ = fit_of(plan_.timings, true);
  if (!o.network) fit_between_ = fit_of(plan_.timings, false);
  if (fit_within_) {
    cluster_.within = fit_within_->link;
    within_name_ = "as measured";
  }
  if (fit_between_) {
    cluster_.between = fit_between_->link;
    cluster_.cards_a_node = 1;
    network_name_ = "as measured";
  }
}

void Scaling::take_estimate() {
  base_.micro_batch_seconds = estimated_micro_batch_seconds(plan_);
  base_.update_seconds = estimated_update_seconds(plan_, base_.elements);
  base_.finals = finals();
}

/// Times are those of the measurement of most ranks, which had to share memory and cores as ranks
/// to come will; what sums took from its computation says how much of them can hide.
void Scaling::take_measurement() {
  if (plan_.timings.empty()) return;
  for (const plan::StepTiming& timing : plan_.timings) {
    if (timing.elements == base_.elements) continue;
    fail("measured with a model of {} parameters, {} has {}", timing.elements,
         plan_.options.config_file, base_.elements);
  }
  const plan::StepTiming& timing =
      *std::ranges::max_element(plan_.timings, {}, &plan::StepTiming::ranks);
  base_.micro_batch_seconds = timing.micro_batch_seconds;
  base_.update_seconds = timing.update_seconds;
  base_.bucket_elements = timing.bucket_elements;
  base_.finals = finals();
  if (timing.ranks == 1 || !(fit_within_ || fit_between_)) return;
  plan::Cluster cluster = cluster_;
  cluster.ranks_a_node = (timing.ranks + timing.hosts - 1) / timing.hosts;
  const plan::StepTime ideal = plan::step_time(base_, cluster, timing.ranks);
  if (ideal.hidden_seconds <= 0) return;
  const double hidden = timing.whole_sum_seconds - timing.exposed_seconds();
  base_.overlap = std::clamp(hidden / ideal.hidden_seconds, 0.0, 1.0);
}

/// The forward pass and the heads, then the backward pass layer by layer from the last: shares of
/// the micro-batch by their operations.
std::vector<plan::FinalGradients> Scaling::finals() const {
  const bert::ParameterTable table(plan_.config, bert::Heads::for_pretraining());
  const int64_t layers = plan_.config.num_hidden_layers;
  const double forward = plan_.flops.encoder / 3;
  const double backward = forward * (plan_.options.recompute ? 3 : 2);
  const double all = forward + plan_.flops.heads + backward;
  const double before = (forward + plan_.flops.heads) / all;
  std::vector<plan::FinalGradients> finals;
  for (int64_t done = 0; done <= layers; ++done) {
    const double share =
        before + (1 - before) * static_cast<double>(done) / static_cast<double>(layers);
    finals.push_back({share * base_.micro_batch_seconds, table.layer_begin(layers - done)});
  }
  finals.push_back({base_.micro_batch_seconds, 0});
  return finals;
}

plan::StepCost Scaling::cost(int64_t ranks) const {
  const PlanOptions& o = plan_.options;
  plan::StepCost cost = base_;
  cost.accumulation = o.accumulation;
  if (o.global_batch == 0) return cost;
  const int64_t at_once = o.shape.sequences * ranks;
  if (o.global_batch % at_once != 0) {
    fail("--global_batch {}: no multiple of {} ranks with micro-batches of {}", o.global_batch,
         ranks, o.shape.sequences);
  }
  cost.accumulation = o.global_batch / at_once;
  return cost;
}

Scaling::Row Scaling::row(int64_t ranks, const plan::Cluster& cluster) const {
  const auto rate = [&](int64_t count, const plan::StepCost& of, const plan::StepTime& time) {
    return static_cast<double>(of.accumulation * plan_.options.shape.sequences * count) /
           time.step_seconds;
  };
  const plan::StepCost own = cost(ranks);
  const plan::StepCost alone = cost(1);
  Row row{.ranks = ranks, .accumulation = own.accumulation, .time = step_time(own, cluster, ranks)};
  row.sequences_per_second = rate(ranks, own, row.time);
  const double single = rate(1, alone, step_time(alone, cluster, 1));
  row.efficiency = row.sequences_per_second / (single * static_cast<double>(ranks));
  return row;
}

Json Scaling::json() const {
  Json json = {{"within", json_of(within_name_, cluster_.within, fit_within_)},
               {"between", json_of(network_name_, cluster_.between, fit_between_)},
               {"ranks_a_node", cluster_.ranks_a_node},
               {"network_cards", cluster_.cards_a_node},
               {"micro_batch_seconds", base_.micro_batch_seconds},
               {"overlap", base_.overlap},
               {"scaling", Json::array()}};
  for (const Row& row : rows_) {
    json["scaling"].push_back({{"ranks", row.ranks},
                               {"gradient_accumulation_steps", row.accumulation},
                               {"compute_seconds", row.time.compute_seconds},
                               {"update_seconds", row.time.update_seconds},
                               {"sum_seconds", row.time.sum_seconds},
                               {"hidden_seconds", row.time.hidden_seconds},
                               {"step_seconds", row.time.step_seconds},
                               {"sequences_per_second", row.sequences_per_second},
                               {"efficiency", row.efficiency}});
    if (row.memory_gb > 0) json["scaling"].back()["memory_gb"] = row.memory_gb;
  }
  for (const Curve& curve : curves_) json["networks"][curve.network] = curve.efficiencies;
  return json;
}

}  // namespace bertha::cli
