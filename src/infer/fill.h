#pragma once

// Masked language modelling as a call: texts with [MASK] in, the most probable pieces out.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bert/pretraining.h"
#include "infer/model.h"
#include "infer/predictor.h"
#include "text/model_input.h"

namespace bertha::infer {

struct FillRequest {
  std::string_view text;  ///< with at least one [MASK]
  int64_t top = 5;        ///< candidates for each [MASK]
};

struct FillCandidate {
  int32_t id = 0;
  std::string_view piece;  ///< of the model's vocabulary
  double probability = 0;
  std::string
      filled;  ///< the text with the piece in the place of this [MASK], other masks as before
};

struct FillResult {
  /// The candidates of each [MASK], in the order of the text, most probable first. Each mask is
  /// predicted as if the others stayed.
  std::vector<std::vector<FillCandidate>> masks;
};

struct FillSettings {
  int64_t batch_tokens = 4096;  ///< tokens of a forward pass; at least those that the model takes
};

class FillTask {
 public:
  /// The model is opened for Purpose::kFill and outlives the task.
  explicit FillTask(const Model& model, const FillSettings& settings = {});

  /// A result for each request, in their order. Throws Error for a text without [MASK] and for one
  /// with more tokens than the model takes. Thread rule: that of Predictor.
  std::vector<FillResult> run(std::span<const FillRequest> requests);

 private:
  /// The logits [R,V] of the language model head for the rows that are picked.
  class MaskedPass final : public ForwardPass {
   public:
    explicit MaskedPass(const Model& model)
        : vocabulary_size_(model.config().vocab_size), model_(model.config(), model.parameters()) {}
    std::string_view name() const override { return "fill"; }
    Shape result_shape(const BatchSize& size) const override {
      return {size.rows, vocabulary_size_};
    }
    void run(Context& context, const PassInputs& inputs, Out result) override {
      model_.masked_logits(context, inputs.encoder, inputs.rows, result);
    }

   private:
    int64_t vocabulary_size_;
    bert::PretrainingModel model_;
  };

  /// Texts that run together.
  struct Batch {
    RaggedBatch tokens;
    std::vector<int32_t> rows;             ///< of all [MASK]
    std::vector<int64_t> masks_of_member;  ///< how many rows each text has
  };

  text::ModelInput tokenize(std::string_view text) const;
  void add(const text::ModelInput& input, Batch& batch) const;
  void finish(std::span<const FillRequest> requests, const Batch& batch,
              std::span<FillResult> results);

  const text::Tokenizer& tokenizer_;
  int64_t max_tokens_;
  int64_t padded_vocabulary_;
  FillSettings settings_;
  MaskedPass pass_;
  Predictor predictor_;
};

}  // namespace bertha::infer
