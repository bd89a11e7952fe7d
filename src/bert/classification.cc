#include "bert/classification.h"

#include "ops/cross_entropy.h"
#include "ops/linear.h"
#include "ops/optimizer.h"
#include "ops/rows.h"

namespace bertha::bert {

using ops::Activation;
using ops::Write;

ClassificationModel::ClassificationModel(const Config& config, const ParameterStore& parameters)
    : parameters_(parameters),
      hidden_size_(config.hidden_size),
      classes_(parameters.table()[parameters.table().indices().classifier_weight].shape[0]),
      encoder_(config, parameters) {}

ClassificationModel::HeadContext ClassificationModel::pool(Context& context,
                                                           const EncoderInputs& inputs) const {
  const int64_t sequences = inputs.sequences();
  const Shape shape = {sequences, hidden_size_};
  const DType dtype = parameters_.compute_dtype();
  const ModelIndices& i = parameters_.table().indices();
  HeadContext saved;
  saved.first = context.make(shape, dtype);
  ops::gather_rows(context, saved_.y, inputs.seq_start.rows(0, sequences), out(saved.first));
  saved.pooled = context.make(shape, dtype);
  ops::linear(context, saved.first, parameters_.matrix(i.pooler_weight),
              parameters_.weight(i.pooler_bias), Activation::kTanh, out(saved.pooled), Out());
  saved.wide = saved.pooled;
  if (dtype != DType::kF32) {
    saved.wide = context.make(shape, DType::kF32);
    ops::convert(context, saved.pooled, out(saved.wide));
  }
  return saved;
}

void ClassificationModel::classify(Context& context, const HeadContext& saved, Out logits) const {
  const ModelIndices& i = parameters_.table().indices();
  ops::linear(context, saved.wide, parameters_.weight(i.classifier_weight),
              parameters_.weight(i.classifier_bias), Activation::kNone, logits, Out());
}

void ClassificationModel::head_backward(Context& context, const HeadContext& saved,
                                        const Tensor& rows, InOut d_logits, InOut d_hidden) const {
  const ModelIndices& i = parameters_.table().indices();
  const Tensor d_wide = context.make(saved.wide.shape(), DType::kF32);
  ops::linear_backward(context, saved.wide, parameters_.weight(i.classifier_weight), Tensor(),
                       Activation::kNone, d_logits, inout(d_wide), Write::kSet,
                       inout(parameters_.gradient(i.classifier_weight)),
                       inout(parameters_.gradient(i.classifier_bias)));
  Tensor d_pooled = d_wide;
  if (saved.pooled.dtype() != DType::kF32) {
    d_pooled = context.make(saved.pooled.shape(), saved.pooled.dtype());
    ops::convert(context, d_wide, out(d_pooled));
  }
  const Tensor d_first = context.make(saved.first.shape(), saved.first.dtype());
  ops::linear_backward(context, saved.first, parameters_.matrix(i.pooler_weight), saved.pooled,
                       Activation::kTanh, inout(d_pooled), inout(d_first), Write::kSet,
                       inout(parameters_.gradient(i.pooler_weight)),
                       inout(parameters_.gradient(i.pooler_bias)));
  ops::gather_rows_backward(context, d_first, rows, d_hidden);
}

void ClassificationModel::train(Context& context, const TaskInputs& inputs, bool recompute,
                                Out result) {
  const Context::Scope scope(context);
  const int64_t sequences = inputs.encoder.sequences();
  const Keep keep = recompute ? Keep::kInputs : Keep::kAll;
  encoder_.forward(context, inputs.encoder, keep, saved_);
  const Tensor d = context.make(saved_.y.shape(), parameters_.compute_dtype());
  if (!context.dry()) context.device().zero(out(d));
  const HeadContext head = pool(context, inputs.encoder);
  const Tensor logits = context.make({sequences, classes_}, DType::kF32);
  classify(context, head, out(logits));
  ops::cross_entropy(context, inout(logits), inputs.labels.reshape({sequences}), inputs.scale,
                     result);
  head_backward(context, head, inputs.encoder.seq_start.rows(0, sequences), inout(logits),
                inout(d));
  encoder_.backward(context, inputs.encoder, keep, saved_, inout(d));
}

void ClassificationModel::predict(Context& context, const EncoderInputs& inputs, Out logits) {
  const Context::Scope scope(context);
  encoder_.forward(context, inputs, Keep::kNothing, saved_);
  classify(context, pool(context, inputs), logits);
}

}  // namespace bertha::bert
