#pragma once

// Whether a stage that runs alone may replace files. It replaces what the same command made, which
// may have been stopped, and nothing else without --overwrite. What made the files of a folder
// stands in its hidden file .bertha_prepare.jsonl, a line for each command.

#include <string>
#include <utility>
#include <vector>

namespace bertha::prepare {

/// What decides the files: names and values of inputs and options.
using MadeBy = std::vector<std::pair<std::string, std::string>>;

struct OutputClaim {
  std::string stage;                 ///< "instances"
  std::string folder;                ///< of the outputs; made when it is missing
  std::vector<std::string> outputs;  ///< names in the folder, or patterns such as "*/wiki_*"
  std::vector<std::string> present;  ///< those of `outputs` that are there
  MadeBy made_by;
  std::string option;  ///< the one that names the output: "output-dir"
};

/// Takes the outputs for this command. Throws Error where some of them are there, another command
/// or program made them, and `overwrite` is false.
void claim_outputs(const OutputClaim& claim, bool overwrite);

/// "3 files, 1204 bytes" for MadeBy; "standard input" for "-". Throws Error for a file that is
/// missing.
std::string describe_inputs(const std::vector<std::string>& paths);

}  // namespace bertha::prepare
