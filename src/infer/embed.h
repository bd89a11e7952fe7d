#pragma once

// Texts to vectors as a call: the encoder's last layer, pooled over each text, and what the folder
// of a sentence-transformers model puts behind it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bert/encoder.h"
#include "infer/model.h"
#include "infer/pooling.h"
#include "infer/predictor.h"
#include "infer/sentence_modules.h"
#include "text/model_input.h"
#include "text/unknown_share.h"

namespace bertha::infer {

struct EmbedRequest {
  std::string_view text;
};

struct EmbedResult {
  std::vector<float> vector;  ///< [vector_size()]
  bool cut = false;           ///< the text had more than max_tokens
  text::UnknownShare unknown{};
};

struct EmbedSettings {
  std::vector<Pooling> pooling{Pooling::kMean};  ///< several are joined
  std::vector<SentenceLayer> layers{UnitLength()};
  std::string prompt{};         ///< stands before each text
  bool include_prompt = true;   ///< the prompt's tokens are pooled, too
  int64_t max_tokens = 512;     ///< a longer text is cut; [SEP] stays
  int64_t batch_tokens = 4096;  ///< tokens of a forward pass, at least max_tokens
};

/// What a caller asks for instead of what the folder says.
struct EmbedChoice {
  std::vector<Pooling> pooling{};  ///< empty: the folder's
  std::optional<bool> normalize{};
  std::optional<std::string> prompt_name{};  ///< a name of the folder's prompts
  std::optional<std::string> prompt{};
  int64_t max_tokens = 0;    ///< 0: the folder's
  int64_t batch_tokens = 0;  ///< 0: 4096, or one text where that is more
};

/// The settings of the folder of a model; `modules` are those of a sentence-transformers model.
/// Without them texts get the mean over their tokens, scaled to length 1. Throws Error for a choice
/// that does not fit the model.
EmbedSettings embed_settings(const ModelDefinition& model,
                             const std::optional<SentenceModules>& modules,
                             const EmbedChoice& choice = {});

/// Elements of each vector. Throws Error for a layer that takes vectors of another size.
int64_t vector_size(const EmbedSettings& settings, const bert::Config& config);

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

  const text::Tokenizer& tokenizer_;
  int64_t hidden_size_;
  EmbedSettings settings_;
  int64_t skipped_;  ///< tokens at the start of each text that are not pooled
  EncoderPass pass_;
  Predictor predictor_;
  RaggedBatch batch_;
};

}  // namespace bertha::infer
