#pragma once

// Texts to vectors: the encoder's last layer, pooled over each text (Reimers and Gurevych 2019,
// section 3).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bert/encoder.h"
#include "infer/predictor.h"
#include "text/tokenizer.h"

namespace bertha::infer {

enum class Pooling : uint8_t {
  kMean,  ///< mean over all tokens, [CLS] and [SEP] among them
  kCls    ///< the [CLS] token
};

struct EmbedSettings {
  Pooling pooling = Pooling::kMean;
  bool normalize = true;        ///< to length 1
  int64_t max_tokens = 512;     ///< a longer text is cut, [SEP] stays
  int64_t batch_tokens = 4096;  ///< of a forward pass
};

class Embedder {
 public:
  /// The parameters need no heads; they and the tokenizer must outlive the embedder.
  Embedder(Device& device, const bert::Config& config, const bert::ParameterStore& parameters,
           const text::Tokenizer& tokenizer, const EmbedSettings& settings);

  int64_t size() const { return config_.hidden_size; }
  /// Texts cut so far.
  int64_t cut() const { return cut_; }
  /// A row of size() for each text, in their order. Texts of like length run together.
  std::vector<float> embed(const std::vector<std::string>& texts);

 private:
  std::vector<std::vector<int32_t>> tokenize(const std::vector<std::string>& texts);
  void run(const std::vector<std::vector<int32_t>>& tokens, std::span<const size_t> members,
           std::vector<float>& rows);
  void pool(const std::vector<float>& hidden, std::span<const size_t> members,
            std::vector<float>& rows) const;

  Device& device_;
  bert::Config config_;
  DType compute_;
  EmbedSettings settings_;
  const text::Tokenizer& tokenizer_;
  bert::Encoder encoder_;
  bert::EncoderContext saved_;
  Predictor predictor_;
  RaggedBatch batch_;
  int64_t cut_ = 0;
};

}  // namespace bertha::infer
