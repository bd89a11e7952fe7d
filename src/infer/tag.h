#pragma once

// Token classification as a call: the words of a sentence in, a label for each out. The entities of
// a plain text are what transformers' pipeline gives with aggregation_strategy="first".

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"
#include "infer/model.h"
#include "infer/window_job.h"
#include "infer/window_runner.h"
#include "tasks/tagging/tag_windows.h"

namespace bertha::infer {

/// The labels of the words of a sentence.
struct TagResult {
  std::vector<int64_t> labels;        ///< the most probable class of each word
  std::vector<double> probabilities;  ///< of that class; 0 for a word without tokens
};

struct TagSettings {
  int64_t max_tokens = 128;    ///< of a window, with special tokens
  int64_t batch_windows = 32;  ///< windows that run together
  int64_t no_entity = 0;       ///< the class of words without tokens
};

/// Sentences, cut into windows.
class TagJob final : public WindowJob {
 public:
  /// `cutter` must outlive the job.
  TagJob(std::span<const tasks::WordTokens> sentences, const tasks::TagWindows& cutter,
         const TagSettings& settings);

  int64_t windows() const override { return std::ssize(windows_); }
  WindowSize size(int64_t window) const override {
    return {.tokens = sequence_length(tokens_, window)};
  }
  void append(int64_t window, RaggedBatch& batch, std::vector<int32_t>& rows) const override {
    (void)rows;
    append_sequence(tokens_, window, batch);
  }
  void take(int64_t window, std::span<const float> result) override;

  /// A result for each sentence, in their order.
  std::vector<TagResult>& results() { return results_; }

 private:
  std::vector<tasks::TagWindow> windows_;
  RaggedBatch tokens_;                        ///< of all windows
  std::vector<std::vector<int32_t>> places_;  ///< of the words that each window decides, in tokens_
  std::vector<TagResult> results_;
};

class TagTask {
 public:
  /// The model is opened for Purpose::kTag and outlives the task.
  TagTask(const Model& model, const TagSettings& settings);

  /// A result for each sentence, in their order. All ranks of `world` make the same call; rank 0
  /// alone gets results. Throws Stopped as the controls say. Thread rule: that of Predictor.
  std::vector<TagResult> run(std::span<const tasks::WordTokens> sentences,
                             comm::Communicator& world = comm::alone(),
                             const RunControls& controls = {});

 private:
  TagSettings settings_;
  tasks::TagWindows cutter_;
  WindowRunner runner_;
};

/// A span of a text: a name, a place.
struct TagEntity {
  std::string type;
  double probability = 0;  ///< mean over its words
  int64_t begin = 0;       ///< in code points of the text
  int64_t end = 0;
};

/// The entities among the words of a text. `places` are the words', `names` those of the classes.
std::vector<TagEntity> entities_of(const TagResult& result,
                                   std::span<const text::TokenOffset> places,
                                   std::span<const std::string> names);

}  // namespace bertha::infer
