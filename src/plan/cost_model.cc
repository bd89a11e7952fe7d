#include "plan/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "comm/buckets.h"
#include "core/error.h"

namespace bertha::plan {
namespace {

constexpr double kGbit = 1e9 / 8;
constexpr double kGbyte = 1e9;
constexpr double kMicro = 1e-6;

// Latencies of a ring's step: NCCL's own tuning table (src/graph/tuning.cc, hwLat, ring, Simple):
// 3.4 us over NVLink, 5.7 over PCIe, 9.6 over a network with remote memory access.
constexpr double kNvlinkLatency = 3.4 * kMicro;
constexpr double kPcieLatency = 5.7 * kMicro;
constexpr double kNetworkLatency = 9.6 * kMicro;
constexpr double kSocketLatency = 30 * kMicro;

constexpr std::array kInterconnects = {
    Fabric{"shared-memory", {1 * kMicro, 8 * kGbyte}, "assumed: a core's copy"},
    Fabric{"pcie3", {kPcieLatency, 15.75 * kGbyte}, "PCI Express 3.0, 16 lanes"},
    Fabric{"pcie4", {kPcieLatency, 31.5 * kGbyte}, "PCI Express 4.0, 16 lanes"},
    Fabric{"pcie5", {kPcieLatency, 63 * kGbyte}, "PCI Express 5.0, 16 lanes"},
    Fabric{"nvlink2", {kNvlinkLatency, 150 * kGbyte}, "NVIDIA V100: 300 GB/s in both directions"},
    Fabric{"nvlink3", {kNvlinkLatency, 300 * kGbyte}, "NVIDIA A100: 600 GB/s in both directions"},
    Fabric{"nvlink4", {kNvlinkLatency, 450 * kGbyte}, "NVIDIA H100: 900 GB/s in both directions"},
    Fabric{"nvlink5", {kNvlinkLatency, 900 * kGbyte}, "NVIDIA B200: 1800 GB/s in both directions"},
    Fabric{"gaudi", {kNetworkLatency, 87.5 * kGbyte}, "Gaudi: 7 ports of 100 Gbit/s in a node"},
};

constexpr std::array kNetworks = {
    Fabric{"ethernet-10g", {kSocketLatency, 10 * kGbit}, "IEEE 802.3ae; latency assumed: sockets"},
    Fabric{"ethernet-25g", {kSocketLatency, 25 * kGbit}, "IEEE 802.3by; latency assumed: sockets"},
    Fabric{"ethernet-100g", {kNetworkLatency, 100 * kGbit}, "IEEE 802.3ba, with RoCE"},
    Fabric{"ethernet-200g", {kNetworkLatency, 200 * kGbit}, "IEEE 802.3bs, with RoCE"},
    Fabric{"ethernet-400g", {kNetworkLatency, 400 * kGbit}, "IEEE 802.3bs, with RoCE"},
    Fabric{"infiniband-hdr", {kNetworkLatency, 200 * kGbit}, "InfiniBand HDR, 4 lanes"},
    Fabric{"infiniband-ndr", {kNetworkLatency, 400 * kGbit}, "InfiniBand NDR, 4 lanes"},
};

double doublings(int64_t count) {
  return std::ceil(std::log2(static_cast<double>(count)));
}

/// The cost of an all-reduce: latencies one after the other, and the bytes that each rank sends
/// divided by those that are reduced.
struct Terms {
  double latencies = 0;
  double passes = 0;
};

Terms terms_of(ReduceAlgorithm method, int64_t ranks) {
  if (ranks < 2) return {};
  const auto n = static_cast<double>(ranks);
  if (method == ReduceAlgorithm::kRing) return {2 * (n - 1), 2 * (n - 1) / n};
  return {2 * doublings(ranks), 2};
}

double seconds_of(const Terms& terms, const Link& link, double bytes) {
  return terms.latencies * link.latency_seconds + terms.passes * bytes / link.bytes_per_second;
}

double best_seconds(const Link& link, int64_t ranks, double bytes) {
  return std::min(seconds_of(terms_of(ReduceAlgorithm::kRing, ranks), link, bytes),
                  seconds_of(terms_of(ReduceAlgorithm::kTrees, ranks), link, bytes));
}

double half_ring_seconds(const Link& link, int64_t ranks, double bytes) {
  return seconds_of(terms_of(ReduceAlgorithm::kRing, ranks), link, bytes) / 2;
}

/// The ranks of a node, the nodes, and the link between nodes with all its network cards at work.
struct Levels {
  Levels(const Cluster& cluster, int64_t ranks) : uplinks(cluster.between) {
    BERTHA_CHECK(ranks >= 1 && cluster.ranks_a_node >= 1 && cluster.cards_a_node >= 1);
    local = std::min(ranks, cluster.ranks_a_node);
    nodes = (ranks + local - 1) / local;
    uplinks.bytes_per_second *= static_cast<double>(cluster.cards_a_node);
  }

  int64_t local = 1;
  int64_t nodes = 1;
  Link uplinks;
};

/// Buckets as the trainer begins them, reduced one after the other.
std::vector<BucketReduction> overlapped(const StepCost& cost, const Cluster& cluster,
                                        int64_t ranks) {
  std::vector<BucketReduction> sums;
  int64_t unsummed = cost.elements;
  for (const FinalGradients& final : cost.finals) {
    unsummed = comm::cut_buckets(
        unsummed, final.from, cost.bucket_elements, [&](int64_t, int64_t elements) {
          const double begin = std::max(final.seconds, sums.empty() ? 0 : sums.back().end);
          const double bytes = static_cast<double>(elements) * cost.wire_bytes;
          sums.push_back({.ready = final.seconds,
                          .begin = begin,
                          .end = begin + all_reduce_seconds(cluster, ranks, bytes),
                          .elements = elements});
        });
  }
  BERTHA_CHECK(unsummed == 0, "some gradients are never final");
  return sums;
}

void hide_sums(const StepCost& cost, StepTime& time) {
  for (const BucketReduction& sum : time.buckets) time.reduction_seconds += sum.end - sum.begin;
  const double beyond = std::max(0.0, time.buckets.back().end - cost.micro_batch_seconds);
  time.hidden_seconds =
      cost.overlap * (time.reduction_seconds - std::min(beyond, time.reduction_seconds));
}

}  // namespace

Link Fabric::delivered() const {
  return {nominal.latency_seconds, nominal.bytes_per_second * kLinkEfficiency};
}

std::span<const Fabric> known_interconnects() {
  return kInterconnects;
}

std::span<const Fabric> known_networks() {
  return kNetworks;
}

std::optional<Link> find_link(std::span<const Fabric> fabrics, std::string_view name) {
  const auto found = std::ranges::find(fabrics, name, &Fabric::name);
  if (found == fabrics.end()) return std::nullopt;
  return found->delivered();
}

double all_reduce_seconds(const Cluster& cluster, int64_t ranks, double bytes) {
  const Levels levels(cluster, ranks);
  return best_seconds(cluster.within, levels.local, bytes) +
         best_seconds(levels.uplinks, levels.nodes, bytes);
}

double reduce_scatter_seconds(const Cluster& cluster, int64_t ranks, double bytes) {
  const Levels levels(cluster, ranks);
  return half_ring_seconds(cluster.within, levels.local, bytes) +
         half_ring_seconds(levels.uplinks, levels.nodes, bytes);
}

StepTime step_time(const StepCost& cost, const Cluster& cluster, int64_t ranks) {
  BERTHA_CHECK(cost.accumulation >= 1 && cost.overlap >= 0 && cost.overlap <= 1);
  StepTime time;
  time.compute_seconds = static_cast<double>(cost.accumulation) * cost.micro_batch_seconds;
  time.update_seconds = cost.update_seconds;
  if (ranks > 1 && cost.partitions_state) {
    const auto elements = static_cast<double>(cost.elements);
    time.update_seconds /= static_cast<double>(ranks);
    time.reduction_seconds = reduce_scatter_seconds(cluster, ranks, elements * cost.wire_bytes) +
                             reduce_scatter_seconds(cluster, ranks, elements * sizeof(float));
  } else if (ranks > 1) {
    time.buckets = overlapped(cost, cluster, ranks);
    hide_sums(cost, time);
  }
  time.step_seconds = time.compute_seconds + time.update_seconds + time.exposed_seconds();
  return time;
}

const char* name_of(ReduceAlgorithm method) {
  return method == ReduceAlgorithm::kRing ? "a ring" : "two trees";
}

namespace {

/// Sums of a least-squares line seconds = latency · latencies + bytes · passes / bandwidth.
struct Normal {
  double ll = 0, lb = 0, bb = 0, lt = 0, bt = 0;

  Normal(std::span<const Sample> samples, ReduceAlgorithm method) {
    for (const Sample& sample : samples) {
      const Terms terms = terms_of(method, sample.ranks);
      const double l = terms.latencies / sample.seconds;
      const double b = terms.passes * sample.bytes / sample.seconds;
      ll += l * l;
      lb += l * b;
      bb += b * b;
      lt += l;
      bt += b;
    }
  }
};

std::optional<LinkFit> fit_method(std::span<const Sample> samples, ReduceAlgorithm method) {
  const Normal sums(samples, method);
  const double determinant = sums.ll * sums.bb - sums.lb * sums.lb;
  if (!(determinant > 1e-9 * sums.ll * sums.bb)) return std::nullopt;
  double latency = (sums.lt * sums.bb - sums.bt * sums.lb) / determinant;
  double inverse = (sums.bt * sums.ll - sums.lt * sums.lb) / determinant;
  if (latency < 0) {
    latency = 0;
    inverse = sums.bt / sums.bb;
  }
  if (!(inverse > 0)) return std::nullopt;
  LinkFit fit{{latency, 1 / inverse}, method, 0};
  for (const Sample& sample : samples) {
    const double model = seconds_of(terms_of(method, sample.ranks), fit.link, sample.bytes);
    fit.residual += std::pow(model / sample.seconds - 1, 2);
  }
  fit.residual = std::sqrt(fit.residual / static_cast<double>(samples.size()));
  return fit;
}

}  // namespace

std::optional<LinkFit> fit_link(std::span<const Sample> samples) {
  for (const Sample& sample : samples) {
    if (sample.ranks < 2 || !(sample.seconds > 0) || !(sample.bytes > 0)) return std::nullopt;
  }
  const std::optional<LinkFit> ring = fit_method(samples, ReduceAlgorithm::kRing);
  const std::optional<LinkFit> trees = fit_method(samples, ReduceAlgorithm::kTrees);
  // Rounding alone must not decide between two that fit alike.
  constexpr double kClearly = 0.99;
  if (ring && trees && trees->residual < kClearly * ring->residual - 1e-9) return trees;
  return ring ? ring : trees;
}

}  // namespace bertha::plan
