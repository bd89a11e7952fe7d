#pragma once

// Texts to vectors as a call: the encoder's last layer, pooled over each text (Reimers and Gurevych
// 2019, section 3).

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bert/encoder.h"
#include "infer/model.h"
#include "infer/predictor.h"
#include "text/model_input.h"
#include "text/unknown_share.h"

namespace bertha::infer {

enum class Pooling : uint8_t {
  kMean,  ///< the mean over all tokens, [CLS] and [SEP] among them
  kCls    ///< the [CLS] token
};

struct EmbedRequest {
  std::string_view text;
};

struct EmbedResult {
  std::vector<float> vector;  ///< [H]
  bool cut = false;           ///< the text had more than max_tokens
  text::UnknownShare unknown{};
};

struct EmbedSettings {
  Pooling pooling = Pooling::kMean;
  bool normalize = true;        ///< scale each vector to length 1
  int64_t max_tokens = 512;     ///< a longer text is cut; [SEP] stays
  int64_t batch_tokens = 4096;  ///< tokens of a forward pass, at least max_tokens
};

class EmbedTask {
 public:
  /// The model is opened for Purpose::kEmbed, or another: the encoder is all that it needs. It
  /// outlives the task.
  EmbedTask(const Model& model, const EmbedSettings& settings);

  /// A result for each request, in their order. Texts of similar length run together. Thread rule:
  /// that of Predictor.
  std::vector<EmbedResult> run(std::span<const EmbedRequest> requests);

 private:
  /// The last layer's output [T,H].
  class EncoderPass final : public ForwardPass {
   public:
    explicit EncoderPass(const Model& model)
        : hidden_size_(model.config().hidden_size), encoder_(model.config(), model.parameters()) {}
    std::string_view name() const override { return "embed"; }
    Shape result_shape(const BatchSize& size) const override { return {size.tokens, hidden_size_}; }
    void run(Context& context, const PassInputs& inputs, Out result) override;

   private:
    int64_t hidden_size_;
    bert::Encoder encoder_;
    bert::EncoderContext saved_;
  };

  std::vector<text::ModelInput> tokenize(std::span<const EmbedRequest> requests) const;
  void run_batch(const std::vector<text::ModelInput>& inputs, std::span<const size_t> members,
                 std::vector<EmbedResult>& results);
  std::vector<float> pool(std::span<const float> rows) const;

  const text::Tokenizer& tokenizer_;
  int64_t hidden_size_;
  EmbedSettings settings_;
  EncoderPass pass_;
  Predictor predictor_;
  RaggedBatch batch_;
};

}  // namespace bertha::infer
