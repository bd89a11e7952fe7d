#pragma once

#include <cstdint>
#include <string_view>

namespace bertha::plan {

/// What the maker says of a GPU, without sparsity; and what usually connects several. Or what was
/// measured of this machine's CPU (cpu_datasheet.h).
struct Datasheet {
  std::string_view name{};
  double memory_gb = 0;
  double bf16_tflops = 0;  ///< of the tensor cores
  double fp32_tflops = 0;  ///< outside the tensor cores
  double gbytes_per_s = 0;
  std::string_view within{};   ///< link between GPUs of a node, as cost_model.h names it
  std::string_view network{};  ///< link between nodes, as cost_model.h names it
  int64_t network_cards = 1;   ///< of a node
  /// GB that no buffer of ours shows, about: the workspace of the library for products; context and
  /// code of the driver; and what NCCL has to sum over ranks, which is 9.6 MB of buffers
  /// (4 MiB, 0.5 MiB and 4.9 MB for its three protocols) for each of three connections of each of
  /// 24 channels. Up to 1.6 GB have been reported of NCCL.
  double library_gb = 0.067;
  double driver_gb = 0.8;
  double sums_gb = 3 * 24 * 9.6e-3;
  /// Graphs of a run over rows of all lengths, about, and what the driver keeps of each kernel of a
  /// graph: about 10 KB have been reported.
  int64_t graphs = 200;
  double graph_kernel_gb = 10e-6;
  bool measured = false;  ///< on this machine
};

/// Throws Error, listing the names, where no GPU has this one.
const Datasheet& find_datasheet(std::string_view name);

}  // namespace bertha::plan
