#pragma once

// The parts of `bertha inspect`, one for each kind of file.

#include <cstdint>
#include <string>

namespace bertha::cli {

struct InspectOptions {
  std::string path;
  std::string diff;  ///< the other file, or empty
  bool json = false;
  std::string svg;         ///< of shards: a file for the histogram, or empty
  std::string vocab_file;  ///< of shards: to check and show tokens, or empty
  int64_t samples = 3;     ///< of shards: rows to show
};

/// Tensors, config, step and history of a checkpoint or weight file; prints to standard output.
/// Returns the exit status: 1 when --diff found a difference.
int inspect_weights(const InspectOptions& options);

/// Whether the path is a pre-training shard or a folder with some.
bool holds_shards(const std::string& path);
/// The first folder in a folder that holds shards where that itself does not, as `bertha prepare`
/// lays them out; else empty.
std::string shards_below(const std::string& path);
/// Figures, histogram of lengths and sample rows of shards; prints to standard output. Returns the
/// exit status: 1 when a file is not sound.
int inspect_shards(const InspectOptions& options);

}  // namespace bertha::cli
