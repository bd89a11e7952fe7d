#include "bert/question_answering.h"

#include "ops/convert.h"
#include "ops/linear.h"
#include "ops/sequence_cross_entropy.h"

namespace bertha::bert {

QuestionAnsweringModel::QuestionAnsweringModel(const Config& config,
                                               const ParameterStore& parameters)
    : parameters_(parameters), encoder_(config, parameters) {}

Tensor QuestionAnsweringModel::in_f32(Context& context, const Tensor& hidden) const {
  if (hidden.dtype() == DType::kF32) return hidden;
  const Tensor wide = context.make(hidden.shape(), DType::kF32);
  ops::convert(context, {.from = hidden, .to = out(wide)});
  return wide;
}

void QuestionAnsweringModel::head(Context& context, const Tensor& hidden, Out logits) const {
  const ModelIndices& i = parameters_.table().indices();
  ops::linear(context, {.x = hidden,
                        .w = parameters_.weight(i.qa_weight),
                        .b = parameters_.weight(i.qa_bias),
                        .y = logits});
}

void QuestionAnsweringModel::train(Context& context, const TaskInputs& inputs, bool recompute,
                                   Out result) {
  const Context::Scope scope(context);
  const ModelIndices& i = parameters_.table().indices();
  const Keep keep = recompute ? Keep::kInputs : Keep::kAll;
  encoder_.forward(context, inputs.encoder, keep, saved_);
  const Tensor hidden = in_f32(context, saved_.y);
  const Tensor logits = context.make({hidden.dim(0), 2}, DType::kF32);
  head(context, hidden, out(logits));
  ops::sequence_cross_entropy(context, {.logits = inout(logits),
                                        .seq_start = inputs.encoder.seq_start,
                                        .labels = inputs.labels,
                                        .scale = inputs.scale,
                                        .result = result});
  const Tensor d_hidden = context.make(hidden.shape(), DType::kF32);
  ops::linear_backward(context, {.x = hidden,
                                 .w = parameters_.weight(i.qa_weight),
                                 .d_y = inout(logits),
                                 .d_x = inout(d_hidden),
                                 .d_w = inout(parameters_.gradient(i.qa_weight)),
                                 .d_b = inout(parameters_.gradient(i.qa_bias))});
  Tensor d = d_hidden;
  if (saved_.y.dtype() != DType::kF32) {
    d = context.make(hidden.shape(), saved_.y.dtype());
    ops::convert(context, {.from = d_hidden, .to = out(d)});
  }
  encoder_.backward(context, inputs.encoder, keep, saved_, inout(d));
}

void QuestionAnsweringModel::predict(Context& context, const EncoderInputs& inputs, Out logits) {
  const Context::Scope scope(context);
  encoder_.forward(context, inputs, Keep::kNothing, saved_);
  head(context, in_f32(context, saved_.y), logits);
}

}  // namespace bertha::bert
