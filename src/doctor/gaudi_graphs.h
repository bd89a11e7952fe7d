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

/// The graphs of one job of the recipe.
struct JobGraphs {
  std::string job;                         ///< "phase 1"
  std::vector<gaudi::Compilation> graphs;  ///< that no job before had
  int64_t operand_bytes = 0;  ///< weights, gradients, moments and inputs, beside the workspace
  std::string error;          ///< why the rest was not compiled; empty: all were
};

struct GaudiGraphs {
  std::string kind;  ///< "Gaudi2"
  std::vector<JobGraphs> jobs;
  std::map<std::string, std::string> candidates;  ///< what was chosen, by what it is for
};

/// Records and compiles, for a kind of device, the recipe's four jobs in bf16: phase 1 (64 x 128),
/// phase 2 (16 x 512), fine-tuning on SQuAD (24 x 384) and prediction (24 x 384). Writes the graphs
/// as JSON to `dump_folder`, unless it is empty.
GaudiGraphs compile_bert(gaudi::SynapseLibrary& library, gaudi::abi::DeviceType type,
                         const bert::Config& config, const std::string& dump_folder);

/// One fact for each kind of device; a graph that is refused is a problem.
std::vector<Fact> facts_of_gaudi_graphs(const bert::Config& config, const std::string& dump_folder);

}  // namespace bertha::doctor
