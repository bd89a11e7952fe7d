#include "comm/cost_model.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace bertha::comm {
namespace {

constexpr double kGbit = 1e9 / 8;
constexpr double kGbyte = 1e9;
constexpr double kMicro = 1e-6;

// NVLink and Gaudi's links are per card and direction; Ethernet and InfiniBand per network card.
constexpr std::array kNetworks = {
    Network{"one-host", {1 * kMicro, 8 * kGbyte}, {1 * kMicro, 8 * kGbyte}, 1},
    Network{"ethernet-10g", {1 * kMicro, 8 * kGbyte}, {30 * kMicro, 10 * kGbit}, 1},
    Network{"ethernet-100g", {1 * kMicro, 8 * kGbyte}, {20 * kMicro, 100 * kGbit}, 1},
    Network{"a100-hdr", {3 * kMicro, 300 * kGbyte}, {5 * kMicro, 200 * kGbit}, 8},
    Network{"h100-ndr", {3 * kMicro, 450 * kGbyte}, {5 * kMicro, 400 * kGbit}, 8},
    Network{"gaudi-roce", {5 * kMicro, 87.5 * kGbyte}, {8 * kMicro, 100 * kGbit}, 24},
};

/// A ring of `count`: 2 (count - 1) messages of a count-th of the bytes.
double ring_seconds(const Link& link, int64_t count, double bytes) {
  if (count < 2) return 0;
  const auto n = static_cast<double>(count);
  const double wire = bytes / n / (link.bytes_per_second * kLinkEfficiency);
  return 2 * (n - 1) * (link.latency_seconds + wire);
}

}  // namespace

std::span<const Network> known_networks() {
  return kNetworks;
}

std::optional<Network> find_network(std::string_view name) {
  const auto found = std::ranges::find(kNetworks, name, &Network::name);
  if (found == kNetworks.end()) return std::nullopt;
  return *found;
}

double sum_seconds(const Network& network, int64_t ranks, int64_t ranks_a_node, int64_t bytes) {
  BERTHA_CHECK(ranks >= 1 && ranks_a_node >= 1 && bytes >= 0);
  const int64_t local = std::min(ranks, ranks_a_node);
  const int64_t nodes = (ranks + local - 1) / local;
  Link uplinks = network.between;
  uplinks.bytes_per_second *= static_cast<double>(network.cards_a_node);
  const auto size = static_cast<double>(bytes);
  return ring_seconds(network.within, local, size) + ring_seconds(uplinks, nodes, size);
}

StepTime step_time(const StepCost& cost, const Network& network, int64_t ranks,
                   int64_t ranks_a_node) {
  BERTHA_CHECK(cost.accumulation >= 1 && cost.overlap >= 0 && cost.overlap <= 1);
  StepTime time;
  time.compute_seconds =
      static_cast<double>(cost.accumulation) * cost.micro_batch_seconds + cost.update_seconds;
  time.sum_seconds = sum_seconds(network, ranks, ranks_a_node, cost.gradient_bytes);
  time.hidden_seconds = std::min(time.sum_seconds, cost.overlap * cost.micro_batch_seconds);
  time.step_seconds = time.compute_seconds + time.sum_seconds - time.hidden_seconds;
  time.efficiency = time.step_seconds > 0 ? time.compute_seconds / time.step_seconds : 1;
  return time;
}

std::optional<Link> fit_link(std::span<const Sample> samples) {
  double w = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Sample& sample : samples) {
    if (!(sample.seconds > 0)) return std::nullopt;
    const double weight = 1 / (sample.seconds * sample.seconds);
    w += weight;
    x += weight * sample.bytes;
    y += weight * sample.seconds;
    xx += weight * sample.bytes * sample.bytes;
    xy += weight * sample.bytes * sample.seconds;
  }
  const double spread = w * xx - x * x;
  if (samples.size() < 2 || !(spread > 1e-9 * w * xx)) return std::nullopt;
  const double slope = (w * xy - x * y) / spread;
  if (!(slope > 0)) return std::nullopt;
  return Link{.latency_seconds = std::max(0.0, (y - slope * x) / w), .bytes_per_second = 1 / slope};
}

}  // namespace bertha::comm
