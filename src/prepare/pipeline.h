#pragma once

// The pipeline of `bertha prepare`: from a dump and books to the HDF5 shards of both phases, under
// a working folder with the recipe's names. A step whose manifest still holds is skipped; any other
// step runs from its beginning, so that a killed run is continued by the same command.

#include <functional>
#include <string>

#include "comm/communicator.h"
#include "core/progress.h"
#include "prepare/download_stage.h"
#include "prepare/pipeline_settings.h"

namespace bertha::prepare {

/// What the pipeline shows while it runs. It calls them on rank 0 only.
struct PipelineCallbacks {
  /// Prints a line of results.
  std::function<void(const std::string& line)> print;
  /// Opens the status line of a stage, which counts `unit` (empty: bytes). The line ends when the
  /// function that it returns is destroyed.
  std::function<ReportProgress(const std::string& label, const std::string& unit)> open_progress;
  /// Downloads with run_download().
  std::function<void(const DownloadOptions& options)> download;
};

/// Runs the steps that are due; all ranks call it with the same settings. Rank 0 alone reads and
/// writes manifests. Throws Error for a wrong option and when a step fails.
void run_pipeline(const PipelineSettings& settings, comm::Communicator& world,
                  const PipelineCallbacks& callbacks);

}  // namespace bertha::prepare
