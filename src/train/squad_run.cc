#include "train/squad_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include "bert/weights.h"
#include "core/error.h"
#include "core/threads.h"
#include "io/atomic_file.h"
#include "train/model_folder.h"
#include "train/squad_predictor.h"

namespace bertha::train {
namespace {

constexpr int64_t kSkipsBeforeStop = 5;

double seconds_between(WallTime from, WallTime to) {
  return std::chrono::duration<double>(to - from).count();
}

void warn(const std::string& path, const dataset::Problems& problems) {
  for (const std::string& line : problems.lines()) spdlog::warn("{}: {}", path, line);
}

void check_at_least(const char* name, int64_t value, int64_t least) {
  if (value < least) fail("--{} is {}; expected {} or more", name, value, least);
}

}  // namespace

void check_options(const SquadOptions& options) {
  check_at_least("gradient_accumulation_steps", options.gradient_accumulation_steps, 1);
  check_at_least("train_batch_size", options.train_batch_size, 1);
  check_at_least("predict_batch_size", options.predict_batch_size, 1);
  check_at_least("log_freq", options.log_freq, 1);
  check_at_least("throughput_warmup_steps", options.throughput_warmup_steps, 0);
  if (options.train_batch_size % options.gradient_accumulation_steps != 0) {
    fail("--train_batch_size {} is no multiple of --gradient_accumulation_steps {}",
         options.train_batch_size, options.gradient_accumulation_steps);
  }
  if (!(options.num_train_epochs >= 0 && options.num_train_epochs < 1e6)) {
    fail("--num_train_epochs is {}; expected 0 or more", options.num_train_epochs);
  }
  dataset::check(options.features);
}

SquadRun::SquadRun(const SquadOptions& options, Device& device, DlLogger::Print print,
                   std::string config_text)
    : options_(options),
      device_(device),
      config_text_(std::move(config_text)),
      config_((check_options(options), bert::load_config(options.config_file).padded())),
      vocabulary_(text::Vocabulary::load(options.vocab_file)),
      tokenizer_(vocabulary_, {.lower_case = options.lower_case, .rules = options.rules}) {
  if (vocabulary_.size() > config_.vocab_size) {
    fail("{} has {} pieces, {} says vocab_size {}", options_.vocab_file, vocabulary_.size(),
         options_.config_file, config_.vocab_size);
  }
  if (options_.features.max_seq_length > config_.max_position_embeddings) {
    fail("--max_seq_length {} is more than max_position_embeddings {} of {}",
         options_.features.max_seq_length, config_.max_position_embeddings, options_.config_file);
  }
  options_.features.threads = thread_count();
  std::error_code failure;
  std::filesystem::create_directories(options_.output_dir, failure);
  if (failure) fail("{}: cannot make this folder: {}", options_.output_dir, failure.message());
  log_ = DlLogger(options_.json_summary, AppendFile::Start::kEmpty, std::move(print));
}

void SquadRun::run() {
  log_.parameter("Config", std::vector<std::string>{config_text_});
  log_.parameter("SEED", options_.seed);
  load_model();
  if (!options_.train_file.empty()) train();
  if (!options_.predict_file.empty()) predict();
}

void SquadRun::load_model() {
  const bool training = !options_.train_file.empty();
  const DType compute = options_.bf16 ? DType::kBF16 : DType::kF32;
  parameters_ = std::make_unique<bert::ParameterStore>(
      device_, config_, bert::Heads{.question_answering = true}, compute, training);
  log_.parameter("loading_checkpoint", true);
  const bert::LoadReport report =
      bert::load_weights(options_.init_checkpoint, *parameters_,
                         {.config = config_, .seed = static_cast<uint64_t>(options_.seed)});
  for (const std::string& line : report.lines()) spdlog::info("{}", line);
  const bool headless = std::find(report.fresh.begin(), report.fresh.end(), "qa_outputs.weight") !=
                        report.fresh.end();
  if (headless && !training) {
    spdlog::warn(
        "{} has no question answering head: answers will be random. Fine-tune first (--do_train) "
        "and predict from the pytorch_model.bin that it writes",
        options_.init_checkpoint);
  }
  log_.parameter("loaded_checkpoint", true);
  log_.parameter("model_weights_num", parameters_->table().parameter_count());
  model_ = std::make_unique<bert::QuestionAnsweringModel>(config_, *parameters_);
}

std::unique_ptr<Progress> SquadRun::make_progress(const std::string& label, int64_t total) const {
  if (!options_.progress) return nullptr;
  return std::make_unique<Progress>(label, 0, total, stderr_terminal(),
                                    [](std::string_view text) { fmt::print(stderr, "{}", text); });
}

void SquadRun::train() {
  dataset::SquadFile file = dataset::read_squad(options_.train_file);
  warn(options_.train_file, file.problems);
  if (options_.max_questions >= 0 && options_.max_questions < std::ssize(file.questions)) {
    file.questions.resize(static_cast<size_t>(options_.max_questions));
  }
  dataset::SquadFeatureOptions settings = options_.features;
  settings.training = true;
  const dataset::SquadFeatures features(file, tokenizer_, settings);
  warn(options_.train_file, features.problems());
  const int64_t windows = std::ssize(features.windows());
  if (windows == 0) fail("{}: no question to train on", options_.train_file);
  // The recipe's schedule counts questions, its loop windows.
  const int64_t batches = std::ssize(features.examples()) / options_.train_batch_size;
  const double steps = static_cast<double>(batches) * options_.num_train_epochs;
  schedule_ = {.kind = optim::ScheduleKind::kLinearWarmUp,
               .base_rate = options_.learning_rate,
               .warmup = options_.warmup_proportion,
               .total_updates = std::max<int64_t>(1, std::llround(std::floor(steps))),
               .offset = options_.fused_adam ? 1 : 0};
  optim::check(schedule_);
  log_.parameter("train_start", true);
  log_.parameter("training_samples", std::ssize(features.examples()));
  log_.parameter("training_features", windows);
  log_.parameter("train_batch_size", options_.micro_batch());
  log_.parameter("steps", steps);
  const int64_t rows = std::min(options_.micro_batch(), windows);
  FineTuningTrainer trainer(device_, *parameters_, *model_,
                            {.compute = parameters_->compute_dtype(),
                             .recompute = options_.checkpoint_activations,
                             .accumulation = options_.gradient_accumulation_steps,
                             .train_pooler = false,
                             .clip_each = options_.clip_each || !options_.fused_adam,
                             .seed = static_cast<uint64_t>(options_.seed),
                             .dropout = options_.dropout,
                             .max_tokens = rows * options_.features.max_seq_length,
                             .max_sequences = rows});
  train_epochs(features, trainer);
  summarize_training(windows);
  if (!options_.skip_checkpoint) save();
}

void SquadRun::train_epochs(const dataset::SquadFeatures& features, FineTuningTrainer& trainer) {
  const int64_t windows = std::ssize(features.windows());
  const int64_t steps = (windows + options_.micro_batch() - 1) / options_.micro_batch();
  const auto epochs = static_cast<int64_t>(options_.num_train_epochs);
  const int64_t updates = epochs * (steps / options_.gradient_accumulation_steps);
  progress_ = make_progress(
      "fine-tuning", options_.max_steps > 0 ? std::min(options_.max_steps, updates) : updates);
  train_start_ = wall_now();
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const std::vector<int64_t> order =
        epoch_order(windows, static_cast<uint64_t>(options_.seed), epoch);
    for (int64_t step = 0; step < steps; ++step) {
      if (options_.max_steps > 0 && global_step_ >= options_.max_steps) break;
      if (epoch == 0 && step == options_.throughput_warmup_steps) train_start_ = wall_now();
      const int64_t begin = step * options_.micro_batch();
      const int64_t count = std::min(options_.micro_batch(), windows - begin);
      train_step(features, trainer,
                 std::span(order).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
                 epoch, step);
    }
  }
  if (progress_) progress_->finish();
  if (loss_count_ > 0) final_loss_ = loss_sum_ / static_cast<double>(loss_count_);
}

void SquadRun::train_step(const dataset::SquadFeatures& features, FineTuningTrainer& trainer,
                          std::span<const int64_t> members, int64_t epoch, int64_t step) {
  batch_.clear();
  for (const int64_t member : members) {
    const dataset::SquadWindow& window = features.windows()[static_cast<size_t>(member)];
    features.append(window, batch_);
    batch_.labels.push_back(window.start_position);
    batch_.labels.push_back(window.end_position);
  }
  const TaskLoss loss = trainer.micro_batch(batch_, draws_++);
  loss_sum_ += loss.mean;
  ++loss_count_;
  if ((step + 1) % options_.gradient_accumulation_steps == 0) {
    last_rate_ = optim::learning_rate(schedule_, global_step_);
    guard_finite(trainer.update(last_rate_));
    ++global_step_;
    if (progress_) progress_->update(global_step_, loss.mean, batch_.tokens(), batch_.sequences());
  }
  if (step % options_.log_freq == 0) log_training(epoch);
}

void SquadRun::guard_finite(bool finite) {
  skipped_in_a_row_ = finite ? 0 : skipped_in_a_row_ + 1;
  if (finite) return;
  if (progress_) progress_->clear();
  spdlog::warn("update {}: a loss or gradient is not finite; the update is skipped ({} in a row)",
               global_step_ + 1, skipped_in_a_row_);
  if (skipped_in_a_row_ >= kSkipsBeforeStop) {
    fail(
        "update {}: {} updates in a row had a loss or gradient that is not finite; a lower "
        "--learning_rate may help",
        global_step_ + 1, skipped_in_a_row_);
  }
}

void SquadRun::log_training(int64_t epoch) {
  if (progress_) progress_->clear();
  final_loss_ = loss_sum_ / static_cast<double>(loss_count_);
  loss_sum_ = 0;
  loss_count_ = 0;
  log_.step(epoch, global_step_, {{"step_loss", final_loss_}, {"learning_rate", last_rate_}});
}

void SquadRun::summarize_training(int64_t features) {
  const double seconds = seconds_between(train_start_, wall_now());
  const auto batch = static_cast<double>(options_.train_batch_size);
  const auto warm_up = static_cast<double>(options_.throughput_warmup_steps);
  const double sequences =
      options_.max_steps > 0
          ? batch * (static_cast<double>(options_.max_steps) - warm_up)
          : static_cast<double>(features) * options_.num_train_epochs - batch * warm_up;
  log_.summary({{"e2e_train_time", seconds},
                {"training_sequences_per_second", sequences / seconds},
                {"final_loss", final_loss_}});
}

void SquadRun::save() {
  write_model_folder({.folder = options_.output_dir,
                      .model = bert::ModelClass::kQuestionAnswering,
                      .vocabulary = &vocabulary_,
                      .tokenizer = tokenizer_.options()},
                     config_, *parameters_);
  spdlog::info("{}: the fine-tuned model, pytorch_model.bin and model.safetensors",
               options_.output_dir);
}

void SquadRun::predict() {
  const dataset::SquadFile file = dataset::read_squad(options_.predict_file);
  warn(options_.predict_file, file.problems);
  dataset::SquadFeatureOptions settings = options_.features;
  settings.training = false;
  const dataset::SquadFeatures features(file, tokenizer_, settings);
  warn(options_.predict_file, features.problems());
  const int64_t windows = std::ssize(features.windows());
  if (windows == 0) fail("{}: no question to answer", options_.predict_file);
  log_.parameter("infer_start", true);
  log_.parameter("eval_samples", std::ssize(features.examples()));
  log_.parameter("eval_features", windows);
  log_.parameter("predict_batch_size", options_.predict_batch_size);
  const int64_t rows = std::min(options_.predict_batch_size, windows);
  TaskPredictor predictor(device_, *parameters_, *model_, rows * options_.features.max_seq_length,
                          rows);
  const SquadAnswerer answerer(features, tokenizer_, options_.answers);
  log_.parameter("eval_start", true);
  log_.parameter("sample_number", int64_t{0});
  int64_t marks = 1;  // a record for every 1000 windows
  const WallTime start = wall_now();
  const std::vector<WindowAnswers> read =
      predict_windows(predictor, features, answerer, rows, [&](int64_t done) {
        for (; marks * 1000 <= done; ++marks) log_.parameter("sample_number", marks * 1000);
      });
  const double seconds = seconds_between(start, wall_now());
  const std::vector<QuestionAnswers> answers = answerer.merge(read);
  io::write_file(options_.output_dir + "/predictions.json", predictions_json(answers));
  io::write_file(options_.output_dir + "/nbest_predictions.json", nbest_json(answers));
  log_.summary({{"e2e_inference_time", seconds},
                {"inference_sequences_per_second", static_cast<double>(windows) / seconds}});
  if (options_.do_eval) score(file, answers);
}

void SquadRun::score(const dataset::SquadFile& gold, const std::vector<QuestionAnswers>& answers) {
  const SquadScores scores = score_squad(gold, by_id(answers), options_.answers.version_2);
  if (scores.unanswered > 0) {
    spdlog::warn("{} of {} questions have no answer and score 0", scores.unanswered,
                 scores.all.questions);
  }
  log_.summary({{"exact_match", scores.all.exact_match}, {"F1", scores.all.f1}});
}

}  // namespace bertha::train
