#include "bert/question_answering.h"

#include "ops/sequence_cross_entropy.h"

namespace bertha::bert {

QuestionAnsweringModel::QuestionAnsweringModel(const Config& config,
                                               const ParameterStore& parameters)
    : TokenHeadModel(config, parameters, parameters.table().indices().qa_weight,
                     parameters.table().indices().qa_bias) {}

void QuestionAnsweringModel::loss(Context& context, const TaskInputs& inputs, InOut logits,
                                  Out result) const {
  ops::sequence_cross_entropy(context, {.logits = logits,
                                        .seq_start = inputs.encoder.seq_start,
                                        .labels = inputs.labels,
                                        .scale = inputs.scale,
                                        .result = result});
}

}  // namespace bertha::bert
