#pragma once

// The manifest of a stage: a file that lists its inputs, options and outputs. A stage is done when
// its manifest exists and the files are still as it says; without a manifest the stage never
// finished. Names are relative to the working folder, so that a prepared folder can be moved.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bertha::prepare {

/// What decides the outputs of a stage.
struct StageWork {
  std::string stage;
  std::string root;                 ///< the working folder; names below are relative to it
  std::string manifest;             ///< where the manifest is written
  std::vector<std::string> inputs;  ///< files, or manifests of the stages before
  std::map<std::string, std::string> options;  ///< only those that change the outputs
};

/// Whether the manifest exists, has these inputs and options, and every output is unchanged. Files
/// are compared by size and by the checksum of their first and last 64 KiB. If not, `why` says what
/// differs. Throws Error when an input is missing or is a manifest whose outputs have changed.
bool is_done(const StageWork& work, std::string& why);

/// Removes the manifest of an earlier run, before the first output is written.
void begin_stage(const StageWork& work);

/// Writes the manifest: inputs, options, counts, and size and SHA-256 of every output.
void finish_stage(const StageWork& work, const std::map<std::string, int64_t>& counts,
                  const std::vector<std::string>& outputs);

}  // namespace bertha::prepare
