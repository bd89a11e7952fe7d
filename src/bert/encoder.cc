#include "bert/encoder.h"

#include "bert/product.h"
#include "core/error.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/zero.h"

namespace bertha::bert {
namespace {

using ops::Write;

// Dropout sites: 0 for the embedding, three a layer.
constexpr uint32_t kEmbeddingSite = 0;
constexpr uint32_t site_of(int64_t layer, uint32_t which) {
  return 1 + 3 * static_cast<uint32_t>(layer) + which;
}
constexpr uint32_t kAttentionSite = 0;
constexpr uint32_t kAttentionOutputSite = 1;
constexpr uint32_t kLayerOutputSite = 2;

}  // namespace

Encoder::Encoder(const Config& config, const ParameterStore& parameters)
    : config_(config), parameters_(parameters) {}

const LayerIndices& Encoder::indices(int64_t layer) const {
  return parameters_.table().indices().layers[static_cast<size_t>(layer)];
}

Dropout Encoder::hidden_dropout(const EncoderInputs& inputs, uint32_t site) const {
  if (inputs.dropout_seed.empty()) return {};
  return make_dropout(config_.hidden_dropout_prob, site, inputs.dropout_seed);
}

Dropout Encoder::attention_dropout(const EncoderInputs& inputs, int64_t layer) const {
  if (inputs.dropout_seed.empty()) return {};
  return make_dropout(config_.attention_probs_dropout_prob, site_of(layer, kAttentionSite),
                      inputs.dropout_seed);
}

Fp8States Encoder::fp8(const EncoderInputs& inputs, int64_t layer, LayerProduct product) const {
  return inputs.dropout_seed.empty() ? Fp8States() : parameters_.fp8_states(layer, product);
}

ops::AttentionShape Encoder::attention_shape() const {
  return {.heads = config_.num_attention_heads, .max_length = config_.max_tokens()};
}

Tensor Encoder::positions(const Tensor& table) const {
  return table.rows(config_.position_offset, config_.max_tokens());
}

Tensor Encoder::embed(Context& context, const EncoderInputs& inputs,
                      EmbeddingContext& saved) const {
  const int64_t tokens = inputs.tokens();
  const ModelIndices& i = parameters_.table().indices();
  const Tensor y = context.make({tokens, config_.hidden_size}, parameters_.compute_dtype());
  saved.z = context.make({tokens, config_.hidden_size}, parameters_.compute_dtype());
  saved.mean = context.make({tokens}, DType::kF32);
  saved.rstd = context.make({tokens}, DType::kF32);
  ops::embedding(context, {.ids = inputs.ids,
                           .tables = {.word = parameters_.weight(i.word),
                                      .position = positions(parameters_.weight(i.position)),
                                      .segment = parameters_.weight(i.segment)},
                           .gamma = parameters_.weight(i.embedding_gamma),
                           .beta = parameters_.weight(i.embedding_beta),
                           .eps = static_cast<float>(config_.layer_norm_eps),
                           .dropout = hidden_dropout(inputs, kEmbeddingSite),
                           .z = out(saved.z),
                           .y = out(y),
                           .mean = out(saved.mean),
                           .rstd = out(saved.rstd)});
  return y;
}

void Encoder::attention_block(Context& context, const EncoderInputs& inputs, int64_t layer,
                              LayerContext& saved) const {
  const int64_t tokens = inputs.tokens();
  const int64_t hidden = config_.hidden_size;
  const DType dtype = parameters_.compute_dtype();
  const LayerIndices& i = indices(layer);

  saved.qkv = context.make({tokens, 3 * hidden}, dtype);
  product(context, {.x = saved.x,
                    .w = parameters_.qkv_weight(i),
                    .b = parameters_.qkv_bias(i),
                    .b_rounded = parameters_.qkv_bias_rounded(i),
                    .y = out(saved.qkv),
                    .fp8 = fp8(inputs, layer, LayerProduct::kQkv),
                    .notes = !saved.again});
  saved.attended = context.make({tokens, hidden}, dtype);
  saved.lse = context.make({tokens, config_.num_attention_heads}, DType::kF32);
  ops::Attention attention = {.qkv = saved.qkv,
                              .seq_start = inputs.seq_start,
                              .shape = attention_shape(),
                              .dropout = attention_dropout(inputs, layer),
                              .y = out(saved.attended),
                              .lse = out(saved.lse)};
  saved.kept_dropout = ops::make_kept_dropout(context, attention);
  attention.kept = out(saved.kept_dropout);
  ops::attention(context, attention);
  saved.z1 = context.make({tokens, hidden}, dtype);
  product(context, {.x = saved.attended,
                    .w = parameters_.product_weight(i.output_weight),
                    .b = parameters_.weight(i.output_bias),
                    .b_rounded = parameters_.matrix(i.output_bias),
                    .y = out(saved.z1),
                    .fp8 = fp8(inputs, layer, LayerProduct::kAttentionOutput),
                    .notes = !saved.again});
  saved.h = context.make({tokens, hidden}, dtype);
  saved.mean1 = context.make({tokens}, DType::kF32);
  saved.rstd1 = context.make({tokens}, DType::kF32);
  ops::layer_norm(context, {.z = inout(saved.z1),
                            .residual = saved.x,
                            .gamma = parameters_.weight(i.attention_gamma),
                            .beta = parameters_.weight(i.attention_beta),
                            .eps = static_cast<float>(config_.layer_norm_eps),
                            .dropout = hidden_dropout(inputs, site_of(layer, kAttentionOutputSite)),
                            .y = out(saved.h),
                            .mean = out(saved.mean1),
                            .rstd = out(saved.rstd1)});
}

void Encoder::feed_forward_block(Context& context, const EncoderInputs& inputs, int64_t layer,
                                 Tensor y, LayerContext& saved) const {
  const int64_t tokens = inputs.tokens();
  const DType dtype = parameters_.compute_dtype();
  const LayerIndices& i = indices(layer);

  saved.intermediate = context.make({tokens, config_.intermediate_size}, dtype);
  saved.activated = context.make({tokens, config_.intermediate_size}, dtype);
  product(context, {.x = saved.h,
                    .w = parameters_.product_weight(i.intermediate_weight),
                    .b = parameters_.weight(i.intermediate_bias),
                    .b_rounded = parameters_.matrix(i.intermediate_bias),
                    .activation = config_.hidden_act,
                    .y = out(saved.activated),
                    .saved = out(saved.intermediate),
                    .fp8 = fp8(inputs, layer, LayerProduct::kIntermediate),
                    .notes = !saved.again});
  saved.z2 = context.make({tokens, config_.hidden_size}, dtype);
  product(context, {.x = saved.activated,
                    .w = parameters_.product_weight(i.down_weight),
                    .b = parameters_.weight(i.down_bias),
                    .b_rounded = parameters_.matrix(i.down_bias),
                    .y = out(saved.z2),
                    .fp8 = fp8(inputs, layer, LayerProduct::kDown),
                    .notes = !saved.again});
  saved.mean2 = context.make({tokens}, DType::kF32);
  saved.rstd2 = context.make({tokens}, DType::kF32);
  ops::layer_norm(context, {.z = inout(saved.z2),
                            .residual = saved.h,
                            .gamma = parameters_.weight(i.gamma),
                            .beta = parameters_.weight(i.beta),
                            .eps = static_cast<float>(config_.layer_norm_eps),
                            .dropout = hidden_dropout(inputs, site_of(layer, kLayerOutputSite)),
                            .y = out(y),
                            .mean = out(saved.mean2),
                            .rstd = out(saved.rstd2)});
}

void Encoder::layer_forward(Context& context, const EncoderInputs& inputs, int64_t layer, Tensor y,
                            LayerContext& saved) const {
  attention_block(context, inputs, layer, saved);
  feed_forward_block(context, inputs, layer, y, saved);
}

void Encoder::forward(Context& context, const EncoderInputs& inputs, Keep keep,
                      EncoderContext& saved) const {
  const Shape shape = {inputs.tokens(), config_.hidden_size};
  saved.layers.resize(static_cast<size_t>(config_.num_hidden_layers));
  Tensor x = embed(context, inputs, saved.embedding);
  Tensor spare =
      keep == Keep::kNothing ? context.make(shape, parameters_.compute_dtype()) : Tensor();
  for (int64_t layer = 0; layer < config_.num_hidden_layers; ++layer) {
    LayerContext& kept = saved.layers[static_cast<size_t>(layer)];
    kept.x = x;
    if (keep == Keep::kAll) {
      x = context.make(shape, parameters_.compute_dtype());
      layer_forward(context, inputs, layer, x, kept);
      continue;
    }
    const Tensor y =
        keep == Keep::kInputs ? context.make(shape, parameters_.compute_dtype()) : spare;
    spare = x;
    const Context::Scope scope(context);
    layer_forward(context, inputs, layer, y, kept);
    x = y;
  }
  saved.y = x;
}

void Encoder::feed_forward_backward(Context& context, const EncoderInputs& inputs, int64_t layer,
                                    const LayerContext& saved, Write write, InOut d) const {
  const int64_t tokens = inputs.tokens();
  const DType dtype = parameters_.compute_dtype();
  const LayerIndices& i = indices(layer);
  const Context::Scope scope(context);

  const Dropout dropout = hidden_dropout(inputs, site_of(layer, kLayerOutputSite));
  const Tensor d_down =
      dropout.active() ? context.make({tokens, config_.hidden_size}, dtype) : d.tensor();
  ops::layer_norm_backward(context, {.z = saved.z2,
                                     .mean = saved.mean2,
                                     .rstd = saved.rstd2,
                                     .gamma = parameters_.weight(i.gamma),
                                     .dropout = dropout,
                                     .d = d,
                                     .d_x = dropout.active() ? out(d_down) : Out(),
                                     .d_gamma = inout(parameters_.gradient(i.gamma)),
                                     .d_beta = inout(parameters_.gradient(i.beta))});
  const Tensor d_activated = context.make({tokens, config_.intermediate_size}, dtype);
  product_backward(context,
                   {.x = saved.activated,
                    .w = parameters_.matrix(i.down_weight),
                    .d_y = inout(d_down),
                    .d_x = inout(d_activated),
                    .d_w = inout(parameters_.gradient(i.down_weight)),
                    .d_w_write = write,
                    .d_b = inout(parameters_.gradient(i.down_bias))},
                   fp8(inputs, layer, LayerProduct::kDown));
  // d holds the residual's gradient; the block's is added to it.
  product_backward(context,
                   {.x = saved.h,
                    .w = parameters_.matrix(i.intermediate_weight),
                    .saved = saved.intermediate,
                    .activation = config_.hidden_act,
                    .d_y = inout(d_activated),
                    .d_x = d,
                    .d_x_write = Write::kAdd,
                    .d_w = inout(parameters_.gradient(i.intermediate_weight)),
                    .d_w_write = write,
                    .d_b = inout(parameters_.gradient(i.intermediate_bias))},
                   fp8(inputs, layer, LayerProduct::kIntermediate));
}

void Encoder::attention_backward(Context& context, const EncoderInputs& inputs, int64_t layer,
                                 const LayerContext& saved, Write write, InOut d) const {
  const Shape shape = {inputs.tokens(), config_.hidden_size};
  const DType dtype = parameters_.compute_dtype();
  const LayerIndices& i = indices(layer);
  const Context::Scope scope(context);

  const Dropout dropout = hidden_dropout(inputs, site_of(layer, kAttentionOutputSite));
  const Tensor d_output = dropout.active() ? context.make(shape, dtype) : d.tensor();
  ops::layer_norm_backward(context, {.z = saved.z1,
                                     .mean = saved.mean1,
                                     .rstd = saved.rstd1,
                                     .gamma = parameters_.weight(i.attention_gamma),
                                     .dropout = dropout,
                                     .d = d,
                                     .d_x = dropout.active() ? out(d_output) : Out(),
                                     .d_gamma = inout(parameters_.gradient(i.attention_gamma)),
                                     .d_beta = inout(parameters_.gradient(i.attention_beta))});
  const Tensor d_attended = context.make(shape, dtype);
  product_backward(context,
                   {.x = saved.attended,
                    .w = parameters_.matrix(i.output_weight),
                    .d_y = inout(d_output),
                    .d_x = inout(d_attended),
                    .d_w = inout(parameters_.gradient(i.output_weight)),
                    .d_w_write = write,
                    .d_b = inout(parameters_.gradient(i.output_bias))},
                   fp8(inputs, layer, LayerProduct::kAttentionOutput));
  const Tensor d_qkv = context.make({inputs.tokens(), 3 * config_.hidden_size}, dtype);
  ops::attention_backward(context, {.qkv = saved.qkv,
                                    .seq_start = inputs.seq_start,
                                    .shape = attention_shape(),
                                    .dropout = attention_dropout(inputs, layer),
                                    .y = saved.attended,
                                    .lse = saved.lse,
                                    .d_y = d_attended,
                                    .kept = saved.kept_dropout,
                                    .d_qkv = out(d_qkv)});
  product_backward(context,
                   {.x = saved.x,
                    .w = parameters_.qkv_matrix(i),
                    .d_y = inout(d_qkv),
                    .d_x = d,
                    .d_x_write = Write::kAdd,
                    .d_w = inout(parameters_.d_qkv_matrix(i)),
                    .d_w_write = write,
                    .d_b = inout(parameters_.d_qkv_bias(i))},
                   fp8(inputs, layer, LayerProduct::kQkv));
  // A key's bias adds the same to every score of a row, which softmax does not see: its gradient is
  // exactly 0. The sum holds rounding errors, which Adam would divide by their own size.
  ops::zero(context, {.to = out(parameters_.gradient(i.key_bias))});
}

void Encoder::layer_backward(Context& context, const EncoderInputs& inputs, int64_t layer,
                             const LayerContext& saved, Write write, InOut d) const {
  feed_forward_backward(context, inputs, layer, saved, write, d);
  attention_backward(context, inputs, layer, saved, write, d);
}

void Encoder::backward(Context& context, const EncoderInputs& inputs, Keep kept,
                       const EncoderContext& saved, InOut d, const GradientRules& rules) const {
  BERTHA_CHECK(kept != Keep::kNothing);
  const auto final_from = [&](int64_t offset) {
    if (rules.on_final) rules.on_final(offset);
  };
  for (int64_t layer = config_.num_hidden_layers - 1; layer >= 0; --layer) {
    const LayerContext& of_layer = saved.layers[static_cast<size_t>(layer)];
    final_from(parameters_.table().layer_begin(layer + 1));
    if (kept == Keep::kAll) {
      layer_backward(context, inputs, layer, of_layer, rules.product_weights, d);
      continue;
    }
    const Context::Scope scope(context);
    LayerContext again;
    again.x = of_layer.x;
    again.again = true;
    const Tensor y =
        context.make({inputs.tokens(), config_.hidden_size}, parameters_.compute_dtype());
    layer_forward(context, inputs, layer, y, again);
    layer_backward(context, inputs, layer, again, rules.product_weights, d);
  }
  final_from(parameters_.table().layer_begin(0));
  const ModelIndices& i = parameters_.table().indices();
  ops::embedding_backward(
      context, {.ids = inputs.ids,
                .z = saved.embedding.z,
                .mean = saved.embedding.mean,
                .rstd = saved.embedding.rstd,
                .gamma = parameters_.weight(i.embedding_gamma),
                .dropout = hidden_dropout(inputs, kEmbeddingSite),
                .d = d,
                .d_tables = {.word = inout(parameters_.gradient(i.word)),
                             .position = inout(positions(parameters_.gradient(i.position))),
                             .segment = inout(parameters_.gradient(i.segment))},
                .d_gamma = inout(parameters_.gradient(i.embedding_gamma)),
                .d_beta = inout(parameters_.gradient(i.embedding_beta))});
  if (parameters_.table()[i.segment].absent) {
    ops::zero(context, {.to = out(parameters_.gradient(i.segment))});
  }
  final_from(0);
}

}  // namespace bertha::bert
