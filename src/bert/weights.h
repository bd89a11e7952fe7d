#pragma once

// Loads weights of any origin into the parameter table. This is the one place that maps the names
// of the recipe, of Hugging Face and of Google's TensorFlow checkpoints.

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
#include "ops/int8_weights.h"

namespace bertha::bert {

/// The name in the parameter table of a tensor in a weight file.
struct MappedName {
  std::string name;
  bool transposed = false;  ///< TensorFlow keeps matrices as [inputs, outputs]
};

/// Maps the name of a tensor in a file, without a prefix of a wrapper: gamma/beta or weight/bias,
/// dense or dense_act, with or without `bert.`, with TensorFlow's slashes. Returns nothing for a
/// tensor that is not a parameter: optimizer slots, position_ids.
std::optional<MappedName> map_name(std::string_view file_name);

/// Maps the names of one file whose encoder may lie within other modules: "module." of
/// data-parallel training and DeepSpeed, "model." of Lightning, "_orig_mod." of torch.compile, the
/// parts of FSDP, or any other prefix that all tensors of the encoder have before "bert." or
/// "embeddings.".
class FileNames {
 public:
  explicit FileNames(const io::TensorSource& source);

  /// The name after removal of what wrappers added.
  std::string bare(std::string_view file_name) const;
  /// As map_name(), of the bare name.
  std::optional<MappedName> map(std::string_view file_name) const;
  /// The prefixes of several encoders, in alphabetical order, where nothing says which one is
  /// meant. Usually empty.
  const std::vector<std::string>& rivals() const { return rivals_; }

 private:
  std::string prefix_;
  std::vector<std::string> rivals_;
};

/// Writes to `to` [rows, columns] the transpose of `from` [columns, rows].
void transpose(std::span<const float> from, int64_t rows, int64_t columns, float* to);

/// An open weight file (any that io::open_weights opens) with the names of the parameter table. It
/// reads values on demand, so that a model need not be in memory twice.
class WeightFile {
 public:
  /// Throws Error when the file cannot be opened, and Error with the names that were found when it
  /// has no layer of a BERT encoder or those of several.
  explicit WeightFile(const std::string& path);

  const io::TensorSource& source() const { return *source_; }
  bool has(const std::string& parameter) const { return places_.contains(parameter); }
  /// The heads that the file has.
  Heads heads() const;
  /// Element type of the word embeddings.
  DType dtype() const;
  /// Rows of the word embeddings.
  int64_t vocabulary_rows() const;

  /// Throws Error that lists the tensors whose shapes do not fit the table or that hold integers
  /// without the scales of their quantization. The vocabulary may be up to 7 rows short.
  void check(const ParameterTable& table) const;
  /// Throws Error when the names of the tensors are those of another family than the config's.
  void check_family(const Config& config) const;
  /// The tensors of the file that the table does not have.
  std::vector<std::string> unused(const ParameterTable& table) const;
  /// One more than the number of the last encoder layer of which the file has a tensor.
  int64_t layers() const;
  /// Whether a parameter that the file has is there as 8-bit integers with scales.
  bool is_int8(const std::string& parameter) const;
  /// Whether any is.
  bool has_int8() const;
  /// Copies such a parameter. Call check() first. Throws Error for a scale that is not finite.
  void read_int8(const Parameter& parameter, const ops::Int8Channels& to) const;
  /// Copies a parameter that the file has, in the shape of the table. Vocabulary rows that the file
  /// lacks become zeros, and integers are multiplied by their scales. Call check() first.
  void read(const Parameter& parameter, float* values) const;
  /// As read(), without a copy where the file holds the values in this form: the result points into
  /// the file or into `buffer`.
  const float* values(const Parameter& parameter, std::vector<float>& buffer) const;

 private:
  struct Place {
    const io::TensorInfo* info = nullptr;
    bool transposed = false;
    const io::TensorInfo* scale = nullptr;  ///< of 8-bit integers
  };

  const Place& place(const std::string& parameter) const;
  void fill(const Parameter& parameter, const io::TensorData& data, float* values) const;

  void add(const io::TensorInfo& info);
  void add_scale(const io::TensorInfo& info, std::string_view weight);
  std::string misfit_of(const Place& place, const Parameter& parameter, bool vocabulary) const;
  [[noreturn]] void refuse() const;

  std::unique_ptr<io::TensorSource> source_;
  FileNames names_;
  std::map<std::string, Place> places_;
  std::optional<ModelFamily> family_;  ///< that the names show
};

/// What load_weights() found.
struct LoadReport {
  std::string path;
  int64_t loaded = 0;
  std::vector<std::string> fresh;       ///< parameters that the file lacks; they got initial values
  std::vector<std::string> unused;      ///< tensors of the file that the model does not have
  int64_t layers = 0;                   ///< encoder layers of the model
  int64_t file_layers = 0;              ///< encoder layers of the file
  std::vector<std::string> not_finite;  ///< parameters with NaN or infinite elements

  /// Lines for the log.
  std::vector<std::string> lines() const;
  /// What makes results useless or is unlikely to be meant, a line each. Usually empty.
  std::vector<std::string> warnings() const;
};

/// How parameters that the file lacks are initialised.
struct FreshStart {
  InitStyle style = InitStyle::kRecipe;
  Config config;
  uint64_t seed = 0;
};

/// Loads `path` (any file or folder that io::open_weights opens). A vocabulary up to 7 rows short
/// is padded with zero rows. Throws Error that lists the tensors whose shapes do not fit, and Error
/// when the file has no parameter of the encoder.
LoadReport load_weights(const std::string& path, ParameterStore& parameters,
                        const FreshStart& fresh);

}  // namespace bertha::bert
