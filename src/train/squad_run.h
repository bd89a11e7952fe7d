#pragma once

// What run_squad.py does: fine-tune on SQuAD, predict, score; its files and its log.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bert/question_answering.h"
#include "core/device.h"
#include "dataset/squad_features.h"
#include "optim/schedule.h"
#include "train/dllogger.h"
#include "train/fine_tuning.h"
#include "train/progress.h"
#include "train/squad_answers.h"

namespace bertha::train {

/// What `bertha squad` was asked for; names and defaults are the recipe's.
struct SquadOptions {
  std::string init_checkpoint;
  std::string config_file;
  std::string vocab_file;
  std::string output_dir;
  std::string train_file;    ///< empty: no training
  std::string predict_file;  ///< empty: no prediction
  std::string json_summary = "results/dllogger.json";
  bool do_eval = false;
  bool lower_case = false;
  text::TokenRules rules = text::TokenRules::kRecipe;

  int64_t train_batch_size = 32;  ///< windows an update
  int64_t predict_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  double learning_rate = 5e-5;
  double num_train_epochs = 3;
  int64_t max_steps = -1;      ///< stops the loop, does not change the schedule; -1: all
  int64_t max_questions = -1;  ///< train on the first so many questions; -1: all
  double warmup_proportion = 0.1;
  bool fused_adam = false;  ///< --use_fused_adam: the k-th update has progress k/total
  bool clip_each = false;   ///< --per_param_grad_clipping; always without --use_fused_adam
  int64_t seed = 42;
  bool dropout = true;
  bool bf16 = false;
  bool checkpoint_activations = false;

  dataset::SquadFeatureOptions features;
  AnswerOptions answers;
  int64_t log_freq = 50;
  int64_t throughput_warmup_steps = 0;
  bool skip_checkpoint = false;
  bool progress = true;

  int64_t micro_batch() const { return train_batch_size / gradient_accumulation_steps; }
};

/// Throws Error, before anything is read, for options that do not fit each other.
void check_options(const SquadOptions& options);

class SquadRun {
 public:
  /// Reads config, vocabulary and weights. `print` gets the lines that the recipe prints on
  /// standard output; `config_text` is the log's Config record.
  SquadRun(const SquadOptions& options, Device& device, DlLogger::Print print,
           std::string config_text);

  void run();

 private:
  void load_model();
  void train();
  void train_epochs(const dataset::SquadFeatures& features, FineTuningTrainer& trainer);
  void train_step(const dataset::SquadFeatures& features, FineTuningTrainer& trainer,
                  std::span<const int64_t> members, int64_t epoch, int64_t step);
  void guard_finite(bool finite);
  void log_training(int64_t epoch);
  void summarize_training(int64_t features);
  void save();
  void predict();
  void score(const dataset::SquadFile& gold, const std::vector<QuestionAnswers>& answers);
  std::unique_ptr<Progress> make_progress(const std::string& label, int64_t total) const;

  SquadOptions options_;
  Device& device_;
  std::string config_text_;
  bert::Config config_;
  text::Vocabulary vocabulary_;
  text::Tokenizer tokenizer_;
  std::unique_ptr<bert::ParameterStore> parameters_;
  std::unique_ptr<bert::QuestionAnsweringModel> model_;
  DlLogger log_;
  std::unique_ptr<Progress> progress_;

  optim::Schedule schedule_;
  TaskBatch batch_;
  int64_t global_step_ = 0;  ///< updates done
  uint32_t draws_ = 0;       ///< micro-batches done
  int64_t skipped_in_a_row_ = 0;
  double last_rate_ = 0;
  double final_loss_ = 0;
  double loss_sum_ = 0;  ///< since the last log line
  int64_t loss_count_ = 0;
  WallTime train_start_;
};

}  // namespace bertha::train
