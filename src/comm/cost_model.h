#pragma once

// What a step costs on R ranks: computation, then the sum of gradients, of which a part may hide
// behind the backward pass of the last micro-batch. Latencies and bandwidths follow Hockney's model
// (time = latency + bytes / bandwidth); a sum over ranks is a ring (Patarasu and Yuan 2009), inside
// a node first, then over nodes with as many rings as a node has network cards.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bertha::comm {

/// One kind of link, as a process sees it in one direction.
struct Link {
  double latency_seconds = 0;
  double bytes_per_second = 0;
};

struct Network {
  std::string_view name;
  Link within;               ///< between ranks of a node
  Link between;              ///< one network card of a node
  int64_t cards_a_node = 1;  ///< network cards that work at once
};

/// Networks by name; figures are the makers' nominal ones, of which kLinkEfficiency arrives.
std::span<const Network> known_networks();
std::optional<Network> find_network(std::string_view name);
inline constexpr double kLinkEfficiency = 0.8;

/// A job's step, measured on one rank or estimated.
struct StepCost {
  double micro_batch_seconds = 0;  ///< forward and backward
  double update_seconds = 0;       ///< norm and optimizer
  int64_t accumulation = 1;        ///< micro-batches a rank
  int64_t gradient_bytes = 0;      ///< on the wire: 4 or 2 a parameter
  /// Share of a micro-batch during which finished gradients can travel; 0: sums follow the
  /// backward pass, as they do now.
  double overlap = 0;
};

struct StepTime {
  double compute_seconds = 0;
  double sum_seconds = 0;     ///< of gradients, were nothing hidden
  double hidden_seconds = 0;  ///< of them, behind computation
  double step_seconds = 0;
  double efficiency = 0;  ///< against one rank with the same micro-batches a rank
};

/// Seconds for the sum of `bytes` over `ranks` ranks, `ranks_a_node` on a node.
double sum_seconds(const Network& network, int64_t ranks, int64_t ranks_a_node, int64_t bytes);
StepTime step_time(const StepCost& cost, const Network& network, int64_t ranks,
                   int64_t ranks_a_node);

/// A measured point: what a call cost at a size.
struct Sample {
  double bytes = 0;
  double seconds = 0;
};
/// Least squares of seconds = latency + bytes / bandwidth, weighted by 1 / seconds, so that short
/// calls count as long ones do. Needs two sizes; nothing for samples that no link explains.
std::optional<Link> fit_link(std::span<const Sample> samples);

}  // namespace bertha::comm
