#pragma once

// What a step costs on R ranks: computation, then the sum of gradients, of which a part hides
// behind the backward pass of the last micro-batch, bucket by bucket as the trainer begins them. A
// message takes latency + bytes / bandwidth (Hockney 1994). A sum over ranks is a ring (Patarasu
// and Yuan 2009) or two trees (Sanders, Speck and Träff 2009), whichever is faster; first inside
// each node, then over nodes, on as many network cards as a node has.

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

/// A link by name. Its bandwidth is the maker's, of which kLinkEfficiency is counted on.
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

/// Seconds for the sum of `bytes` over `ranks` ranks, left on all of them.
double sum_seconds(const Cluster& cluster, int64_t ranks, double bytes);
/// Seconds for half of a ring: shares of a sum, or all shares to all (ZeRO).
double share_seconds(const Cluster& cluster, int64_t ranks, double bytes);

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
  double wire_bytes = 4;  ///< an element's, in the sum
  /// Share of a sum's time that costs computation nothing: 1 where a card's own engines send, less
  /// where the processor that computes copies, too.
  double overlap = 1;
  bool partitions_state = false;  ///< ZeRO-1: the update is shared out, nothing is hidden
};

/// The sum of one bucket in the last micro-batch, in seconds since that began, were `overlap` 1.
struct BucketSum {
  double ready = 0;
  double begin = 0;
  double end = 0;
  int64_t elements = 0;
};

struct StepTime {
  double compute_seconds = 0;  ///< all micro-batches
  double update_seconds = 0;   ///< of this rank's share
  double sum_seconds = 0;      ///< all that goes over links
  double hidden_seconds = 0;   ///< of it, behind computation
  double step_seconds = 0;
  std::vector<BucketSum> buckets;  ///< empty where nothing is hidden

  double exposed_seconds() const { return sum_seconds - hidden_seconds; }
};

StepTime step_time(const StepCost& cost, const Cluster& cluster, int64_t ranks);

/// A measured sum.
struct Sample {
  int64_t ranks = 0;
  double bytes = 0;
  double seconds = 0;
};

enum class SumMethod : uint8_t { kRing, kTrees };
const char* name_of(SumMethod method);

struct LinkFit {
  Link link;
  SumMethod method = SumMethod::kRing;
  double residual = 0;  ///< root of the mean square of (model - measured) / measured
};
/// The link behind samples: least squares of the method's formula, weighted by 1 / seconds so that
/// short sums count as long ones do; no latency below 0. With one number of ranks both methods fit
/// alike, and the ring is taken. Nothing for samples of fewer than two sizes, and for those that no
/// link explains.
std::optional<LinkFit> fit_link(std::span<const Sample> samples);

}  // namespace bertha::plan
