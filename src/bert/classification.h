#pragma once

// BertForSequenceClassification (Devlin et al. 2018, section 4.1): a classifier over the pooled
// [CLS]. The last layer always computes in f32. A model of one output does regression, as in
// transformers: its loss is the squared error.

#include <cstdint>

#include "bert/task_model.h"

namespace bertha::bert {

class ClassificationModel final : public TaskModel {
 public:
  ClassificationModel(const Config& config, const ParameterStore& parameters);

  /// [N].
  Shape labels_shape(int64_t, int64_t sequences) const override { return {sequences}; }
  DType label_type() const override { return classes_ == 1 ? DType::kF32 : DType::kI32; }
  /// [N, classes].
  Shape logits_shape(int64_t, int64_t sequences) const override { return {sequences, classes_}; }

  void train(Context& context, const TaskInputs& inputs, bool recompute, Out result) override;
  void predict(Context& context, const EncoderInputs& inputs, Out logits) override;

 private:
  /// The values that the head's backward pass needs.
  struct HeadContext {
    Tensor first, pooled, wide;
  };
  HeadContext pool(Context& context, const EncoderInputs& inputs) const;
  void classify(Context& context, const HeadContext& saved, Out logits) const;
  /// The logits become their gradient.
  void loss(Context& context, const TaskInputs& inputs, InOut logits, Out result) const;
  void head_backward(Context& context, const HeadContext& saved, const Tensor& rows, InOut d_logits,
                     InOut d_hidden) const;

  const ParameterStore& parameters_;
  int64_t hidden_size_;
  ops::Activation pooler_act_;
  int64_t classes_;
  Encoder encoder_;
  EncoderContext saved_;
};

}  // namespace bertha::bert
