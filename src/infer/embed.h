#pragma once

// Texts to vectors as a call: the encoder's last layer, pooled over each text, and what the folder
// of a sentence-transformers model puts behind it.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/model.h"
#include "infer/pooling.h"
#include "infer/sentence_modules.h"
#include "infer/window_job.h"
#include "infer/window_runner.h"
#include "text/model_input.h"
#include "text/unknown_share.h"

namespace bertha::infer {

struct EmbedRequest {
  std::string_view text;
  /// Tokens without special tokens in place of a text; the prompt does not go before them.
  std::optional<std::span<const int32_t>> ids{};
};

struct EmbedResult {
  std::vector<float> vector;  ///< [vector_size()], or [tokens,H] where all tokens are asked for
  int64_t tokens = 0;         ///< special tokens included
  bool cut = false;           ///< the text had more than max_tokens
  text::UnknownShare unknown{};
};

struct EmbedSettings {
  std::vector<Pooling> pooling{Pooling::kMean};  ///< several are joined
  std::vector<SentenceLayer> layers{UnitLength()};
  std::string prompt{};            ///< stands before each text
  bool include_prompt = true;      ///< the prompt's tokens are pooled, too
  int64_t max_tokens = 512;        ///< a longer text is cut; [SEP] stays
  int64_t batch_tokens = 4096;     ///< tokens of a forward pass, at least max_tokens
  std::optional<bool> cut_left{};  ///< which end is cut; nothing: as the tokenizer's files say
  bool all_tokens = false;         ///< the last layer itself, without pooling and layers
};

/// What a caller asks for instead of what the folder says.
struct EmbedChoice {
  std::vector<Pooling> pooling{};  ///< empty: the folder's
  std::optional<bool> normalize{};
  std::optional<std::string> prompt_name{};  ///< a name of the folder's prompts
  std::optional<std::string> prompt{};
  int64_t max_tokens = 0;               ///< 0: the folder's
  int64_t batch_tokens = 0;             ///< 0: 4096, or one text where that is more
  std::optional<int64_t> dimensions{};  ///< keep the first elements, before the vector is scaled
};

/// The settings of the folder of a model; `modules` are those of a sentence-transformers model.
/// Without them texts get the mean over their tokens, scaled to length 1. Throws Error for a choice
/// that does not fit the model.
EmbedSettings embed_settings(const ModelDefinition& model,
                             const std::optional<SentenceModules>& modules,
                             const EmbedChoice& choice = {});

/// Elements of each vector. Throws Error for a layer that takes vectors of another size.
int64_t vector_size(const EmbedSettings& settings, const bert::Config& config);

/// Texts, a window each.
class EmbedJob final : public WindowJob {
 public:
  /// Throws Error that names the text, counted from 1, when one has no token. With `parallel` the
  /// texts are tokenized on all threads.
  EmbedJob(std::span<const EmbedRequest> requests, const text::Tokenizer& tokenizer,
           std::shared_ptr<const EmbedSettings> settings, bool parallel);

  int64_t windows() const override { return tokens_.sequences(); }
  WindowSize size(int64_t window) const override {
    return {.tokens = sequence_length(tokens_, window)};
  }
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override {
    (void)rows;
    append_sequence(tokens_, window, batch);
  }
  void take(int64_t window, std::span<const float> result) override;

  /// A result for each request, in their order.
  std::vector<EmbedResult>& results() { return results_; }

 private:
  text::ModelInput tokenize(const EmbedRequest& request) const;

  const text::Tokenizer& tokenizer_;
  std::shared_ptr<const EmbedSettings> settings_;
  int64_t skipped_;  ///< tokens at the start of each text that are not pooled
  RaggedBatch tokens_;
  std::vector<EmbedResult> results_;
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
  const text::Tokenizer& tokenizer_;
  std::shared_ptr<const EmbedSettings> settings_;
  WindowRunner runner_;
};

}  // namespace bertha::infer
