#pragma once

// Fine-tunes a classifier of texts, evaluates it and predicts with it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/device.h"
#include "infer/classify.h"
#include "infer/model.h"
#include "runlog/run_log.h"
#include "tasks/classification/classification_metrics.h"
#include "tasks/classification/label_set.h"
#include "tasks/classification/labelled_texts.h"
#include "train/text_task.h"

namespace bertha::train {

struct ClassificationOptions : TextTaskOptions {
  tasks::ColumnChoice columns;
  /// "regression", "single_label_classification" or "multi_label_classification"; empty: as the
  /// labels suggest, or the model's config where there is no training.
  std::string problem_type;
  bool all_probabilities = false;  ///< predictions.tsv has a column for each class
};

/// The scores on an evaluation file.
struct ClassificationResult {
  int64_t rows = 0;
  infer::ProblemType problem = infer::ProblemType::kSingleLabel;
  std::vector<std::string> names;      ///< of the classes
  tasks::ClassificationScores single;  ///< of kSingleLabel
  tasks::LabelSetScores several;       ///< of kMultiLabel
  /// Where all labels are numbers: correlations of the true numbers with the predicted ones, for
  /// classes with Σ probability · label.
  double pearson = 0;
  double spearman = 0;
  double mean_squared_error = 0;
  bool numeric = false;
};

class ClassificationRun {
 public:
  /// The device and the world must outlive the run. All ranks of `world` make the same calls. The
  /// labels are the sorted labels of the training file; without one, the lines of labels.txt beside
  /// the weights, or the labels of the model's config.
  ClassificationRun(const ClassificationOptions& options,
                    std::shared_ptr<const infer::ModelDefinition> definition, Device& device,
                    comm::Communicator& world = comm::alone());

  const tasks::LabelSet& labels() const { return labels_; }

  /// Trains on the training file and writes the model's folder with labels.txt. Returns kStopped
  /// when `stop` was set: the same command then continues.
  RunEnd train(const std::atomic<bool>& stop);
  /// All ranks call it; rank 0 has the result. Throws infer::Stopped as the controls say.
  ClassificationResult evaluate(const infer::RunControls& controls = {});
  /// Writes predictions.tsv in the output folder: the number of the row in its file, the prediction
  /// and its probability. With several labels these are the labels of at least 0.5 with
  /// separators between them; a regression has its value and no probability.
  void predict();
  /// The results of texts, on rank 0. All ranks make the same call.
  std::vector<infer::ClassifyResult> classify(std::span<const infer::ClassifyRequest> requests,
                                              const infer::RunControls& controls = {});
  /// The prediction, its probability and, where they are asked for, all probabilities, with tabs
  /// between them, as predictions.tsv has them.
  std::string columns_of(const infer::ClassifyResult& result) const;
  infer::ProblemType problem() const { return problem_; }

 private:
  void find_labels();
  void check_class() const;
  void check_separator() const;
  void read_training();
  tasks::LabelledTexts read_labelled(const std::string& path) const;
  void find_problem_to_train();
  void check_numbers() const;
  tasks::LabelSet labels_of_model();
  bool several() const { return problem_ == infer::ProblemType::kMultiLabel; }
  /// The user's columns; a field may hold several labels where the problem has them.
  tasks::ColumnChoice columns() const;
  const bert::Config& config() const { return definition_->config(); }
  const text::Tokenizer& tokenizer() const { return definition_->tokenizer(); }
  void append(const tasks::LabelledText& row, TaskBatch& batch) const;
  FineTuningJob job();
  void save() const;
  runlog::Scores scores(const infer::RunControls& controls);
  tasks::LabelledTexts read_evaluation() const;
  void keep_known(tasks::LabelledTexts& file) const;
  /// The result of each row of a file, on rank 0.
  std::vector<infer::ClassifyResult> classify_rows(const tasks::LabelledTexts& file,
                                                   const infer::RunControls& controls = {});

  ClassificationOptions options_;
  std::shared_ptr<const infer::ModelDefinition> definition_;
  Device& device_;
  comm::Communicator& world_;
  tasks::LabelledTexts training_;
  tasks::LabelSet labels_;
  int64_t outputs_ = 0;  ///< of the classifier
  infer::ProblemType problem_ = infer::ProblemType::kSingleLabel;
  std::unique_ptr<infer::Model> model_;
  std::unique_ptr<infer::ClassifyTask> classify_;  ///< made at the first prediction
  runlog::FineTuningLog log_;
};

}  // namespace bertha::train
