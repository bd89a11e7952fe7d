#pragma once

// BertForTokenClassification (Devlin et al. 2018, section 5.3): a class for each token. Tokens of
// label -1 weigh nothing.

#include <cstdint>

#include "bert/token_head.h"

namespace bertha::bert {

class TokenClassificationModel final : public TokenHeadModel {
 public:
  TokenClassificationModel(const Config& config, const ParameterStore& parameters);

  /// [T].
  Shape labels_shape(int64_t tokens, int64_t) const override { return {tokens}; }

 protected:
  void loss(Context& context, const TaskInputs& inputs, InOut logits, Out result) const override;
};

}  // namespace bertha::bert
