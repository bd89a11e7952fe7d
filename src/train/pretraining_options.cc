#include "train/pretraining_options.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "io/weights/carried_texts.h"
#include "train/option_checks.h"

namespace bertha::train {

void check_options(const PretrainingOptions& o) {
  check_at_least("train-batch-size", o.train_batch_size, 1);
  check_at_least("gradient-accumulation-steps", o.gradient_accumulation_steps, 1);
  check_at_least("max-predictions-per-seq", o.max_predictions_per_seq, 1);
  check_at_least("max-steps", o.max_steps, 1);
  check_at_least("num-steps-per-checkpoint", o.num_steps_per_checkpoint, 1);
  check_at_least("log-freq", o.log_freq, 1);
  check_at_least("eval-interval", o.eval_interval, 0);
  check_at_least("weight-check-interval", o.weight_check_interval, 0);
  check_at_least("eval-batches", o.eval_batches, 1);
  check_micro_batches(o.train_batch_size, o.gradient_accumulation_steps);
  if (!(o.learning_rate > 0)) fail("--learning-rate is {}; it must be above 0", o.learning_rate);
  if (!(o.warmup_proportion >= 0 && o.warmup_proportion < 1)) {
    fail("--warmup-proportion is {}; it must be at least 0 and below 1", o.warmup_proportion);
  }
  if (o.last_step() > o.max_steps) {
    fail("--steps-this-run {} is past --max-steps {}: the learning rate has no value there",
         o.steps_this_run, o.max_steps);
  }
  check_at_least("steps-this-run", o.last_step(), 1);
  check_at_least("phase1_end_step", o.phase1_end_step, 0);
}

void settle_packed(PretrainingOptions& options, double sequences_a_row) {
  BERTHA_CHECK(sequences_a_row >= 1);
  const int64_t rows = options.micro_batch();
  const double steps = static_cast<double>(options.gradient_accumulation_steps) / sequences_a_row;
  options.gradient_accumulation_steps = std::max<int64_t>(1, std::llrint(steps));
  options.train_batch_size = rows * options.gradient_accumulation_steps;
}

const char* precision_name(const PretrainingOptions& options) {
  if (options.fp8) return "fp8";
  return options.bf16 ? "bf16" : "fp32";
}

Settings run_settings(const PretrainingOptions& o, const bert::Config& config,
                      const std::string& data, int64_t ranks) {
  return {{"phase", o.phase2 ? "2" : "1"},
          {"phase1_end_step", o.phase2 ? fmt::format("{}", o.phase1_end_step) : "-"},
          {"init_checkpoint", o.init_checkpoint.value_or("-")},
          {kDataSetting, data},
          {"train_batch_size over all ranks", fmt::format("{}", o.train_batch_size * ranks)},
          {"gradient_accumulation_steps over all ranks",
           fmt::format("{}", o.gradient_accumulation_steps * ranks)},
          {"max_predictions_per_seq", fmt::format("{}", o.max_predictions_per_seq)},
          {"max_steps", fmt::format("{}", o.max_steps)},
          {"learning_rate", fmt::format("{}", o.learning_rate)},
          {"warmup_proportion", fmt::format("{}", o.warmup_proportion)},
          {"init", o.init == bert::InitStyle::kRecipe ? "recipe" : "bert"},
          {"seed", fmt::format("{}", o.seed)},
          {"optimizer", o.optimizer == optim::OptimizerKind::kLamb ? "lamb" : "adamw"},
          {"precision", precision_name(o)},
          {io::kConfigSetting, bert::recipe_config_json(config)}};
}

std::string setting(const Settings& settings, const std::string& name) {
  for (const auto& [key, value] : settings) {
    if (key == name) return value;
  }
  return "";
}

std::string describe_differences(const Settings& here, const Settings& there) {
  std::string text;
  for (const auto& [name, value] : here) {
    const auto other = std::find_if(there.begin(), there.end(), [&key = name](const auto& entry) {
      return entry.first == key;
    });
    const std::string theirs = other == there.end() ? "not set" : other->second;
    if (theirs == value) continue;
    if (!text.empty()) text += "; ";
    text += name == io::kConfigSetting
                ? "config_file describes another model"
                : fmt::format("{} is {} here, {} there", name, value, theirs);
  }
  return text;
}

}  // namespace bertha::train
