#pragma once

// A linear layer over the last hidden state of each token, for question answering and token
// classification. It always computes in f32: rounded to bf16, many logits of a window would be
// equal.

#include <cstdint>

#include "bert/task_model.h"

namespace bertha::bert {

class TokenHeadModel : public TaskModel {
 public:
  /// [T, outputs].
  Shape logits_shape(int64_t tokens, int64_t) const override { return {tokens, outputs_}; }

  void train(Context& context, const TaskInputs& inputs, bool recompute, Out result) override;
  void predict(Context& context, const EncoderInputs& inputs, Out logits) override;

 protected:
  /// `weight` [outputs, H] and `bias` [outputs] are indices in the parameter table.
  TokenHeadModel(const Config& config, const ParameterStore& parameters, int weight, int bias);

  /// The logits become their gradient.
  virtual void loss(Context& context, const TaskInputs& inputs, InOut logits, Out result) const = 0;

 private:
  Tensor in_f32(Context& context, const Tensor& hidden) const;
  void head(Context& context, const Tensor& hidden, Out logits) const;

  const ParameterStore& parameters_;
  int weight_;
  int bias_;
  int64_t outputs_;
  Encoder encoder_;
  EncoderContext saved_;
};

}  // namespace bertha::bert
