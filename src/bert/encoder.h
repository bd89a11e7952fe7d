#pragma once

// The BERT encoder (Devlin et al. 2018; Vaswani et al. 2017), post-LayerNorm, over ragged batches.
// forward() returns what backward() needs; nothing is recorded behind the caller's back. Letters:
// T tokens of the bucket, N sequences, H hidden, A heads, F intermediate.

#include <cstdint>
#include <functional>
#include <vector>

#include "bert/config.h"
#include "bert/parameters.h"
#include "core/context.h"
#include "ops/attention.h"
#include "ops/embedding.h"
#include "ops/linear.h"

namespace bertha::bert {

/// A micro-batch on the device. Rows from seq_start[N] to T fill the bucket and belong to no
/// sequence.
struct EncoderInputs {
  ops::EmbeddingIds ids;  ///< i32 [T] each
  Tensor seq_start;       ///< i32 [N+1]
  /// i64 [2] {seed, draw} of dropout; absent: no dropout.
  Tensor dropout_seed;

  int64_t tokens() const { return ids.word.dim(0); }
  int64_t sequences() const { return seq_start.dim(0) - 1; }
};

/// What the forward pass keeps of a layer. Activations are of the compute dtype, statistics f32.
struct LayerContext {
  Tensor x;                        ///< [T,H] input
  bool again = false;              ///< the forward pass runs again, for the backward pass
  Tensor qkv;                      ///< [T,3H]
  Tensor attended;                 ///< [T,H]
  Tensor lse;                      ///< [T,A]
  Tensor kept_dropout;             ///< of attention, where the device keeps it
  Tensor z1, mean1, rstd1;         ///< [T,H], [T], [T] of the attention block's LayerNorm
  Tensor h;                        ///< [T,H] its output
  Tensor intermediate, activated;  ///< [T,F] before and after the activation
  Tensor z2, mean2, rstd2;         ///< [T,H], [T], [T] of the output's LayerNorm
};

struct EmbeddingContext {
  Tensor z, mean, rstd;  ///< [T,H], [T], [T]
};

struct EncoderContext {
  EmbeddingContext embedding;
  std::vector<LayerContext> layers;
  Tensor y;  ///< [T,H] output of the last layer
};

/// How much of the forward pass is kept.
enum class Keep : uint8_t {
  kNothing,  ///< inference
  kInputs,   ///< each layer's input alone; backward runs the layer again (Chen et al. 2016)
  kAll
};

/// Called during a backward pass when all gradients from this element of the flat buffer on are
/// final. Offsets decrease from call to call; the last is 0.
using GradientsFinal = std::function<void(int64_t from)>;

/// How a backward pass writes gradients, and what it calls when they are final.
struct GradientRules {
  /// Of the weights of the encoder's products. With kSet nothing of an earlier step may be left in
  /// the others, which are added to (ParameterTable::outside_products).
  ops::Write product_weights = ops::Write::kAdd;
  GradientsFinal on_final = {};  ///< may be empty
};

class Encoder {
 public:
  Encoder(const Config& config, const ParameterStore& parameters);

  /// Fills `saved`, whose vector of layers keeps its memory from call to call; saved.y is the
  /// result. With Keep::kNothing the values of all layers but y share their memory.
  void forward(Context& context, const EncoderInputs& inputs, Keep keep,
               EncoderContext& saved) const;

  /// d [T,H] enters as the gradient of saved.y and is used up; parameter gradients are written by
  /// the rules. What lies above the encoder is taken to be final on entry.
  void backward(Context& context, const EncoderInputs& inputs, Keep kept,
                const EncoderContext& saved, InOut d, const GradientRules& rules = {}) const;

 private:
  Tensor embed(Context& context, const EncoderInputs& inputs, EmbeddingContext& saved) const;
  void layer_forward(Context& context, const EncoderInputs& inputs, int64_t layer, Tensor y,
                     LayerContext& saved) const;
  void attention_block(Context& context, const EncoderInputs& inputs, int64_t layer,
                       LayerContext& saved) const;
  void feed_forward_block(Context& context, const EncoderInputs& inputs, int64_t layer, Tensor y,
                          LayerContext& saved) const;
  void layer_backward(Context& context, const EncoderInputs& inputs, int64_t layer,
                      const LayerContext& saved, ops::Write write, InOut d) const;
  void feed_forward_backward(Context& context, const EncoderInputs& inputs, int64_t layer,
                             const LayerContext& saved, ops::Write write, InOut d) const;
  void attention_backward(Context& context, const EncoderInputs& inputs, int64_t layer,
                          const LayerContext& saved, ops::Write write, InOut d) const;
  Dropout hidden_dropout(const EncoderInputs& inputs, uint32_t site) const;
  Dropout attention_dropout(const EncoderInputs& inputs, int64_t layer) const;
  /// Only a training step has a seed.
  Fp8States fp8(const EncoderInputs& inputs, int64_t layer, LayerProduct product) const;
  ops::AttentionShape attention_shape() const;
  const LayerIndices& indices(int64_t layer) const;
  /// The rows of the position table that tokens have.
  Tensor positions(const Tensor& table) const;

  Config config_;
  const ParameterStore& parameters_;
};

}  // namespace bertha::bert
