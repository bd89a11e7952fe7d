#include "bert/classification.h"

#include "core/error.h"
#include "ops/binary_cross_entropy.h"
#include "ops/convert.h"
#include "ops/cross_entropy.h"
#include "ops/linear.h"
#include "ops/rows.h"
#include "ops/squared_error.h"
#include "ops/zero.h"

namespace bertha::bert {

ClassificationModel::ClassificationModel(const Config& config, const ParameterStore& parameters,
                                         ProblemType problem)
    : parameters_(parameters),
      hidden_size_(config.hidden_size),
      pooler_act_(config.pooler_act()),
      classes_(parameters.table()[parameters.table().indices().classifier_weight].shape[0]),
      problem_(problem),
      encoder_(config, parameters) {
  BERTHA_CHECK(problem != ProblemType::kRegression || classes_ == 1);
}

ClassificationModel::HeadContext ClassificationModel::pool(Context& context,
                                                           const EncoderInputs& inputs) const {
  const int64_t sequences = inputs.sequences();
  const Shape shape = {sequences, hidden_size_};
  const DType dtype = parameters_.compute_dtype();
  const ModelIndices& i = parameters_.table().indices();
  HeadContext saved;
  saved.first = context.make(shape, dtype);
  ops::gather_rows(
      context, {.x = saved_.y, .rows = inputs.seq_start.rows(0, sequences), .y = out(saved.first)});
  saved.pooled = context.make(shape, dtype);
  ops::linear(context, {.x = saved.first,
                        .w = parameters_.matrix(i.pooler_weight),
                        .b = parameters_.weight(i.pooler_bias),
                        .b_rounded = parameters_.matrix(i.pooler_bias),
                        .activation = pooler_act_,
                        .y = out(saved.pooled)});
  saved.wide = saved.pooled;
  if (dtype != DType::kF32) {
    saved.wide = context.make(shape, DType::kF32);
    ops::convert(context, {.from = saved.pooled, .to = out(saved.wide)});
  }
  return saved;
}

void ClassificationModel::classify(Context& context, const HeadContext& saved, Out logits) const {
  const ModelIndices& i = parameters_.table().indices();
  ops::linear(context, {.x = saved.wide,
                        .w = parameters_.weight(i.classifier_weight),
                        .b = parameters_.weight(i.classifier_bias),
                        .y = logits});
}

void ClassificationModel::loss(Context& context, const TaskInputs& inputs, InOut logits,
                               Out result) const {
  const Tensor& labels = inputs.labels;
  const Tensor& scale = inputs.scale;
  switch (problem_) {
    case ProblemType::kSingleLabel:
      return ops::cross_entropy(
          context, {.logits = logits, .labels = labels, .scale = scale, .result = result});
    case ProblemType::kMultiLabel:
      return ops::binary_cross_entropy(
          context, {.logits = logits, .targets = labels, .scale = scale, .result = result});
    case ProblemType::kRegression:
      return ops::squared_error(
          context, {.predictions = logits, .targets = labels, .scale = scale, .result = result});
  }
}

void ClassificationModel::head_backward(Context& context, const HeadContext& saved,
                                        const Tensor& rows, InOut d_logits, InOut d_hidden) const {
  const ModelIndices& i = parameters_.table().indices();
  const Tensor d_wide = context.make(saved.wide.shape(), DType::kF32);
  ops::linear_backward(context, {.x = saved.wide,
                                 .w = parameters_.weight(i.classifier_weight),
                                 .d_y = d_logits,
                                 .d_x = inout(d_wide),
                                 .d_w = inout(parameters_.gradient(i.classifier_weight)),
                                 .d_b = inout(parameters_.gradient(i.classifier_bias))});
  Tensor d_pooled = d_wide;
  if (saved.pooled.dtype() != DType::kF32) {
    d_pooled = context.make(saved.pooled.shape(), saved.pooled.dtype());
    ops::convert(context, {.from = d_wide, .to = out(d_pooled)});
  }
  const Tensor d_first = context.make(saved.first.shape(), saved.first.dtype());
  ops::linear_backward(context, {.x = saved.first,
                                 .w = parameters_.matrix(i.pooler_weight),
                                 .saved = saved.pooled,
                                 .activation = pooler_act_,
                                 .d_y = inout(d_pooled),
                                 .d_x = inout(d_first),
                                 .d_w = inout(parameters_.gradient(i.pooler_weight)),
                                 .d_b = inout(parameters_.gradient(i.pooler_bias))});
  ops::gather_rows_backward(context, {.d_y = d_first, .rows = rows, .d_x = d_hidden});
}

void ClassificationModel::train(Context& context, const TaskInputs& inputs, bool recompute,
                                Out result) {
  const Context::Scope scope(context);
  const int64_t sequences = inputs.encoder.sequences();
  const Keep keep = recompute ? Keep::kInputs : Keep::kAll;
  encoder_.forward(context, inputs.encoder, keep, saved_);
  const Tensor d = context.make(saved_.y.shape(), parameters_.compute_dtype());
  ops::zero(context, {.to = out(d)});
  const HeadContext head = pool(context, inputs.encoder);
  const Tensor logits = context.make({sequences, classes_}, DType::kF32);
  classify(context, head, out(logits));
  loss(context, inputs, inout(logits), result);
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
