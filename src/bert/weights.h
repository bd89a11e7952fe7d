#pragma once

// Weights of any origin into the parameter table: the recipe's names, Hugging Face's, Google's
// TensorFlow names. The one place that maps names.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bert/parameters.h"
#include "io/weights/tensor_source.h"

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

/// `to` [rows, columns] from [columns, rows].
void transpose(std::span<const float> from, int64_t rows, int64_t columns, float* to);

/// An open weight file (anything io::open_weights opens) under the parameters' names. Values are
/// read when asked for, so a model need not be in memory twice.
class WeightFile {
 public:
  /// Throws Error when the file cannot be opened or has no layer of a BERT encoder.
  explicit WeightFile(const std::string& path);

  const io::TensorSource& source() const { return *source_; }
  bool has(const std::string& parameter) const { return places_.contains(parameter); }
  /// What the file has above the encoder; `pretraining` for a language model head alone, too.
  Heads heads() const;
  /// Element type of the word embeddings.
  DType dtype() const;
  /// Rows of the word embeddings.
  int64_t vocabulary_rows() const;

  /// Throws Error, listing them, for tensors whose shapes do not fit the table. The vocabulary may
  /// be up to 7 rows short.
  void check(const ParameterTable& table) const;
  /// Tensors of the file that the table has no place for.
  std::vector<std::string> unused(const ParameterTable& table) const;
  /// The elements of one parameter that the file has, as the table shapes it; rows that the file's
  /// vocabulary is short of are zeros. check() comes first.
  void read(const Parameter& parameter, float* values) const;
  /// The same without a copy where the file has them as they are: a view into it, else into
  /// `buffer`.
  const float* values(const Parameter& parameter, std::vector<float>& buffer) const;

 private:
  struct Place {
    const io::TensorInfo* info = nullptr;
    bool transposed = false;
  };

  const Place& place(const std::string& parameter) const;
  void fill(const Parameter& parameter, const io::TensorData& data, float* values) const;

  std::unique_ptr<io::TensorSource> source_;
  std::map<std::string, Place> places_;
};

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
