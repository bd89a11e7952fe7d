#pragma once

// The work of run_squad.py: it fine-tunes on SQuAD, predicts and scores, and writes the same files
// and the same log.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "infer/answer.h"
#include "infer/model.h"
#include "runlog/run_log.h"
#include "tasks/squad/squad_answers.h"
#include "tasks/squad/squad_features.h"
#include "train/fine_tuning_run.h"

namespace bertha::train {

/// The options of `bertha squad`. Names and defaults are those of the recipe.
struct SquadOptions {
  std::string init_checkpoint;
  std::string config_file;
  std::string vocab_file;
  std::string output_dir;
  std::string train_file;    ///< empty: no training
  std::string predict_file;  ///< empty: no prediction
  std::string json_summary;  ///< empty: dllogger.json in output_dir
  bool overwrite = false;    ///< a model of another command in output_dir is replaced
  bool do_eval = false;
  bool lower_case = false;
  text::TokenRules rules = text::TokenRules::kRecipe;

  int64_t train_batch_size = 32;  ///< windows of an update on one rank
  int64_t predict_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  double learning_rate = 5e-5;
  double num_train_epochs = 3;
  int64_t max_steps = -1;      ///< stops the loop and keeps the schedule; -1: all
  int64_t max_questions = -1;  ///< train on this many questions from the start; -1: all
  double warmup_proportion = 0.1;
  bool fused_adam = false;       ///< --use_fused_adam: the k-th update has progress k/total
  bool bias_correction = false;  ///< whether Adam corrects the bias of its moments
  bool clip_each = false;        ///< --per_param_grad_clipping; always without --use_fused_adam
  int64_t seed = 42;
  bool dropout = true;
  infer::Arithmetic arithmetic{};
  bool checkpoint_activations = false;
  bool zero = false;  ///< ZeRO-1: each rank keeps the moments of a partition

  tasks::SquadFeatureOptions features;
  tasks::AnswerOptions answers;
  int64_t log_freq = 50;
  int64_t throughput_warmup_steps = 0;
  int64_t save_steps = 0;       ///< updates between saves of the state; 0: only when stopped
  int64_t eval_steps = 0;       ///< updates between evaluations on eval_file; 0: none
  int64_t eval_questions = -1;  ///< evaluate on this many questions; -1: on all
  std::string eval_file;
  std::string tensorboard_dir;  ///< empty: no event files
  bool skip_checkpoint = false;
  bool progress = true;
  comm::ReduceOptions sums;             ///< how gradients are summed over ranks
  int64_t weight_check_interval = 100;  ///< updates between comparisons of ranks' weights; 0: never

  int64_t micro_batch() const { return train_batch_size / gradient_accumulation_steps; }
};

/// Throws Error for options that do not fit each other. It reads no file.
void check_options(const SquadOptions& options);

class SquadRun {
 public:
  /// Reads config and vocabulary. `print` receives the lines that the recipe prints on standard
  /// output; `config_text` is the log's Config record. All ranks of `world` make the same calls;
  /// rank 0 alone logs and writes.
  SquadRun(const SquadOptions& options, Device& device, runlog::DlLogger::Print print,
           std::string config_text, comm::Communicator& world = comm::alone());

  /// Trains, answers and scores, as the options say. Returns kStopped when `stop` was set while it
  /// trained: the same command then continues. Throws Error when `stop` was set while it answered.
  RunEnd run(const std::atomic<bool>& stop);

 private:
  /// A file of questions and its windows.
  struct Questions {
    Questions(tasks::SquadFile read, const text::Tokenizer& tokenizer, const SquadOptions& options);
    tasks::SquadFile file;
    tasks::SquadFeatures features;
  };

  const bert::Config& config() const { return definition_->config(); }
  const text::Tokenizer& tokenizer() const { return definition_->tokenizer(); }
  void check_lengths() const;
  void open_log(runlog::DlLogger::Print print);
  void load_model();
  bool train(const std::atomic<bool>& stop);
  FineTuningJob job_of(const tasks::SquadFeatures& features);
  void warn_of_idle_updates(const FineTuningJob& job) const;
  Settings settings_of(const tasks::SquadFeatures& features) const;
  void report_end(const FineTuningRun& training) const;
  void summarize_training(const FineTuningRun& training, int64_t windows);
  void save();
  std::vector<tasks::QuestionAnswers> answers_to(const Questions& questions,
                                                 const infer::RunControls& controls);
  runlog::Scores evaluate(const infer::RunControls& controls);
  void predict(const std::atomic<bool>& stop);
  void score(const tasks::SquadFile& gold, const std::vector<tasks::QuestionAnswers>& answers);

  SquadOptions options_;
  Device& device_;
  comm::Communicator& world_;
  std::string config_text_;
  std::shared_ptr<const infer::ModelDefinition> definition_;
  std::unique_ptr<infer::Model> model_;
  std::unique_ptr<Questions> evaluation_;      ///< made at the first evaluation
  std::unique_ptr<infer::AnswerTask> answer_;  ///< made at the first prediction
  runlog::FineTuningLog log_;
};

}  // namespace bertha::train
