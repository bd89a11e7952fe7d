#pragma once

// BertForQuestionAnswering (Devlin et al. 2018, section 4.2): two logits for each token, that the
// answer starts there and that it ends there.

#include <cstdint>

#include "bert/token_head.h"

namespace bertha::bert {

class QuestionAnsweringModel final : public TokenHeadModel {
 public:
  QuestionAnsweringModel(const Config& config, const ParameterStore& parameters);

  /// [N,2]: first and last token of the answer, counted from the start of the sequence.
  Shape labels_shape(int64_t, int64_t sequences) const override { return {sequences, 2}; }

 protected:
  void loss(Context& context, const TaskInputs& inputs, InOut logits, Out result) const override;
};

}  // namespace bertha::bert
