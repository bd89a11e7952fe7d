#pragma once

// The steps of the pipeline: each is one stage with the recipe's names of folders and files, its
// manifest, and the call that runs it.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "prepare/manifest.h"
#include "prepare/pipeline.h"
#include "prepare/pipeline_settings.h"

namespace bertha::prepare {

/// What a step has made: for its manifest, and in words.
struct StepResult {
  std::map<std::string, int64_t> counts;
  std::vector<std::string> outputs;
  std::string summary;
};

struct Step {
  StageWork work;      ///< without a manifest: `run` itself finds out what is there already
  std::string title;   ///< for people: "instances of 128 tokens"
  std::string folder;  ///< where its files go, below the working folder
  std::function<StepResult(comm::Communicator&, const PipelineCallbacks&)> run;
  bool on_all_ranks = false;  ///< every rank runs its part; otherwise rank 0 alone runs the step
  bool always = false;        ///< runs again even when its manifest says that it is done
};

/// The steps of `settings.action`, or all steps when that is empty. Throws Error for an unknown
/// action, books that are missing, and a vocabulary without a special token.
std::vector<Step> plan_steps(const PipelineSettings& settings);

}  // namespace bertha::prepare
