#pragma once

// BertForPreTraining: the encoder with the masked language model and next sentence heads (Devlin et
// al. 2018, section 3.1). The language model head runs on the masked rows alone; its decoder is the
// word embedding table, unless the config says that it is a parameter of its own.

#include <cstdint>

#include "bert/encoder.h"

namespace bertha::bert {

struct PretrainingInputs {
  EncoderInputs encoder;
  Tensor masked_rows;    ///< i32 [M] rows of the batch; M is rounded up to a bucket
  Tensor masked_labels;  ///< i32 [M]; -1 in rows that fill the bucket
  Tensor next_sentence;  ///< i32 [N]
  /// f32 [1]: what each loss term's gradient is multiplied by, one over its count included.
  /// Absent in evaluation.
  Tensor masked_scale;
  Tensor next_sentence_scale;
};

/// f32 [2] each: {sum of the losses, number of right predictions}.
struct PretrainingResults {
  Tensor masked;
  Tensor next_sentence;
};

class PretrainingModel {
 public:
  PretrainingModel(const Config& config, const ParameterStore& parameters);

  /// Forward and backward; gradients are written by the rules. The loss is
  /// masked_scale · Σ masked + next_sentence_scale · Σ next sentence.
  void train(Context& context, const PretrainingInputs& inputs, bool recompute,
             const PretrainingResults& results, const GradientRules& rules = {});

  /// Forward alone, without dropout.
  void evaluate(Context& context, const PretrainingInputs& inputs,
                const PretrainingResults& results);

  /// Logits f32 [M,V] of the language model head for `rows` (i32 [M]) of the batch.
  void masked_logits(Context& context, const EncoderInputs& inputs, const Tensor& rows, Out logits);

 private:
  /// What a head keeps. The next sentence head has x, y and logits alone.
  struct HeadContext {
    Tensor x, before, z, mean, rstd, y, logits;
  };

  /// The head up to its logits [M,V], which are written to `logits`, of the compute dtype.
  HeadContext masked_head(Context& context, const Tensor& hidden, const Tensor& rows,
                          Out logits) const;
  void masked_loss(Context& context, const Tensor& hidden, const PretrainingInputs& inputs,
                   Out result, InOut d_hidden) const;
  void masked_head_backward(Context& context, const HeadContext& saved, const Tensor& rows,
                            InOut d_hidden) const;
  void next_sentence_loss(Context& context, const Tensor& hidden, const PretrainingInputs& inputs,
                          Out result, InOut d_hidden) const;
  void next_sentence_backward(Context& context, const HeadContext& saved, const Tensor& rows,
                              InOut d_hidden) const;

  Config config_;
  const ParameterStore& parameters_;
  Encoder encoder_;
  EncoderContext saved_;
};

}  // namespace bertha::bert
