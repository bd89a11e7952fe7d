#pragma once

// The time of a training step on R ranks: computation, then the all-reduce of the gradients. A part
// of it overlaps with the backward pass of the last micro-batch, bucket by bucket, as the trainer
// begins them. A message takes latency + bytes / bandwidth (Hockney 1994). An all-reduce is a ring
// (Patarasu and Yuan 2009) or two trees (Sanders, Speck and Träff 2009), whichever is faster. It
// runs inside each node first, then over nodes, on as many network cards as a node has.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bertha::plan {

/// One kind of link, as a process sees it in one direction.
struct Link {
  double latency_seconds = 0;
  double bytes_per_second = 0;
};

/// A link by name. The bandwidth is that of the data sheet; the model counts on kLinkEfficiency of
/// it.
struct Fabric {
  std::string_view name;
  Link nominal;
  std::string_view source;  ///< of the figures

  Link delivered() const;
};
inline constexpr double kLinkEfficiency = 0.8;

/// Between ranks of a node: shared memory, PCIe, NVLink.
std::span<const Fabric> known_interconnects();
/// Between nodes, one network card: Ethernet, InfiniBand.
std::span<const Fabric> known_networks();
/// Nothing where no fabric has the name.
std::optional<Link> find_link(std::span<const Fabric> fabrics, std::string_view name);

struct Cluster {
  Link within;               ///< between ranks of a node
  Link between;              ///< one network card of a node
  int64_t ranks_a_node = 8;  ///< the last node may have fewer
  int64_t cards_a_node = 1;  ///< network cards that work at once
};

/// Seconds of an all-reduce of `bytes` over `ranks` ranks.
double all_reduce_seconds(const Cluster& cluster, int64_t ranks, double bytes);
/// Seconds of a reduce-scatter or an all-gather of `bytes` in all: half of a ring.
double reduce_scatter_seconds(const Cluster& cluster, int64_t ranks, double bytes);

/// From `seconds` after a micro-batch has begun the gradients from element `from` on are final.
struct FinalGradients {
  double seconds = 0;
  int64_t from = 0;
};

/// A rank's work in a step, measured or estimated.
struct StepCost {
  double micro_batch_seconds = 0;      ///< forward and backward
  std::vector<FinalGradients> finals;  ///< in the last micro-batch; the last is from 0
  double update_seconds = 0;           ///< norm and optimizer over all parameters
  int64_t accumulation = 1;            ///< micro-batches
  int64_t elements = 0;                ///< of the flat gradients
  int64_t bucket_elements = int64_t{8} << 20;
  double wire_bytes = 4;  ///< of an element on the wire
  /// Share of an all-reduce's time that does not slow computation down: 1 where a GPU's copy
  /// engines send, less where the processor that computes also copies.
  double overlap = 1;
  bool partitions_state = false;  ///< ZeRO-1: each rank updates its partition, nothing overlaps
};

/// The all-reduce of one bucket, in seconds since the last micro-batch began, for `overlap` 1.
struct BucketReduction {
  double ready = 0;
  double begin = 0;
  double end = 0;
  int64_t elements = 0;
};

struct StepTime {
  double compute_seconds = 0;    ///< all micro-batches
  double update_seconds = 0;     ///< of this rank's partition
  double reduction_seconds = 0;  ///< of all messages
  double hidden_seconds = 0;     ///< of it, overlapped with computation
  double step_seconds = 0;
  std::vector<BucketReduction> buckets;  ///< empty where nothing overlaps

  double exposed_seconds() const { return reduction_seconds - hidden_seconds; }
};

StepTime step_time(const StepCost& cost, const Cluster& cluster, int64_t ranks);

/// A measured all-reduce.
struct Sample {
  int64_t ranks = 0;
  double bytes = 0;
  double seconds = 0;
};

enum class ReduceAlgorithm : uint8_t { kRing, kTrees };
const char* name_of(ReduceAlgorithm method);

struct LinkFit {
  Link link;
  ReduceAlgorithm method = ReduceAlgorithm::kRing;
  double residual = 0;  ///< root of the mean square of (model - measured) / measured
};
/// Fits a link to samples: least squares of the algorithm's formula, weighted by 1 / seconds so
/// that short reductions count as much as long ones; the latency is at least 0. With one number of
/// ranks both algorithms fit equally well, and the result is a ring. Returns nothing for samples of
/// fewer than two sizes, and for samples that no link explains.
std::optional<LinkFit> fit_link(std::span<const Sample> samples);

}  // namespace bertha::plan
