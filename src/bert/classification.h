#pragma once

// BertForSequenceClassification (Devlin et al. 2018, section 4.1): a classifier over the pooled
// [CLS]. The last layer always computes in f32. The losses are those of transformers.

#include <cstdint>

#include "bert/task_model.h"

namespace bertha::bert {

/// What the outputs of a classifier mean.
enum class ProblemType : uint8_t {
  kSingleLabel,  ///< one class of several: softmax and cross entropy
  kMultiLabel,   ///< each class holds or not: a sigmoid and binary cross entropy each
  kRegression    ///< one value: squared error
};

class ClassificationModel final : public TaskModel {
 public:
  /// `problem` decides the labels and the loss of train(). Regression has one output.
  ClassificationModel(const Config& config, const ParameterStore& parameters,
                      ProblemType problem = ProblemType::kSingleLabel);

  /// [N] classes or values, or [N, classes] of 1 where a class holds and 0 elsewhere.
  Shape labels_shape(int64_t, int64_t sequences) const override {
    return problem_ == ProblemType::kMultiLabel ? Shape{sequences, classes_} : Shape{sequences};
  }
  DType label_type() const override {
    return problem_ == ProblemType::kSingleLabel ? DType::kI32 : DType::kF32;
  }
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
  ProblemType problem_;
  Encoder encoder_;
  EncoderContext saved_;
};

}  // namespace bertha::bert
