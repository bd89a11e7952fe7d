#include "bert/pretraining.h"

#include "ops/cross_entropy.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/rows.h"

namespace bertha::bert {

using ops::Activation;
using ops::Write;

PretrainingModel::PretrainingModel(const Config& config, const ParameterStore& parameters)
    : config_(config), parameters_(parameters), encoder_(config, parameters) {}

PretrainingModel::HeadContext PretrainingModel::masked_head(Context& context, const Tensor& hidden,
                                                            const Tensor& rows, Out logits) const {
  const Shape shape = {rows.dim(0), config_.hidden_size};
  const DType dtype = parameters_.compute_dtype();
  const ModelIndices& i = parameters_.table().indices();
  HeadContext saved;
  saved.x = context.make(shape, dtype);
  ops::gather_rows(context, hidden, rows, out(saved.x));
  saved.before = context.make(shape, dtype);
  saved.z = context.make(shape, dtype);
  ops::linear(context, saved.x, parameters_.matrix(i.transform_weight),
              parameters_.weight(i.transform_bias), Activation::kGelu, out(saved.z),
              out(saved.before));
  saved.y = context.make(shape, dtype);
  saved.mean = context.make({shape[0]}, DType::kF32);
  saved.rstd = context.make({shape[0]}, DType::kF32);
  ops::layer_norm(context, inout(saved.z), Tensor(), parameters_.weight(i.transform_gamma),
                  parameters_.weight(i.transform_beta), static_cast<float>(config_.layer_norm_eps),
                  Dropout(), out(saved.y), out(saved.mean), out(saved.rstd));
  saved.logits = logits.tensor();
  ops::linear(context, saved.y, parameters_.matrix(i.word), parameters_.weight(i.mlm_bias),
              Activation::kNone, logits, Out());
  return saved;
}

void PretrainingModel::masked_head_backward(Context& context, const HeadContext& saved,
                                            const Tensor& rows, InOut d_hidden) const {
  const Shape shape = saved.x.shape();
  const ModelIndices& i = parameters_.table().indices();
  const Tensor d = context.make(shape, parameters_.compute_dtype());
  ops::linear_backward(context, saved.y, parameters_.matrix(i.word), Tensor(), Activation::kNone,
                       inout(saved.logits), inout(d), Write::kSet,
                       inout(parameters_.gradient(i.word)),
                       inout(parameters_.gradient(i.mlm_bias)));
  ops::layer_norm_backward(context, saved.z, saved.mean, saved.rstd,
                           parameters_.weight(i.transform_gamma), Dropout(), inout(d), Out(),
                           inout(parameters_.gradient(i.transform_gamma)),
                           inout(parameters_.gradient(i.transform_beta)));
  const Tensor d_x = context.make(shape, parameters_.compute_dtype());
  ops::linear_backward(context, saved.x, parameters_.matrix(i.transform_weight), saved.before,
                       Activation::kGelu, inout(d), inout(d_x), Write::kSet,
                       inout(parameters_.gradient(i.transform_weight)),
                       inout(parameters_.gradient(i.transform_bias)));
  ops::gather_rows_backward(context, d_x, rows, d_hidden);
}

void PretrainingModel::masked_loss(Context& context, const Tensor& hidden,
                                   const PretrainingInputs& inputs, Out result,
                                   InOut d_hidden) const {
  const Context::Scope scope(context);
  const Tensor logits =
      context.make({inputs.masked_rows.dim(0), config_.vocab_size}, parameters_.compute_dtype());
  const HeadContext saved = masked_head(context, hidden, inputs.masked_rows, out(logits));
  ops::cross_entropy(context, inout(saved.logits), inputs.masked_labels, inputs.masked_scale,
                     result);
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
  const Tensor first = context.make(shape, dtype);
  ops::gather_rows(context, hidden, rows, out(first));
  const Tensor pooled = context.make(shape, dtype);
  ops::linear(context, first, parameters_.matrix(i.pooler_weight),
              parameters_.weight(i.pooler_bias), Activation::kTanh, out(pooled), Out());
  const Tensor logits = context.make({sequences, 2}, dtype);
  ops::linear(context, pooled, parameters_.matrix(i.nsp_weight), parameters_.weight(i.nsp_bias),
              Activation::kNone, out(logits), Out());
  ops::cross_entropy(context, inout(logits), inputs.next_sentence, inputs.next_sentence_scale,
                     result);
  if (d_hidden.empty()) return;
  const Tensor d_pooled = context.make(shape, dtype);
  ops::linear_backward(context, pooled, parameters_.matrix(i.nsp_weight), Tensor(),
                       Activation::kNone, inout(logits), inout(d_pooled), Write::kSet,
                       inout(parameters_.gradient(i.nsp_weight)),
                       inout(parameters_.gradient(i.nsp_bias)));
  const Tensor d_first = context.make(shape, dtype);
  ops::linear_backward(context, first, parameters_.matrix(i.pooler_weight), pooled,
                       Activation::kTanh, inout(d_pooled), inout(d_first), Write::kSet,
                       inout(parameters_.gradient(i.pooler_weight)),
                       inout(parameters_.gradient(i.pooler_bias)));
  ops::gather_rows_backward(context, d_first, rows, d_hidden);
}

void PretrainingModel::train(Context& context, const PretrainingInputs& inputs, bool recompute,
                             const PretrainingResults& results, const GradientsFinal& on_final) {
  const Context::Scope scope(context);
  const Keep keep = recompute ? Keep::kInputs : Keep::kAll;
  encoder_.forward(context, inputs.encoder, keep, saved_);
  const Tensor d = context.make(saved_.y.shape(), parameters_.compute_dtype());
  if (!context.dry()) context.device().zero(out(d));
  masked_loss(context, saved_.y, inputs, out(results.masked), inout(d));
  next_sentence_loss(context, saved_.y, inputs, out(results.next_sentence), inout(d));
  encoder_.backward(context, inputs.encoder, keep, saved_, inout(d), on_final);
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
  ops::convert(context, narrow, logits);
}

}  // namespace bertha::bert
