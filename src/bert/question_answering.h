#pragma once

// BertForQuestionAnswering (Devlin et al. 2018, section 4.2): two logits for each token, that the
// answer starts there and that it ends there. The head always computes in f32: rounded to bf16,
// many logits of a window would be equal.

#include <cstdint>

#include "bert/task_model.h"

namespace bertha::bert {

class QuestionAnsweringModel final : public TaskModel {
 public:
  QuestionAnsweringModel(const Config& config, const ParameterStore& parameters);

  /// First and last token of the answer, counted from the start of the sequence.
  int64_t labels_per_sequence() const override { return 2; }
  /// [T,2]: start and end of each token.
  Shape logits_shape(int64_t tokens, int64_t) const override { return {tokens, 2}; }

  void train(Context& context, const TaskInputs& inputs, bool recompute, Out result) override;
  void predict(Context& context, const EncoderInputs& inputs, Out logits) override;

 private:
  Tensor in_f32(Context& context, const Tensor& hidden) const;
  void head(Context& context, const Tensor& hidden, Out logits) const;

  const ParameterStore& parameters_;
  Encoder encoder_;
  EncoderContext saved_;
};

}  // namespace bertha::bert
