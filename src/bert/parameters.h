#pragma once

// The parameter table: one list, in the recipe's model order, of every parameter's name as in the
// checkpoint, its shape, its initialisation and whether weight decay acts on it. Initialisation,
// load, save, optimizer and all-reduce all walk this list; nothing else knows a parameter's name.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bert/config.h"
#include "core/context.h"
#include "ops/int8_linear.h"
#include "ops/optimizer_steps.h"

namespace bertha::bert {

/// What a model has above the encoder.
struct Heads {
  bool pooler = true;
  bool language_model = false;
  bool next_sentence = false;
  bool question_answering = false;  ///< start and end logits of each token
  int64_t classes = 0;              ///< outputs of a classifier; 0: none

  static Heads for_pretraining() { return {.language_model = true, .next_sentence = true}; }
};

/// How a parameter starts.
enum class Init : uint8_t {
  kNormal,        ///< normal, standard deviation `initializer_range`
  kZero,          ///< 0
  kOne,           ///< 1
  kUniformFanIn,  ///< uniform in ±1/√fan_in: the recipe's layers with an activation, weight and
                  ///< bias
};
/// `--init recipe` keeps kUniformFanIn; `--init bert` (Devlin et al.) makes those normal and zero.
enum class InitStyle : uint8_t { kRecipe, kBert };

struct Parameter {
  std::string name;
  Shape shape;
  Init init = Init::kNormal;
  bool decay = true;
  /// The model has no such parameter: it stays 0 and is in no file. DistilBERT's token types.
  bool absent = false;
  int64_t fan_in = 0;
  int64_t offset = 0;  ///< first element in the flat buffers
  int64_t size() const { return shape.size(); }
};

/// Indices into the table for one encoder layer.
struct LayerIndices {
  int query_weight, query_bias, key_weight, key_bias, value_weight, value_bias;
  int output_weight, output_bias, attention_gamma, attention_beta;
  int intermediate_weight, intermediate_bias, down_weight, down_bias, gamma, beta;
};

/// Indices of the parameters outside the layers; -1 where the model has no such head.
struct ModelIndices {
  int word = -1, position = -1, segment = -1, embedding_gamma = -1, embedding_beta = -1;
  std::vector<LayerIndices> layers;
  int pooler_weight = -1, pooler_bias = -1;
  /// The word embeddings, unless the decoder is a parameter of its own.
  int decoder = -1;
  int mlm_bias = -1, transform_weight = -1, transform_bias = -1, transform_gamma = -1,
      transform_beta = -1;
  int nsp_weight = -1, nsp_bias = -1;
  int qa_weight = -1, qa_bias = -1;
  int classifier_weight = -1, classifier_bias = -1;
};

/// Elements [begin, begin + size) of a flat buffer.
struct FlatRange {
  int64_t begin = 0;
  int64_t size = 0;
};

class ParameterTable {
 public:
  ParameterTable(const Config& config, const Heads& heads);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Parameter& operator[](int index) const { return parameters_[static_cast<size_t>(index)]; }
  const ModelIndices& indices() const { return indices_; }
  /// Whether a parameter's first extent is the vocabulary.
  bool has_vocabulary_rows(int index) const {
    return index == indices_.word || index == indices_.decoder || index == indices_.mlm_bias;
  }
  /// False where all tokens are of one type.
  bool has_token_types() const { return (*this)[indices_.segment].shape[0] > 1; }
  /// Index of a name, -1 when there is none.
  int find(const std::string& name) const;
  /// Elements of a flat buffer, gaps for alignment included.
  int64_t flat_size() const { return flat_size_; }
  /// First element of an encoder layer; of what lies above the encoder for the number of layers.
  int64_t layer_begin(int64_t layer) const { return layer_begins_[static_cast<size_t>(layer)]; }
  /// Elements of all parameters.
  int64_t parameter_count() const;
  /// The ranges of the flat buffers that hold no weight of the encoder's products: a tenth of
  /// BERT-Large. Those of gradients are zeroed before a backward pass that overwrites the others.
  std::vector<FlatRange> outside_products() const;
  /// Offset, size and decay of each parameter, for the optimizer: in the order of the flat buffer,
  /// where query, key and value lie together, not in that of the table.
  std::vector<ops::ParameterSpan> spans() const;

 private:
  int add(const std::string& name, Shape shape, Init init, int64_t fan_in = 0);
  LayerIndices add_layer(const Config& config, int64_t layer);
  void add_heads(const Config& config, const Heads& heads);
  void lay_out();
  int64_t place(int index, int64_t offset);

  std::vector<Parameter> parameters_;
  ModelIndices indices_;
  std::vector<int64_t> layer_begins_;
  int64_t flat_size_ = 0;
};

class EncoderProducts;
class Int8Parameters;

/// How the products of the encoder keep their weights.
enum class Products : uint8_t {
  kWide,  ///< in the compute dtype
  kFp8,   ///< the same, rounded to 8-bit floats for each product of a training step
  kInt8   ///< as 8-bit integers (int8_parameters.h), for inference alone
};

/// The weight of a product in one of the two forms.
struct ProductWeight {
  Tensor wide{};  ///< as Linear takes it, in the compute dtype; absent where `int8` is there
  const ops::Int8Weight* int8 = nullptr;
};

/// The products of an encoder layer.
enum class LayerProduct : uint8_t { kQkv, kAttentionOutput, kIntermediate, kDown };
inline constexpr int64_t kLayerProducts = 4;

/// What is known of a product's operands, f32 [kFp8State] each (core/fp8.h); absent but for
/// Products::kFp8.
struct Fp8States {
  Tensor x, w, d_y;
};

/// The flat buffers of a model on a device, and views in them. Query, key and value of a layer lie
/// next to each other, so one view [3H, H] is all three.
class ParameterStore {
 public:
  /// Weights f32; with compute dtype bf16 also a rounded copy that products read. Gradients only
  /// when `trainable`. When it is not, the weights of the encoder's products are from the first in
  /// the form that products read, and never in memory as anything else: 8-bit integers with
  /// Products::kInt8, else elements of the compute dtype (packed_parameters.h).
  ParameterStore(Device& device, const Config& config, const Heads& heads, DType compute,
                 bool trainable, Products products = Products::kWide);
  ~ParameterStore();

  const ParameterTable& table() const { return table_; }
  Device& device() const { return device_; }
  DType compute_dtype() const { return compute_; }

  /// Fresh values from `seed`, the same on every device.
  void initialise(InitStyle style, const Config& config, uint64_t seed);
  /// Fresh values for one parameter.
  void initialise_one(int index, InitStyle style, const Config& config, uint64_t seed);
  /// Copies one parameter's f32 elements in or out (host order as in the table's shape). Without
  /// `trainable`, the encoder's matrices are rounded to the compute dtype, or to integers, for
  /// which they must be finite.
  void write(int index, const float* values);
  void read(int index, float* values) const;
  /// Must follow write() or initialise(): renews the bf16 weights and prepared ones.
  void weights_changed();

  /// The weights that are 8-bit integers; null with Products::kWide. The views below are of the
  /// others.
  Int8Parameters* int8() { return int8_; }
  const Int8Parameters* int8() const { return int8_; }
  /// The weights that are not in the flat buffers; null when `trainable`.
  const EncoderProducts* encoder_products() const { return products_.get(); }
  /// Memory of weights in all forms, in bytes.
  int64_t weight_bytes() const;

  /// f32 view of a parameter, for norms, biases and tables.
  Tensor weight(int index) const;
  /// View in compute dtype, for products: of a weight, or of a bias (ops::Linear::b_rounded).
  Tensor matrix(int index) const;
  /// A product's weight in the form that the store keeps.
  ProductWeight product_weight(int index) const;
  ProductWeight qkv_weight(const LayerIndices& layer) const;
  /// They start at zero. The first use of an operand gives it a scale.
  Fp8States fp8_states(int64_t layer, LayerProduct product) const;
  /// All of them as one tensor, f32; absent but for Products::kFp8.
  Tensor flat_fp8_states() const;
  /// The number of operands that have a state: 0 but for Products::kFp8.
  int64_t fp8_operands() const;
  /// The largest magnitudes of each operand's last uses [fp8_operands(), kFp8History], as
  /// core/fp8.h keeps them. Scales follow from them.
  std::vector<float> read_fp8_histories() const;
  void write_fp8_histories(std::span<const float> histories);
  Tensor gradient(int index) const;
  /// [3H, H] in compute dtype, [3H] f32, and their gradients.
  Tensor qkv_matrix(const LayerIndices& layer) const;
  Tensor qkv_bias(const LayerIndices& layer) const;
  /// [3H] in compute dtype.
  Tensor qkv_bias_rounded(const LayerIndices& layer) const;
  Tensor d_qkv_matrix(const LayerIndices& layer) const;
  Tensor d_qkv_bias(const LayerIndices& layer) const;

  /// Whole flat buffers [P], without encoder_products().
  Tensor flat_weights() const;
  Tensor flat_gradients() const;
  /// bf16 [P]; absent when computing in f32.
  Tensor flat_bf16_weights() const;

 private:
  void lay_out_wide();
  Tensor view(const Buffer& buffer, DType dtype, int index, Shape shape) const;

  Device& device_;
  ParameterTable table_;
  DType compute_;
  std::unique_ptr<EncoderProducts> products_;
  Int8Parameters* int8_ = nullptr;  ///< the same, where they are integers
  std::vector<int64_t> offsets_;    ///< of each parameter in the flat buffers; -1: in products_
  int64_t flat_size_ = 0;
  Buffer weights_;
  Buffer gradients_;
  Buffer bf16_weights_;
  Buffer fp8_states_;  ///< by layer, product and operand, with Products::kFp8
};

}  // namespace bertha::bert
