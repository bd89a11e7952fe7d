#include "bert/question_answering.h"

#include "ops/linear.h"
#include "ops/optimizer.h"
#include "ops/sequence_cross_entropy.h"

namespace bertha::bert {

using ops::Activation;
using ops::Write;

QuestionAnsweringModel::QuestionAnsweringModel(const Config& config,
                                               const ParameterStore& parameters)
    : parameters_(parameters), encoder_(config, parameters) {}

Tensor QuestionAnsweringModel::in_f32(Context& context, const Tensor& hidden) const {
  if (hidden.dtype() == DType::kF32) return hidden;
  const Tensor wide = context.make(hidden.shape(), DType::kF32);
  ops::convert(context, hidden, out(wide));
  return wide;
}

void QuestionAnsweringModel::head(Context& context, const Tensor& hidden, Out logits) const {
  const ModelIndices& i = parameters_.table().indices();
  ops::linear(context, hidden, parameters_.weight(i.qa_weight), parameters_.weight(i.qa_bias),
              Activation::kNone, logits, Out());
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
  ops::sequence_cross_entropy(context, inout(logits), inputs.encoder.seq_start, inputs.labels,
                              inputs.scale, result);
  const Tensor d_hidden = context.make(hidden.shape(), DType::kF32);
  ops::linear_backward(context, hidden, parameters_.weight(i.qa_weight), Tensor(),
                       Activation::kNone, inout(logits), inout(d_hidden), Write::kSet,
                       inout(parameters_.gradient(i.qa_weight)),
                       inout(parameters_.gradient(i.qa_bias)));
  Tensor d = d_hidden;
  if (saved_.y.dtype() != DType::kF32) {
    d = context.make(hidden.shape(), saved_.y.dtype());
    ops::convert(context, d_hidden, out(d));
  }
  encoder_.backward(context, inputs.encoder, keep, saved_, inout(d));
}

void QuestionAnsweringModel::predict(Context& context, const EncoderInputs& inputs, Out logits) {
  const Context::Scope scope(context);
  encoder_.forward(context, inputs, Keep::kNothing, saved_);
  head(context, in_f32(context, saved_.y), logits);
}

}  // namespace bertha::bert
