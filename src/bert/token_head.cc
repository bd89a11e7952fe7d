#include "bert/token_head.h"

#include "ops/convert.h"
#include "ops/linear.h"

namespace bertha::bert {

TokenHeadModel::TokenHeadModel(const Config& config, const ParameterStore& parameters, int weight,
                               int bias)
    : parameters_(parameters),
      weight_(weight),
      bias_(bias),
      outputs_(parameters.table()[weight].shape[0]),
      encoder_(config, parameters) {}

Tensor TokenHeadModel::in_f32(Context& context, const Tensor& hidden) const {
  if (hidden.dtype() == DType::kF32) return hidden;
  const Tensor wide = context.make(hidden.shape(), DType::kF32);
  ops::convert(context, {.from = hidden, .to = out(wide)});
  return wide;
}

void TokenHeadModel::head(Context& context, const Tensor& hidden, Out logits) const {
  ops::linear(
      context,
      {.x = hidden, .w = parameters_.weight(weight_), .b = parameters_.weight(bias_), .y = logits});
}

void TokenHeadModel::train(Context& context, const TaskInputs& inputs, bool recompute, Out result) {
  const Context::Scope scope(context);
  const Keep keep = recompute ? Keep::kInputs : Keep::kAll;
  encoder_.forward(context, inputs.encoder, keep, saved_);
  const Tensor hidden = in_f32(context, saved_.y);
  const Tensor logits = context.make({hidden.dim(0), outputs_}, DType::kF32);
  head(context, hidden, out(logits));
  loss(context, inputs, inout(logits), result);
  const Tensor d_hidden = context.make(hidden.shape(), DType::kF32);
  ops::linear_backward(context, {.x = hidden,
                                 .w = parameters_.weight(weight_),
                                 .d_y = inout(logits),
                                 .d_x = inout(d_hidden),
                                 .d_w = inout(parameters_.gradient(weight_)),
                                 .d_b = inout(parameters_.gradient(bias_))});
  Tensor d = d_hidden;
  if (saved_.y.dtype() != DType::kF32) {
    d = context.make(hidden.shape(), saved_.y.dtype());
    ops::convert(context, {.from = d_hidden, .to = out(d)});
  }
  encoder_.backward(context, inputs.encoder, keep, saved_, inout(d));
}

void TokenHeadModel::predict(Context& context, const EncoderInputs& inputs, Out logits) {
  const Context::Scope scope(context);
  encoder_.forward(context, inputs, Keep::kNothing, saved_);
  head(context, in_f32(context, saved_.y), logits);
}

}  // namespace bertha::bert
