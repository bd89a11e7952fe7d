#pragma once

// Fine-tunes a classifier of words (token classification: named entities, parts of speech),
// evaluates it and predicts with it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "infer/model.h"
#include "infer/tag.h"
#include "io/text_file.h"
#include "runlog/run_log.h"
#include "tasks/tagging/spans.h"
#include "tasks/tagging/tag_windows.h"
#include "tasks/tagging/tagged_sentences.h"
#include "train/text_task.h"

namespace bertha::train {

struct TaggingOptions : TextTaskOptions {
  tasks::TagColumns columns;
  /// Names of the labels with commas between them, in the order of their numbers. Empty: as the
  /// training file has them, or the weights where there is no training.
  std::string label_names;
};

struct TaggingResult {
  int64_t sentences = 0;
  int64_t words = 0;
  tasks::SpanScores scores;
};

/// A plain text with labels.
struct TaggedText {
  std::vector<text::TokenOffset> words;  ///< code points of the text
  std::vector<std::string> labels;       ///< of the words
  std::vector<infer::TagEntity> entities;
};

class TaggingRun {
 public:
  /// The device and the world must outlive the run. All ranks of `world` make the same calls. The
  /// labels are those of the training file: in the order of the model where it has the same ones,
  /// otherwise sorted.
  TaggingRun(const TaggingOptions& options,
             std::shared_ptr<const infer::ModelDefinition> definition, Device& device,
             comm::Communicator& world = comm::alone());

  const std::vector<std::string>& labels() const { return labels_; }

  /// Trains on the training file and writes the model's folder. Returns kStopped when `stop` was
  /// set: the same command then continues.
  RunEnd train(const std::atomic<bool>& stop);
  /// All ranks call it; rank 0 has the result.
  TaggingResult evaluate(const infer::RunControls& controls = {});
  /// Writes the file to predict with a column more to predictions.conll, or predictions.jsonl, in
  /// the output folder. All ranks call it.
  void predict();
  /// Labels plain texts, whose words are those of the tokenizer.
  std::vector<TaggedText> tag(const std::vector<std::string>& texts);

 private:
  /// A file and the tokens of its words.
  struct Sentences {
    tasks::TaggedFile file;
    std::vector<tasks::WordTokens> tokens;
  };

  Sentences read(const io::TextFile& text) const;
  /// Gives numbers of JSON their names.
  void name_numbers(const std::vector<std::string>& names, tasks::TaggedFile& file) const;
  std::vector<std::string> labels_to_train();
  std::vector<std::string> labels_of_model() const;
  void report_unknown_labels(const tasks::TaggedFile& file) const;
  void append(const tasks::TagWindow& window, TaskBatch& batch) const;
  int64_t labels_in(const tasks::TagWindow& window) const;
  FineTuningJob job();
  runlog::Scores scores(const infer::RunControls& controls);
  infer::TagTask& task();
  std::vector<tasks::Labels> predict(const Sentences& sentences,
                                     const infer::RunControls& controls = {});
  int32_t class_of(const std::string& label) const;
  const bert::Config& config() const { return definition_->config(); }
  const text::Tokenizer& tokenizer() const { return definition_->tokenizer(); }

  TaggingOptions options_;
  std::shared_ptr<const infer::ModelDefinition> definition_;
  Device& device_;
  comm::Communicator& world_;
  tasks::TagWindows cutter_;
  Sentences training_;
  std::vector<tasks::TagWindow> windows_;  ///< of the training file
  std::vector<std::string> labels_;        ///< by class
  std::unique_ptr<infer::Model> model_;
  std::unique_ptr<infer::TagTask> task_;  ///< made at the first prediction
  runlog::FineTuningLog log_;
};

}  // namespace bertha::train
