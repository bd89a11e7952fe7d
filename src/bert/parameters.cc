#include "bert/parameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "bert/int8_parameters.h"
#include "bert/packed_parameters.h"
#include "core/error.h"
#include "core/fp8.h"
#include "core/parallel_for.h"
#include "core/philox.h"
#include "ops/convert.h"
#include "ops/fp8_linear.h"
#include "ops/kernels.h"

namespace bertha::bert {
namespace {

// Elements; 64 bf16 are kAlignmentBytes, 64 f32 twice that.
constexpr int64_t kAlignment = 64;

constexpr int64_t kFp8Operands = 3;
constexpr int64_t kFp8StateBytes = align_up(kFp8State * int64_t{sizeof(float)});
constexpr int64_t kFp8Stride = kFp8StateBytes / int64_t{sizeof(float)};

/// The recipe's rule: no decay for names with `bias`, `gamma`, `beta` or `LayerNorm`. The one place
/// where a name decides anything.
bool decays(const std::string& name) {
  for (const char* exempt : {"bias", "gamma", "beta", "LayerNorm"}) {
    if (name.find(exempt) != std::string::npos) return false;
  }
  return true;
}

}  // namespace

int ParameterTable::add(const std::string& name, Shape shape, Init init, int64_t fan_in) {
  parameters_.push_back(
      {.name = name, .shape = shape, .init = init, .decay = decays(name), .fan_in = fan_in});
  return static_cast<int>(parameters_.size()) - 1;
}

LayerIndices ParameterTable::add_layer(const Config& config, int64_t layer) {
  const int64_t h = config.hidden_size;
  const int64_t f = config.intermediate_size;
  const std::string at = fmt::format("bert.encoder.layer.{}.", layer);
  LayerIndices i{};
  i.query_weight = add(at + "attention.self.query.weight", {h, h}, Init::kNormal);
  i.query_bias = add(at + "attention.self.query.bias", {h}, Init::kZero);
  i.key_weight = add(at + "attention.self.key.weight", {h, h}, Init::kNormal);
  i.key_bias = add(at + "attention.self.key.bias", {h}, Init::kZero);
  i.value_weight = add(at + "attention.self.value.weight", {h, h}, Init::kNormal);
  i.value_bias = add(at + "attention.self.value.bias", {h}, Init::kZero);
  i.output_weight = add(at + "attention.output.dense.weight", {h, h}, Init::kNormal);
  i.output_bias = add(at + "attention.output.dense.bias", {h}, Init::kZero);
  i.attention_gamma = add(at + "attention.output.LayerNorm.weight", {h}, Init::kOne);
  i.attention_beta = add(at + "attention.output.LayerNorm.bias", {h}, Init::kZero);
  i.intermediate_weight = add(at + "intermediate.dense_act.weight", {f, h}, Init::kUniformFanIn, h);
  i.intermediate_bias = add(at + "intermediate.dense_act.bias", {f}, Init::kUniformFanIn, h);
  i.down_weight = add(at + "output.dense.weight", {h, f}, Init::kNormal);
  i.down_bias = add(at + "output.dense.bias", {h}, Init::kZero);
  i.gamma = add(at + "output.LayerNorm.weight", {h}, Init::kOne);
  i.beta = add(at + "output.LayerNorm.bias", {h}, Init::kZero);
  return i;
}

void ParameterTable::add_heads(const Config& config, const Heads& heads) {
  const int64_t h = config.hidden_size;
  ModelIndices& i = indices_;
  if (heads.pooler) {
    i.pooler_weight = add("bert.pooler.dense_act.weight", {h, h}, Init::kUniformFanIn, h);
    i.pooler_bias = add("bert.pooler.dense_act.bias", {h}, Init::kUniformFanIn, h);
  }
  if (heads.language_model) {
    const std::string at = "cls.predictions.";
    i.mlm_bias = add(at + "bias", {config.vocab_size}, Init::kZero);
    i.transform_weight = add(at + "transform.dense_act.weight", {h, h}, Init::kUniformFanIn, h);
    i.transform_bias = add(at + "transform.dense_act.bias", {h}, Init::kUniformFanIn, h);
    i.transform_gamma = add(at + "transform.LayerNorm.weight", {h}, Init::kOne);
    i.transform_beta = add(at + "transform.LayerNorm.bias", {h}, Init::kZero);
    i.decoder = config.tie_word_embeddings
                    ? i.word
                    : add(at + "decoder.weight", {config.vocab_size, h}, Init::kNormal);
  }
  if (heads.next_sentence) {
    i.nsp_weight = add("cls.seq_relationship.weight", {2, h}, Init::kNormal);
    i.nsp_bias = add("cls.seq_relationship.bias", {2}, Init::kZero);
  }
  if (heads.question_answering) {
    i.qa_weight = add("qa_outputs.weight", {2, h}, Init::kNormal);
    i.qa_bias = add("qa_outputs.bias", {2}, Init::kZero);
  }
  if (heads.classes > 0) {
    i.classifier_weight = add("classifier.weight", {heads.classes, h}, Init::kNormal);
    i.classifier_bias = add("classifier.bias", {heads.classes}, Init::kZero);
  }
}

ParameterTable::ParameterTable(const Config& config, const Heads& heads) {
  const int64_t h = config.hidden_size;
  const std::string at = "bert.embeddings.";
  indices_.word = add(at + "word_embeddings.weight", {config.vocab_size, h}, Init::kNormal);
  indices_.position =
      add(at + "position_embeddings.weight", {config.max_position_embeddings, h}, Init::kNormal);
  indices_.segment =
      add(at + "token_type_embeddings.weight", {config.type_vocab_size, h}, Init::kNormal);
  if (config.family() == ModelFamily::kDistilBert) {
    Parameter& segment = parameters_[static_cast<size_t>(indices_.segment)];
    segment.absent = true;
    segment.init = Init::kZero;
  }
  indices_.embedding_gamma = add(at + "LayerNorm.weight", {h}, Init::kOne);
  indices_.embedding_beta = add(at + "LayerNorm.bias", {h}, Init::kZero);
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    indices_.layers.push_back(add_layer(config, layer));
  }
  add_heads(config, heads);
  lay_out();
}

int64_t ParameterTable::place(int index, int64_t offset) {
  Parameter& parameter = parameters_[static_cast<size_t>(index)];
  parameter.offset = offset;
  return offset + parameter.size();
}

void ParameterTable::lay_out() {
  // Model order, but query, key and value follow each other without a gap: weights, then biases.
  std::vector<bool> placed(parameters_.size(), false);
  int64_t end = 0;
  const auto place_block = [&](std::initializer_list<int> block) {
    end = align_up(end, kAlignment);
    for (const int index : block) {
      end = place(index, end);
      placed[static_cast<size_t>(index)] = true;
    }
  };
  size_t layer = 0;
  const int above = indices_.layers.empty() ? indices_.embedding_beta : indices_.layers.back().beta;
  for (int index = 0; index < static_cast<int>(parameters_.size()); ++index) {
    if (layer < indices_.layers.size() && index == indices_.layers[layer].query_weight) {
      layer_begins_.push_back(align_up(end, kAlignment));
      const LayerIndices& i = indices_.layers[layer++];
      place_block({i.query_weight, i.key_weight, i.value_weight});
      place_block({i.query_bias, i.key_bias, i.value_bias});
    } else if (!placed[static_cast<size_t>(index)]) {
      place_block({index});
    }
    if (index == above) layer_begins_.push_back(align_up(end, kAlignment));
  }
  flat_size_ = align_up(end, kAlignment);
}

int ParameterTable::find(const std::string& name) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

int64_t ParameterTable::parameter_count() const {
  int64_t count = 0;
  for (const Parameter& parameter : parameters_) count += parameter.size();
  return count;
}

std::vector<FlatRange> ParameterTable::outside_products() const {
  std::vector<FlatRange> products;
  for (const int index : encoder_matrices(*this)) {
    products.push_back({.begin = (*this)[index].offset, .size = (*this)[index].size()});
  }
  std::ranges::sort(products, {}, &FlatRange::begin);
  std::vector<FlatRange> outside;
  int64_t end = 0;
  for (const FlatRange& product : products) {
    if (product.begin > end) outside.push_back({.begin = end, .size = product.begin - end});
    end = product.begin + product.size;
  }
  if (flat_size_ > end) outside.push_back({.begin = end, .size = flat_size_ - end});
  return outside;
}

std::vector<ops::ParameterSpan> ParameterTable::spans() const {
  std::vector<ops::ParameterSpan> result;
  for (const Parameter& p : parameters_) {
    result.push_back({.offset = p.offset, .size = p.size(), .decay = p.decay});
  }
  std::ranges::sort(result, {}, &ops::ParameterSpan::offset);
  return result;
}

ParameterStore::ParameterStore(Device& device, const Config& config, const Heads& heads,
                               DType compute, bool trainable, Products products)
    : device_(device), table_(config, heads), compute_(compute) {
  BERTHA_CHECK(compute == DType::kF32 || compute == DType::kBF16);
  BERTHA_CHECK(products != Products::kInt8 || !trainable);
  BERTHA_CHECK(products != Products::kFp8 || trainable);
  if (products == Products::kFp8 &&
      ops::kernels_of(device).support(ops::Fp8Linear::kName, compute) == ops::Support::kAbsent) {
    fail(
        "--precision fp8: {} has no kernel for products of 8-bit floats; use --precision bf16 "
        "or fp32",
        device.description());
  }
  if (!trainable) device.expect_inference();
  if (products == Products::kInt8) {
    auto int8 = std::make_unique<Int8Parameters>(device, table_, compute);
    int8_ = int8.get();
    products_ = std::move(int8);
  } else if (!trainable) {
    products_ = std::make_unique<PackedParameters>(device, table_, compute);
  }
  lay_out_wide();
  weights_ = device.allocate(flat_size_ * size_of(DType::kF32));
  if (trainable) gradients_ = device.allocate(flat_size_ * size_of(DType::kF32));
  if (compute == DType::kBF16) {
    bf16_weights_ = device.allocate(flat_size_ * size_of(DType::kBF16));
  }
  if (products == Products::kFp8) {
    fp8_states_ =
        device.allocate(config.num_hidden_layers * kLayerProducts * kFp8Operands * kFp8StateBytes);
  }
}

ParameterStore::~ParameterStore() = default;

Fp8States ParameterStore::fp8_states(int64_t layer, LayerProduct product) const {
  if (fp8_states_.size_bytes() == 0) return {};
  const int64_t first = (layer * kLayerProducts + static_cast<int64_t>(product)) * kFp8Operands;
  const auto state = [&](int64_t operand) {
    return Tensor(&fp8_states_, (first + operand) * kFp8StateBytes, DType::kF32, {kFp8State});
  };
  return {.x = state(0), .w = state(1), .d_y = state(2)};
}

Tensor ParameterStore::flat_fp8_states() const {
  if (fp8_states_.size_bytes() == 0) return {};
  return Tensor(&fp8_states_, 0, DType::kF32, {fp8_operands(), kFp8Stride});
}

int64_t ParameterStore::fp8_operands() const {
  return fp8_states_.size_bytes() / kFp8StateBytes;
}

std::vector<float> ParameterStore::read_fp8_histories() const {
  const Tensor states = flat_fp8_states();
  std::vector<float> values(static_cast<size_t>(states.size()));
  device_.read(states, values.data());
  std::vector<float> histories;
  for (auto state = values.begin(); state != values.end(); state += kFp8Stride) {
    histories.insert(histories.end(), state, state + kFp8History);
  }
  return histories;
}

void ParameterStore::write_fp8_histories(std::span<const float> histories) {
  BERTHA_CHECK(std::ssize(histories) == fp8_operands() * kFp8History);
  const Tensor states = flat_fp8_states();
  std::vector<float> values(static_cast<size_t>(states.size()));
  for (auto state = values.begin(); state != values.end(); state += kFp8Stride) {
    std::ranges::copy(histories.first(kFp8History), state);
    histories = histories.subspan(kFp8History);
  }
  device_.write(out(states), values.data());
}

/// The table's layout, or one without what is kept apart.
void ParameterStore::lay_out_wide() {
  offsets_.reserve(table_.parameters().size());
  for (const Parameter& parameter : table_.parameters()) offsets_.push_back(parameter.offset);
  flat_size_ = table_.flat_size();
  if (products_ == nullptr) return;
  std::vector<int> order(offsets_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [this](int index) { return table_[index].offset; });
  flat_size_ = 0;
  int64_t last_end = 0;  // in the table's layout, of the last parameter that is not dropped
  for (const int index : order) {
    const Parameter& parameter = table_[index];
    int64_t& offset = offsets_[static_cast<size_t>(index)];
    offset = -1;
    if (products_->holds(index)) continue;
    // What lies together, as the biases of query, key and value do, stays together.
    offset = parameter.offset == last_end ? flat_size_ : align_up(flat_size_, kAlignment);
    flat_size_ = offset + parameter.size();
    last_end = parameter.offset + parameter.size();
  }
  flat_size_ = align_up(flat_size_, kAlignment);
}

namespace {

/// Fills values [begin, begin + count) of a parameter; a value depends on (seed, stream, index).
void fill_normal(PhiloxStream random, double deviation, float* values, int64_t count) {
  for (int64_t i = 0; i < count; i += 2) {
    // Box and Muller 1958; 1 - u keeps the logarithm's argument above 0.
    const double radius = deviation * std::sqrt(-2 * std::log(1 - random.uniform()));
    const double angle = 2 * std::numbers::pi * random.uniform();
    values[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) values[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void fill_uniform(PhiloxStream random, double bound, float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(bound * (2 * random.uniform() - 1));
  }
}

Init effective(Init init, InitStyle style, bool bias) {
  if (init != Init::kUniformFanIn || style == InitStyle::kRecipe) return init;
  return bias ? Init::kZero : Init::kNormal;
}

}  // namespace

void ParameterStore::initialise_one(int index, InitStyle style, const Config& config,
                                    uint64_t seed) {
  constexpr int64_t kChunk = 1 << 16;
  const Parameter& parameter = table_[index];
  const Init init = effective(parameter.init, style, parameter.shape.rank() == 1);
  std::vector<float> values(static_cast<size_t>(parameter.size()));
  const int64_t chunks = (parameter.size() + kChunk - 1) / kChunk;
  parallel_for(chunks, 1, [&](int64_t chunk) {
    float* begin = values.data() + chunk * kChunk;
    const int64_t count = std::min(kChunk, parameter.size() - chunk * kChunk);
    const PhiloxStream random(seed,
                              static_cast<uint64_t>(index) << 32 | static_cast<uint64_t>(chunk));
    switch (init) {
      case Init::kNormal:
        return fill_normal(random, config.initializer_range, begin, count);
      case Init::kUniformFanIn:
        return fill_uniform(random, 1 / std::sqrt(static_cast<double>(parameter.fan_in)), begin,
                            count);
      case Init::kZero:
      case Init::kOne:
        std::fill_n(begin, count, init == Init::kOne ? 1.0F : 0.0F);
    }
  });
  write(index, values.data());
}

void ParameterStore::initialise(InitStyle style, const Config& config, uint64_t seed) {
  for (size_t i = 0; i < table_.parameters().size(); ++i) {
    initialise_one(static_cast<int>(i), style, config, seed);
  }
  weights_changed();
}

void ParameterStore::write(int index, const float* values) {
  if (products_ != nullptr && products_->holds(index)) return products_->write(index, values);
  device_.write(out(weight(index)), values);
}

void ParameterStore::read(int index, float* values) const {
  if (products_ != nullptr && products_->holds(index)) return products_->read(index, values);
  device_.read(weight(index), values);
}

void ParameterStore::weights_changed() {
  if (compute_ == DType::kBF16) {
    Arena minimal(device_, kAlignmentBytes);
    Context context(device_, minimal);
    ops::convert(context, {.from = flat_weights(), .to = out(flat_bf16_weights())});
  }
  device_.parameters_changed();
}

Tensor ParameterStore::view(const Buffer& buffer, DType dtype, int index, Shape shape) const {
  const int64_t offset = offsets_[static_cast<size_t>(index)];
  BERTHA_CHECK(offset >= 0, "{} is not in the flat buffers", table_[index].name);
  return Tensor(&buffer, offset * size_of(dtype), dtype, shape);
}

int64_t ParameterStore::weight_bytes() const {
  return weights_.size_bytes() + bf16_weights_.size_bytes() +
         (products_ == nullptr ? 0 : products_->flat().size_bytes());
}

Tensor ParameterStore::weight(int index) const {
  return view(weights_, DType::kF32, index, table_[index].shape);
}

Tensor ParameterStore::matrix(int index) const {
  if (compute_ == DType::kF32) return weight(index);
  return view(bf16_weights_, DType::kBF16, index, table_[index].shape);
}

ProductWeight ParameterStore::product_weight(int index) const {
  if (products_ != nullptr && products_->holds(index)) return products_->weight(index);
  return {.wide = matrix(index)};
}

ProductWeight ParameterStore::qkv_weight(const LayerIndices& layer) const {
  if (products_ != nullptr) return products_->weight(layer.query_weight);
  return {.wide = qkv_matrix(layer)};
}

Tensor ParameterStore::gradient(int index) const {
  return view(gradients_, DType::kF32, index, table_[index].shape);
}

namespace {

Shape stacked(const Shape& one) {
  return one.rank() == 1 ? Shape{3 * one[0]} : Shape{3 * one[0], one[1]};
}

}  // namespace

Tensor ParameterStore::qkv_matrix(const LayerIndices& layer) const {
  const Shape shape = stacked(table_[layer.query_weight].shape);
  return compute_ == DType::kF32 ? view(weights_, DType::kF32, layer.query_weight, shape)
                                 : view(bf16_weights_, DType::kBF16, layer.query_weight, shape);
}

Tensor ParameterStore::qkv_bias(const LayerIndices& layer) const {
  return view(weights_, DType::kF32, layer.query_bias, stacked(table_[layer.query_bias].shape));
}

Tensor ParameterStore::qkv_bias_rounded(const LayerIndices& layer) const {
  if (compute_ == DType::kF32) return qkv_bias(layer);
  return view(bf16_weights_, DType::kBF16, layer.query_bias,
              stacked(table_[layer.query_bias].shape));
}

Tensor ParameterStore::d_qkv_matrix(const LayerIndices& layer) const {
  return view(gradients_, DType::kF32, layer.query_weight,
              stacked(table_[layer.query_weight].shape));
}

Tensor ParameterStore::d_qkv_bias(const LayerIndices& layer) const {
  return view(gradients_, DType::kF32, layer.query_bias, stacked(table_[layer.query_bias].shape));
}

Tensor ParameterStore::flat_weights() const {
  return Tensor(&weights_, 0, DType::kF32, {flat_size_});
}

Tensor ParameterStore::flat_gradients() const {
  return Tensor(&gradients_, 0, DType::kF32, {flat_size_});
}

Tensor ParameterStore::flat_bf16_weights() const {
  if (compute_ == DType::kF32) return Tensor();
  return Tensor(&bf16_weights_, 0, DType::kBF16, {flat_size_});
}

}  // namespace bertha::bert
