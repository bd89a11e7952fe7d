#pragma once

// `bertha inspect` for each kind of file.

#include <cstdint>
#include <string>

namespace bertha::cli {

struct InspectOptions {
  std::string path;
  std::string diff;  ///< the other file, or empty
  bool json = false;
  bool quantisation = false;  ///< of a model: what int8 does to each product
  std::string text;           ///< with it: a file of texts, or empty
  std::string svg;            ///< of shards: a file for the histogram, or empty
  std::string vocab_file;     ///< of shards: to check and show tokens, or empty
  int64_t samples = 3;        ///< of shards: rows to show
};

/// Prints tensors, config, step and history of a checkpoint or weight file to standard output.
/// Returns the exit status.
int inspect_weights(const InspectOptions& options);

/// Prints the error that 8-bit integers make in each product of a model. Returns the exit status.
int inspect_quantisation(const InspectOptions& options);

/// Prints how the tensors of `path` and `diff` differ. Returns the exit status: 1 when they do.
int inspect_diff(const InspectOptions& options);

/// Prints figures, a histogram of lengths and sample rows of shards to standard output. Returns the
/// exit status: 1 when a file is not sound.
int inspect_shards(const InspectOptions& options);

}  // namespace bertha::cli
