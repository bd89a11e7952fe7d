#pragma once

// The graphs of BERT for Gaudi, compiled by SynapseAI without a device: which nodes they have,
// which of several ways the compiler took, and how much memory and time that needs.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/gaudi/recipe_cache.h"
#include "bert/config.h"
#include "doctor/report.h"

namespace bertha::doctor {

/// Memory of a device by what it holds, in bytes.
struct MemoryClasses {
  int64_t parameters = 0;
  int64_t gradients = 0;
  int64_t moments = 0;
  int64_t bf16_copies = 0;    ///< of the parameters
  int64_t batches = 0;        ///< tokens, labels, results and scalars
  int64_t host_operands = 0;  ///< what the host computes for a launch: masks, places of tokens
  /// Of the graph with the most: what the backward pass reads of the forward pass, and the most
  /// that is alive beside it, in the order of recording.
  int64_t activations = 0;
  int64_t temporaries = 0;

  int64_t total() const;
};

/// The graphs of one job of the recipe.
struct JobGraphs {
  std::string job;                         ///< "phase 1"
  std::vector<gaudi::Compilation> graphs;  ///< that no job before had
  MemoryClasses memory;
  std::string error;  ///< why the rest was not compiled; empty: all were
};

struct GaudiGraphs {
  std::string kind;  ///< "Gaudi2"
  std::vector<JobGraphs> jobs;
  std::map<std::string, std::string> candidates;  ///< what was chosen, by what it is for
};

/// Records and compiles, for a kind of device, the recipe's jobs in bf16: phase 1 (64 x 128) and
/// phase 2 (16 x 512), each also with --checkpoint-activations, fine-tuning on SQuAD (24 x 384) and
/// prediction (24 x 384). Writes the graphs as JSON to `dump_folder`, unless it is empty.
GaudiGraphs compile_bert(gaudi::SynapseLibrary& library, gaudi::abi::DeviceType type,
                         const bert::Config& config, const std::string& dump_folder);

/// For each kind of device the ways that were chosen, and of each job its graphs and its memory. A
/// graph that is refused is a problem.
std::vector<Fact> facts_of_gaudi_graphs(const bert::Config& config, const std::string& dump_folder);

}  // namespace bertha::doctor
