#pragma once

// Masked language modelling as a call: texts with [MASK] in, the most probable pieces out.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/model.h"
#include "infer/window_job.h"
#include "infer/window_runner.h"

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

/// The most rows of a batch of several texts: a row has a logit for each piece.
inline constexpr int64_t kFillRows = 64;

/// Texts with [MASK], a window each.
class FillJob final : public WindowJob {
 public:
  /// The texts must outlive the job. Throws Error for a text without [MASK] and for one with more
  /// tokens than `max_tokens`. Only the pieces `targets` are candidates; without any, all are.
  FillJob(std::span<const FillRequest> requests, const text::Tokenizer& tokenizer,
          int64_t max_tokens, std::vector<int32_t> targets = {});

  int64_t windows() const override { return tokens_.sequences(); }
  WindowSize size(int64_t window) const override;
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override;
  void take(int64_t window, std::span<const float> result) override;

  /// The tokens of a request, special tokens included.
  std::span<const int32_t> ids(int64_t request) const;
  /// A result for each request, in their order.
  std::vector<FillResult>& results() { return results_; }

 private:
  void add(std::string_view text, int64_t max_tokens);

  std::vector<FillRequest> requests_;
  const text::Tokenizer& tokenizer_;
  std::vector<int32_t> targets_;
  RaggedBatch tokens_;
  std::vector<std::vector<int32_t>> masks_;  ///< of each text: places of [MASK]
  std::vector<FillResult> results_;
};

class FillTask {
 public:
  /// The model is opened for Purpose::kFill and outlives the task.
  explicit FillTask(const Model& model, const FillSettings& settings = {});

  /// A result for each request, in their order. Throws Error for a text without [MASK] and for one
  /// with more tokens than the model takes. Thread rule: that of Predictor.
  std::vector<FillResult> run(std::span<const FillRequest> requests);

 private:
  const text::Tokenizer& tokenizer_;
  int64_t max_tokens_;
  FillSettings settings_;
  WindowRunner runner_;
};

}  // namespace bertha::infer
