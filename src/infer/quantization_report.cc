#include "infer/quantization_report.h"

#include <algorithm>
#include <cmath>

#include "bert/device_batch.h"
#include "bert/encoder.h"
#include "bert/int8_parameters.h"
#include "bert/product.h"
#include "core/error.h"
#include "text/model_input.h"

namespace bertha::infer {
namespace {

/// A product of a layer: its weight, wide and as integers, and its input in a forward pass.
struct LayerProduct {
  std::string name;
  bert::ProductWeight wide, narrow;
  std::vector<int> parameters;
  Tensor x;
};

double relative_error(std::span<const float> exact, std::span<const float> rounded) {
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double difference = double{rounded[i]} - double{exact[i]};
    error += difference * difference;
    norm += double{exact[i]} * double{exact[i]};
  }
  return norm > 0 ? std::sqrt(error / norm) : 0;
}

class Measurement {
 public:
  explicit Measurement(const Model& model)
      : model_(model),
        store_(model.parameters()),
        int8_(model.device(), store_.table(), DType::kF32),
        encoder_(model.config(), store_) {
    std::vector<float> values;
    for (const int index : bert::encoder_matrices(store_.table())) {
      values.resize(static_cast<size_t>(store_.table()[index].size()));
      store_.read(index, values.data());
      int8_.write(index, values.data());
    }
  }

  std::vector<ProductError> run(std::span<const std::string> texts) {
    RaggedBatch batch;
    batch.clear();
    for (const std::string& text : texts) {
      text::append(
          text::model_input(model_.tokenizer(), text, std::nullopt, model_.config().max_tokens()),
          batch);
    }
    bert::DeviceBatch on_device(model_.device(), {.tokens = batch.tokens(),
                                                  .sequences = batch.sequences(),
                                                  .masked = 1,
                                                  .token_types = store_.table().has_token_types()});
    const bert::EncoderInputs inputs = on_device.upload_tokens(batch);
    Arena arena(model_.device(), measure_arena(model_.device(), [&](Context& context) {
                  measure(context, inputs, batch.tokens());
                }));
    Context context(model_.device(), arena);
    return measure(context, inputs, batch.tokens());
  }

 private:
  std::vector<ProductError> measure(Context& context, const bert::EncoderInputs& inputs,
                                    int64_t tokens) {
    bert::EncoderContext saved;
    encoder_.forward(context, inputs, bert::Keep::kAll, saved);
    std::vector<ProductError> errors;
    for (size_t layer = 0; layer < saved.layers.size(); ++layer) {
      for (const LayerProduct& product : products_of(layer, saved.layers[layer])) {
        errors.push_back({.name = product.name,
                          .weight = weight_error(product.parameters),
                          .result = result_error(context, product, tokens)});
      }
    }
    return errors;
  }

  std::vector<LayerProduct> products_of(size_t layer, const bert::LayerContext& saved) const {
    const bert::LayerIndices& i = store_.table().indices().layers[layer];
    const auto product = [&](int index, const Tensor& x) {
      return LayerProduct{.name = store_.table()[index].name,
                          .wide = store_.product_weight(index),
                          .narrow = int8_.weight(index),
                          .parameters = {index},
                          .x = x};
    };
    LayerProduct qkv = product(i.query_weight, saved.x);
    qkv.name =
        fmt::format("bert.encoder.layer.{}.attention.self.{{query,key,value}}.weight", layer);
    qkv.wide = store_.qkv_weight(i);
    qkv.parameters = {i.query_weight, i.key_weight, i.value_weight};
    return {qkv, product(i.output_weight, saved.attended), product(i.intermediate_weight, saved.h),
            product(i.down_weight, saved.activated)};
  }

  double weight_error(const std::vector<int>& parameters) const {
    std::vector<float> exact;
    std::vector<float> rounded;
    for (const int index : parameters) {
      const size_t begin = exact.size();
      exact.resize(begin + static_cast<size_t>(store_.table()[index].size()));
      rounded.resize(exact.size());
      store_.read(index, exact.data() + begin);
      int8_.read(index, rounded.data() + begin);
    }
    return relative_error(exact, rounded);
  }

  double result_error(Context& context, const LayerProduct& product, int64_t tokens) const {
    const Context::Scope scope(context);
    const Shape shape = {product.x.dim(0), product.narrow.int8->channels()};
    const Tensor exact = context.make(shape, DType::kF32);
    const Tensor rounded = context.make(shape, DType::kF32);
    bert::product(context, {.x = product.x, .w = product.wide, .b = {}, .y = out(exact)});
    bert::product(context, {.x = product.x, .w = product.narrow, .b = {}, .y = out(rounded)});
    return context.dry() ? 0 : relative_error(host(exact, tokens), host(rounded, tokens));
  }

  /// The rows of the texts; what is behind them fills the bucket.
  std::vector<float> host(const Tensor& from, int64_t tokens) const {
    const Tensor rows = from.rows(0, tokens);
    std::vector<float> values(static_cast<size_t>(rows.size()));
    model_.device().read(rows, values.data());
    return values;
  }

  const Model& model_;
  const bert::ParameterStore& store_;
  bert::Int8Parameters int8_;
  bert::Encoder encoder_;
};

}  // namespace

std::vector<std::string> quantization_texts() {
  return {"The city lies on both banks of the river, 40 kilometres above its mouth.",
          "Who wrote the first program for a machine that had not been built?",
          "She closed the window, because the rain had begun again.",
          "In mathematics, a group is a set with an operation that is associative.",
          "The company's revenue rose by 12.5 % to $3.4 billion in the third quarter.",
          "yes, i think so too"};
}

std::vector<ProductError> quantization_errors(const Model& model,
                                              std::span<const std::string> texts) {
  BERTHA_CHECK(model.parameters().int8() == nullptr &&
               model.parameters().compute_dtype() == DType::kF32 && !texts.empty());
  return Measurement(model).run(texts);
}

}  // namespace bertha::infer
