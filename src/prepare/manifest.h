#pragma once

// What a stage was made of and what it made, in a file beside its outputs. A stage whose manifest
// is there and still true is done; one without a manifest was never finished. Names are relative to
// the working folder, so that a prepared folder can be moved.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bertha::prepare {

/// One stage's work: what decides its outputs.
struct StageWork {
  std::string stage;
  std::string root;                 ///< the working folder; names below are relative to it
  std::string manifest;             ///< where the manifest is written
  std::vector<std::string> inputs;  ///< files, or manifests of the stages before
  std::map<std::string, std::string> options;  ///< those that change the outputs
};

/// Whether the manifest is there, has these inputs and options, and every output is as it was.
/// Files are compared by size and the check sum of their ends. `why` says what is not so. Throws
/// Error where an input is missing or is a manifest whose outputs have changed.
bool is_done(const StageWork& work, std::string& why);

/// Forgets a former run, before the first output is written.
void begin_stage(const StageWork& work);

/// Writes the manifest: inputs, options, counts, and size and SHA-256 of every output.
void finish_stage(const StageWork& work, const std::map<std::string, int64_t>& counts,
                  const std::vector<std::string>& outputs);

}  // namespace bertha::prepare
