#pragma once

// Fine-tuning of a sentence classifier, with the trainer of fine_tuning.h; evaluation; predictions.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bert/classification.h"
#include "core/device.h"
#include "dataset/labelled_texts.h"
#include "train/fine_tuning.h"

namespace bertha::train {

struct ClassificationOptions {
  std::string init_checkpoint;
  bert::Config config;
  std::string output_dir;
  std::string train_file;    ///< empty: no training
  std::string eval_file;     ///< empty: no evaluation
  std::string predict_file;  ///< empty: no predictions
  dataset::ColumnChoice columns;

  int64_t max_seq_length = 128;
  int64_t train_batch_size = 32;
  int64_t predict_batch_size = 32;
  double learning_rate = 2e-5;
  double warmup_proportion = 0.1;
  int64_t num_train_epochs = 3;
  int64_t seed = 42;
  bool bf16 = false;
};

/// What an evaluation file gave.
struct ClassificationResult {
  int64_t rows = 0;
  double accuracy = 0;
  double f1 = 0;
  double matthews = 0;
  /// Where all labels are numbers: Pearson's correlation of the true ones and Σ probability ·
  /// label.
  double pearson = 0;
  bool numeric = false;
};

class ClassificationRun {
 public:
  /// `vocabulary` and `device` must outlive the run. The labels are those of the training file,
  /// sorted, or those that labels.txt beside the weights lists.
  ClassificationRun(const ClassificationOptions& options, const text::Tokenizer& tokenizer,
                    Device& device);

  const std::vector<std::string>& labels() const { return labels_; }

  /// Trains on the training file and writes the model's folder, labels.txt in it.
  void train();
  ClassificationResult evaluate();
  /// Writes predictions.tsv in the output folder: index, prediction and its probability.
  void predict();

 private:
  void find_labels();
  void load_model();
  int32_t class_of(const std::string& label) const;
  void append(const dataset::LabelledText& row, bool pairs, TaskBatch& batch) const;
  /// Probabilities [rows, classes] of a file's rows.
  std::vector<std::vector<double>> probabilities(const dataset::LabelledTexts& file);

  ClassificationOptions options_;
  const text::Tokenizer& tokenizer_;
  Device& device_;
  dataset::LabelledTexts training_;
  std::vector<std::string> labels_;
  std::unique_ptr<bert::ParameterStore> parameters_;
  std::unique_ptr<bert::ClassificationModel> model_;
};

}  // namespace bertha::train
