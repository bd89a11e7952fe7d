#pragma once

// A model to fine-tune: the encoder and one head. Trainers and predictors use this interface alone.

#include <cstdint>

#include "bert/encoder.h"

namespace bertha::bert {

struct TaskInputs {
  EncoderInputs encoder;
  Tensor labels;  ///< of label_type() and labels_shape(); a token of label -1 has none
  Tensor scale;   ///< f32 [1]: factor of each label's loss
};

class TaskModel {
 public:
  TaskModel() = default;
  TaskModel(const TaskModel&) = delete;
  TaskModel& operator=(const TaskModel&) = delete;
  virtual ~TaskModel() = default;

  /// Shape of the labels of a batch. Its first extent is N, or T where each token has a label.
  virtual Shape labels_shape(int64_t tokens, int64_t sequences) const = 0;
  /// i32 for classes and places, f32 for numbers: of regression, and 0 or 1 of several labels.
  virtual DType label_type() const { return DType::kI32; }
  /// Shape of the f32 logits of a batch.
  virtual Shape logits_shape(int64_t tokens, int64_t sequences) const = 0;

  /// Forward and backward pass, which adds to the gradients. The loss is scale · Σ over labels. The
  /// result is f32 [2]: {Σ losses, number of right predictions}.
  virtual void train(Context& context, const TaskInputs& inputs, bool recompute, Out result) = 0;
  /// Forward pass alone, without dropout.
  virtual void predict(Context& context, const EncoderInputs& inputs, Out logits) = 0;
};

}  // namespace bertha::bert
