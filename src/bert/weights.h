#pragma once

// Weights of any origin into the parameter table: the recipe's names, Hugging Face's, Google's
// TensorFlow names. The one place that maps names.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/parameters.h"

namespace bertha::bert {

/// A name of a weight file as the parameter table has it.
struct MappedName {
  std::string name;
  bool transposed = false;  ///< TensorFlow keeps matrices as [inputs, outputs]
};

/// Maps a file's name: gamma/beta or weight/bias, dense or dense_act, with or without `bert.`,
/// TensorFlow's slashes. Nothing for what is no parameter: optimizer slots, position_ids, a decoder
/// that is the word embeddings under a second name.
std::optional<MappedName> map_name(std::string_view file_name);

/// What became of a load.
struct LoadReport {
  std::string path;
  int64_t loaded = 0;
  std::vector<std::string> fresh;   ///< parameters the file lacks, freshly initialised
  std::vector<std::string> unused;  ///< tensors of the file that the model has no place for
  int64_t padded_from = 0;          ///< rows of the file's vocabulary where it was padded, else 0

  /// For the log, a line each.
  std::vector<std::string> lines() const;
};

/// How parameters start that the file lacks.
struct FreshStart {
  InitStyle style = InitStyle::kRecipe;
  Config config;
  uint64_t seed = 0;
};

/// Loads `path` (anything io::open_weights opens). A vocabulary up to 7 rows short of the model's
/// is padded with zero rows. Throws Error, listing them, for tensors whose shapes do not fit, and
/// when not one parameter of the encoder is found.
LoadReport load_weights(const std::string& path, ParameterStore& parameters,
                        const FreshStart& fresh);

}  // namespace bertha::bert
