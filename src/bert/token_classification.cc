#include "bert/token_classification.h"

#include "ops/cross_entropy.h"

namespace bertha::bert {

TokenClassificationModel::TokenClassificationModel(const Config& config,
                                                   const ParameterStore& parameters)
    : TokenHeadModel(config, parameters, parameters.table().indices().classifier_weight,
                     parameters.table().indices().classifier_bias) {}

void TokenClassificationModel::loss(Context& context, const TaskInputs& inputs, InOut logits,
                                    Out result) const {
  ops::cross_entropy(
      context,
      {.logits = logits, .labels = inputs.labels, .scale = inputs.scale, .result = result});
}

}  // namespace bertha::bert
