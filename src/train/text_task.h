#pragma once

// What the fine-tunings of classifiers, of texts (classification_run.h) and of words
// (tagging_run.h), have in common.

#include <cstdint>
#include <memory>
#include <string>

#include "bert/export.h"
#include "infer/model.h"
#include "train/fine_tuning_run.h"

namespace bertha::train {

struct TextTaskOptions {
  std::string output_dir;
  std::string train_file;    ///< empty: no training
  std::string eval_file;     ///< empty: no evaluation
  std::string predict_file;  ///< empty: no predictions

  int64_t max_seq_length = 128;
  int64_t train_batch_size = 32;  ///< rows of an update on one rank
  int64_t predict_batch_size = 32;
  double learning_rate = 2e-5;
  double warmup_proportion = 0.1;
  int64_t num_train_epochs = 3;
  int64_t seed = 42;
  infer::Arithmetic arithmetic{};
  int64_t eval_steps = 0;       ///< updates between evaluations on eval_file; 0: none
  int64_t save_steps = 0;       ///< updates between saves of the state; 0: only when stopped
  bool overwrite = false;       ///< files of other commands in output_dir are replaced
  std::string tensorboard_dir;  ///< empty: no event files
  bool progress = true;
  comm::ReduceOptions sums;             ///< how gradients are summed over ranks
  bool zero = false;                    ///< ZeRO-1: each rank keeps the moments of a partition
  int64_t weight_check_interval = 100;  ///< updates between comparisons of ranks' weights; 0: never
};

/// Throws Error that names the option and its value when one is out of range.
void check_options(const TextTaskOptions& options, const bert::Config& config);

/// Opens the model for a purpose with `outputs` classes, with gradients where there is a training
/// file, and gives all ranks the weights of rank 0.
std::unique_ptr<infer::Model> open_text_model(
    const TextTaskOptions& options, std::shared_ptr<const infer::ModelDefinition> definition,
    Device& device, infer::Purpose purpose, int64_t outputs, comm::Communicator& world);

/// Where predictions go, below the output folder. Throws Error for a file that an earlier command
/// wrote, unless this one trains or may overwrite it, and for the file that is being read.
std::string path_of_predictions(const TextTaskOptions& options, const std::string& name);

/// The job for `rows` rows of the training file, which are `what`: "texts". The caller sets
/// `append`, `labels_of` and `evaluate`.
FineTuningJob job_of(const TextTaskOptions& options, int64_t rows, const std::string& what,
                     const infer::ModelDefinition& definition, comm::Communicator& world);

/// Writes the model's folder and, where it has labels, labels.txt.
void save_classifier(const std::string& folder, bert::ModelClass model,
                     const bert::HeadConfig& head, const infer::Model& trained);

}  // namespace bertha::train
