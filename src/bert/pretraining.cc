#include "bert/pretraining.h"

#include "ops/convert.h"
#include "ops/cross_entropy.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/rows.h"
#include "ops/zero.h"

namespace bertha::bert {

using ops::Activation;

PretrainingModel::PretrainingModel(const Config& config, const ParameterStore& parameters)
    : config_(config), parameters_(parameters), encoder_(config, parameters) {}

PretrainingModel::HeadContext PretrainingModel::masked_head(Context& context, const Tensor& hidden,
                                                            const Tensor& rows, Out logits) const {
  const Shape shape = {rows.dim(0), config_.hidden_size};
  const DType dtype = parameters_.compute_dtype();
  const ModelIndices& i = parameters_.table().indices();
  HeadContext saved;
  saved.x = context.make(shape, dtype);
  ops::gather_rows(context, {.x = hidden, .rows = rows, .y = out(saved.x)});
  saved.before = context.make(shape, dtype);
  saved.z = context.make(shape, dtype);
  ops::linear(context, {.x = saved.x,
                        .w = parameters_.matrix(i.transform_weight),
                        .b = parameters_.weight(i.transform_bias),
                        .b_rounded = parameters_.matrix(i.transform_bias),
                        .activation = config_.transform_act(),
                        .y = out(saved.z),
                        .saved = out(saved.before)});
  saved.y = context.make(shape, dtype);
  saved.mean = context.make({shape[0]}, DType::kF32);
  saved.rstd = context.make({shape[0]}, DType::kF32);
  ops::layer_norm(context, {.z = inout(saved.z),
                            .gamma = parameters_.weight(i.transform_gamma),
                            .beta = parameters_.weight(i.transform_beta),
                            .eps = static_cast<float>(config_.layer_norm_eps),
                            .y = out(saved.y),
                            .mean = out(saved.mean),
                            .rstd = out(saved.rstd)});
  saved.logits = logits.tensor();
  ops::linear(context, {.x = saved.y,
                        .w = parameters_.matrix(i.decoder),
                        .b = parameters_.weight(i.mlm_bias),
                        .b_rounded = parameters_.matrix(i.mlm_bias),
                        .y = logits});
  return saved;
}

void PretrainingModel::masked_head_backward(Context& context, const HeadContext& saved,
                                            const Tensor& rows, InOut d_hidden) const {
  const Shape shape = saved.x.shape();
  const ModelIndices& i = parameters_.table().indices();
  const Tensor d = context.make(shape, parameters_.compute_dtype());
  ops::linear_backward(context, {.x = saved.y,
                                 .w = parameters_.matrix(i.decoder),
                                 .d_y = inout(saved.logits),
                                 .d_x = inout(d),
                                 .d_w = inout(parameters_.gradient(i.decoder)),
                                 .d_b = inout(parameters_.gradient(i.mlm_bias))});
  ops::layer_norm_backward(context, {.z = saved.z,
                                     .mean = saved.mean,
                                     .rstd = saved.rstd,
                                     .gamma = parameters_.weight(i.transform_gamma),
                                     .d = inout(d),
                                     .d_gamma = inout(parameters_.gradient(i.transform_gamma)),
                                     .d_beta = inout(parameters_.gradient(i.transform_beta))});
  const Tensor d_x = context.make(shape, parameters_.compute_dtype());
  ops::linear_backward(context, {.x = saved.x,
                                 .w = parameters_.matrix(i.transform_weight),
                                 .saved = saved.before,
                                 .activation = config_.transform_act(),
                                 .d_y = inout(d),
                                 .d_x = inout(d_x),
                                 .d_w = inout(parameters_.gradient(i.transform_weight)),
                                 .d_b = inout(parameters_.gradient(i.transform_bias))});
  ops::gather_rows_backward(context, {.d_y = d_x, .rows = rows, .d_x = d_hidden});
}

void PretrainingModel::masked_loss(Context& context, const Tensor& hidden,
                                   const PretrainingInputs& inputs, Out result,
                                   InOut d_hidden) const {
  const Context::Scope scope(context);
  const Tensor logits =
      context.make({inputs.masked_rows.dim(0), config_.vocab_size}, parameters_.compute_dtype());
  const HeadContext saved = masked_head(context, hidden, inputs.masked_rows, out(logits));
  ops::cross_entropy(context, {.logits = inout(saved.logits),
                               .labels = inputs.masked_labels,
                               .scale = inputs.masked_scale,
                               .result = result});
  if (!d_hidden.empty()) masked_head_backward(context, saved, inputs.masked_rows, d_hidden);
}

void PretrainingModel::next_sentence_loss(Context& context, const Tensor& hidden,
                                          const PretrainingInputs& inputs, Out result,
                                          InOut d_hidden) const {
  const Context::Scope scope(context);
  const int64_t sequences = inputs.encoder.sequences();
  const Shape shape = {sequences, config_.hidden_size};
  const DType dtype = parameters_.compute_dtype();
  const ModelIndices& i = parameters_.table().indices();
  const Tensor rows = inputs.encoder.seq_start.rows(0, sequences);
  HeadContext saved;
  saved.x = context.make(shape, dtype);
  ops::gather_rows(context, {.x = hidden, .rows = rows, .y = out(saved.x)});
  saved.y = context.make(shape, dtype);
  ops::linear(context, {.x = saved.x,
                        .w = parameters_.matrix(i.pooler_weight),
                        .b = parameters_.weight(i.pooler_bias),
                        .b_rounded = parameters_.matrix(i.pooler_bias),
                        .activation = Activation::kTanh,
                        .y = out(saved.y)});
  saved.logits = context.make({sequences, 2}, dtype);
  ops::linear(context, {.x = saved.y,
                        .w = parameters_.matrix(i.nsp_weight),
                        .b = parameters_.weight(i.nsp_bias),
                        .b_rounded = parameters_.matrix(i.nsp_bias),
                        .y = out(saved.logits)});
  ops::cross_entropy(context, {.logits = inout(saved.logits),
                               .labels = inputs.next_sentence,
                               .scale = inputs.next_sentence_scale,
                               .result = result});
  if (!d_hidden.empty()) next_sentence_backward(context, saved, rows, d_hidden);
}

void PretrainingModel::next_sentence_backward(Context& context, const HeadContext& saved,
                                              const Tensor& rows, InOut d_hidden) const {
  const Shape shape = saved.x.shape();
  const DType dtype = parameters_.compute_dtype();
  const ModelIndices& i = parameters_.table().indices();
  const Tensor d_pooled = context.make(shape, dtype);
  ops::linear_backward(context, {.x = saved.y,
                                 .w = parameters_.matrix(i.nsp_weight),
                                 .d_y = inout(saved.logits),
                                 .d_x = inout(d_pooled),
                                 .d_w = inout(parameters_.gradient(i.nsp_weight)),
                                 .d_b = inout(parameters_.gradient(i.nsp_bias))});
  const Tensor d_first = context.make(shape, dtype);
  ops::linear_backward(context, {.x = saved.x,
                                 .w = parameters_.matrix(i.pooler_weight),
                                 .saved = saved.y,
                                 .activation = Activation::kTanh,
                                 .d_y = inout(d_pooled),
                                 .d_x = inout(d_first),
                                 .d_w = inout(parameters_.gradient(i.pooler_weight)),
                                 .d_b = inout(parameters_.gradient(i.pooler_bias))});
  ops::gather_rows_backward(context, {.d_y = d_first, .rows = rows, .d_x = d_hidden});
}

void PretrainingModel::train(Context& context, const PretrainingInputs& inputs, bool recompute,
                             const PretrainingResults& results, const GradientRules& rules) {
  const Context::Scope scope(context);
  const Keep keep = recompute ? Keep::kInputs : Keep::kAll;
  encoder_.forward(context, inputs.encoder, keep, saved_);
  const Tensor d = context.make(saved_.y.shape(), parameters_.compute_dtype());
  ops::zero(context, {.to = out(d)});
  masked_loss(context, saved_.y, inputs, out(results.masked), inout(d));
  next_sentence_loss(context, saved_.y, inputs, out(results.next_sentence), inout(d));
  encoder_.backward(context, inputs.encoder, keep, saved_, inout(d), rules);
}

void PretrainingModel::evaluate(Context& context, const PretrainingInputs& inputs,
                                const PretrainingResults& results) {
  const Context::Scope scope(context);
  encoder_.forward(context, inputs.encoder, Keep::kNothing, saved_);
  masked_loss(context, saved_.y, inputs, out(results.masked), InOut());
  next_sentence_loss(context, saved_.y, inputs, out(results.next_sentence), InOut());
}

void PretrainingModel::masked_logits(Context& context, const EncoderInputs& inputs,
                                     const Tensor& rows, Out logits) {
  const Context::Scope scope(context);
  encoder_.forward(context, inputs, Keep::kNothing, saved_);
  if (parameters_.compute_dtype() == DType::kF32) {
    masked_head(context, saved_.y, rows, logits);
    return;
  }
  const Tensor narrow = context.make(logits.tensor().shape(), parameters_.compute_dtype());
  masked_head(context, saved_.y, rows, out(narrow));
  ops::convert(context, {.from = narrow, .to = logits});
}

}  // namespace bertha::bert
