#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bert/config.h"
#include "bert/parameters.h"
#include "comm/communicator.h"
#include "train/checkpoint.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {

/// What `bertha pretrain` was asked for; names and defaults are the recipe's.
struct PretrainingOptions {
  std::string input_dir;
  std::string config_file;
  std::string size;  ///< one of bert::model_sizes() in place of a config; needs vocab_file
  std::string output_dir;
  std::optional<std::string> vocab_file;  ///< absent: vocab.txt beside the config, if it is there
  std::optional<std::string> init_checkpoint;
  std::string json_summary;             ///< empty: dllogger.json in output_dir
  std::string tensorboard_dir;          ///< empty: no event files
  std::optional<std::string> eval_dir;  ///< held-out shards
  int64_t eval_interval = 0;            ///< steps between evaluations; 0: at the end alone
  int64_t eval_batches = 50;            ///< micro-batches an evaluation reads at most

  int64_t train_batch_size = 32;  ///< rows an update and rank
  int64_t gradient_accumulation_steps = 1;
  int64_t max_predictions_per_seq = 80;
  int64_t max_steps = 1000;
  int64_t steps_this_run = -1;  ///< absolute step to stop at; -1: max_steps
  double learning_rate = 5e-5;
  double warmup_proportion = 0.01;
  int64_t seed = 42;
  std::optional<int64_t> max_seq_length;  ///< of the shards' rows, as the user expects it
  optim::OptimizerKind optimizer = optim::OptimizerKind::kLamb;
  bert::InitStyle init = bert::InitStyle::kRecipe;
  bool bf16 = false;
  bool fp8 = false;  ///< the encoder's products in 8-bit floats, beside what bf16 says of the rest
  bool checkpoint_activations = false;  ///< run layers again in the backward pass
  std::optional<bool> packed;           ///< absent: as the shards are

  bool resume_from_checkpoint = false;
  bool phase2 = false;
  int64_t resume_step = -1;
  int64_t phase1_end_step = 7038;
  int64_t num_steps_per_checkpoint = 100;
  bool skip_checkpoint = false;
  int64_t log_freq = 1;
  bool progress = true;

  comm::ReduceOptions sums;             ///< how gradients are summed over ranks
  bool zero = false;                    ///< ZeRO-1: each rank keeps the moments of a partition
  int64_t weight_check_interval = 100;  ///< steps between comparisons of ranks' weights; 0: never

  int64_t micro_batch() const { return train_batch_size / gradient_accumulation_steps; }
  int64_t last_step() const { return steps_this_run < 0 ? max_steps : steps_this_run; }
  /// What is added to a step for a checkpoint's number.
  int64_t step_offset() const { return phase2 && !init_checkpoint ? phase1_end_step : 0; }
};

/// "fp32", "bf16" or "fp8".
const char* precision_name(const PretrainingOptions& options);

/// Throws Error, before anything is read or written, for options that do not fit each other.
void check_options(const PretrainingOptions& options);

/// Packed rows hold about `sequences_a_row` sequences each, so an update takes as many rows fewer:
/// the micro-batch keeps its rows, the accumulation steps become given / sequences_a_row, rounded
/// half to even, at least 1, as in the recipe.
void settle_packed(PretrainingOptions& options, double sequences_a_row);

/// What makes two commands the same run: everything that decides its weights. `data` names the
/// training rows (shards and their number); paths may change, a dataset may be moved. So may the
/// number of ranks, as long as the rows and micro-batches of all ranks together stay.
Settings run_settings(const PretrainingOptions& options, const bert::Config& config,
                      const std::string& data, int64_t ranks = 1);

/// The setting that names the training rows.
inline constexpr const char* kDataSetting = "training data";
/// A setting's value; empty when there is none of that name.
std::string setting(const Settings& settings, const std::string& name);

/// "learning_rate is 0.004 here and 0.006 there; …"; empty when equal.
std::string describe_differences(const Settings& here, const Settings& there);

}  // namespace bertha::train
