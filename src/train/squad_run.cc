#include "train/squad_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "bert/question_answering.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "io/archive/crc32.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "train/model_folder_writer.h"
#include "train/option_checks.h"
#include "train/pretraining_options.h"
#include "train/rank_agreement.h"
#include "train/run_report.h"

namespace bertha::train {
namespace {

void warn(const std::string& path, const tasks::Problems& problems) {
  for (const std::string& line : problems.lines()) spdlog::warn("{}: {}", path, line);
}

void report_unknown(const std::string& path, const tasks::SquadFeatures& features,
                    const text::Tokenizer& tokenizer) {
  const text::UnknownShare share = features.unknown();
  spdlog::info("{}: {}", path, share.text(tokenizer));
  const std::string warning = share.warning(tokenizer, path);
  if (!warning.empty()) spdlog::warn("{}", warning);
}

/// Reads a SQuAD file and keeps its first `limit` questions; -1 keeps all.
tasks::SquadFile read_some(const std::string& path, int64_t limit) {
  tasks::SquadFile file = tasks::read_squad(path);
  warn(path, file.problems);
  if (limit >= 0 && limit < std::ssize(file.questions)) {
    file.questions.resize(static_cast<size_t>(limit));
  }
  return file;
}

tasks::SquadFeatureOptions for_answering(tasks::SquadFeatureOptions options) {
  options.training = false;
  return options;
}

/// As in the recipe, a vocabulary of which nothing states the case is cased without
/// --do_lower_case.
infer::ModelFiles files_of(const SquadOptions& options) {
  check_options(options);
  infer::ModelFiles files = infer::find_model(options.init_checkpoint);
  files.config = options.config_file;
  files.vocabulary = options.vocab_file;
  if (options.lower_case) files.lower_case = true;
  files.lower_case_otherwise = false;
  files.rules = options.rules;
  return files;
}

}  // namespace

void check_options(const SquadOptions& options) {
  check_at_least("gradient-accumulation-steps", options.gradient_accumulation_steps, 1);
  check_at_least("train-batch-size", options.train_batch_size, 1);
  check_at_least("predict-batch-size", options.predict_batch_size, 1);
  check_at_least("log-freq", options.log_freq, 1);
  check_at_least("throughput-warmup-steps", options.throughput_warmup_steps, 0);
  check_at_least("num-steps-per-checkpoint", options.save_steps, 0);
  check_at_least("eval-steps", options.eval_steps, 0);
  check_micro_batches(options.train_batch_size, options.gradient_accumulation_steps);
  if (!(options.num_train_epochs >= 0 && options.num_train_epochs < 1e6)) {
    fail("--num-train-epochs is {}; expected 0 or more", options.num_train_epochs);
  }
  tasks::check(options.features);
}

SquadRun::SquadRun(const SquadOptions& options, Device& device, runlog::DlLogger::Print print,
                   std::string config_text, comm::Communicator& world)
    : options_(options),
      device_(device),
      world_(world),
      config_text_(std::move(config_text)),
      definition_(std::make_shared<const infer::ModelDefinition>(files_of(options))) {
  check_lengths();
  options_.features.threads = thread_count();
  if (world_.leads()) open_log(std::move(print));
}

void SquadRun::check_lengths() const {
  if (options_.features.max_seq_length > config().max_tokens()) {
    fail("--max-seq-length {} is more than max_position_embeddings {} of {}",
         options_.features.max_seq_length, config().max_tokens(),
         options_.config_file.empty() ? options_.init_checkpoint : options_.config_file);
  }
}

void SquadRun::open_log(runlog::DlLogger::Print print) {
  io::make_folder(options_.output_dir);
  if (options_.json_summary.empty()) options_.json_summary = options_.output_dir + "/dllogger.json";
  log_.open_dllogger(options_.json_summary, std::move(print));
}

RunEnd SquadRun::run(const std::atomic<bool>& stop) {
  log_.parameter("Config", std::vector<std::string>{config_text_});
  log_.parameter("SEED", options_.seed);
  load_model();
  if (!options_.train_file.empty() && !train(stop)) return RunEnd::kStopped;
  if (!options_.predict_file.empty()) predict(stop);
  return RunEnd::kFinished;
}

void SquadRun::load_model() {
  const bool training = !options_.train_file.empty();
  log_.parameter("loading_checkpoint", true);
  model_ = infer::Model::open(
      definition_, device_,
      {.purpose = infer::Purpose::kAnswer,
       .arithmetic = options_.arithmetic,
       .trainable = training,
       .seed = static_cast<uint64_t>(options_.seed),
       .on_missing = [](const std::string& warning) { spdlog::warn("{}", warning); }});
  log_loaded(model_->report().weights, training);
  broadcast_weights(world_, model_->parameters());
  log_.parameter("loaded_checkpoint", true);
  log_.parameter("model_weights_num", model_->parameters().table().parameter_count());
}

/// Returns false when a request to stop ended the training.
bool SquadRun::train(const std::atomic<bool>& stop) {
  const tasks::SquadFile file = read_some(options_.train_file, options_.max_questions);
  tasks::SquadFeatureOptions settings = options_.features;
  settings.training = true;
  const tasks::SquadFeatures features(file, tokenizer(), settings);
  report_unknown(file.path, features, tokenizer());
  warn(options_.train_file, features.problems());
  const int64_t windows = std::ssize(features.windows());
  if (windows == 0) fail("{}: no question to train on", options_.train_file);
  bert::QuestionAnsweringModel trained(config(), model_->parameters());
  FineTuningRun training(job_of(features), device_, model_->parameters(), trained, log_, world_);
  const RunEnd end = training.run(stop);
  summarize_training(training, windows);
  if (end == RunEnd::kStopped) return false;
  training.begin_folder();
  if (!options_.skip_checkpoint) save();
  training.finish_folder();
  report_end(training);
  return true;
}

/// The settings that determine the trained weights.
Settings SquadRun::settings_of(const tasks::SquadFeatures& features) const {
  const SquadOptions& o = options_;
  const io::MappedFile file(o.train_file);
  const auto text = [](auto value) { return fmt::format("{}", value); };
  return {{kDataSetting, fmt::format("{} windows of a file with CRC {:08x}",
                                     features.windows().size(), io::crc32(file.bytes()))},
          {"init_checkpoint", o.init_checkpoint},
          {"windows an update over all ranks", text(o.train_batch_size * world_.ranks())},
          {"gradient_accumulation_steps", text(o.gradient_accumulation_steps)},
          {"learning_rate", text(o.learning_rate)},
          {"num_train_epochs", text(o.num_train_epochs)},
          {"warmup_proportion", text(o.warmup_proportion)},
          {"use_fused_adam", text(o.fused_adam)},
          {"adam_bias_correction", text(o.bias_correction)},
          {"per_param_grad_clipping", text(o.clip_each)},
          {"seed", text(o.seed)},
          {"dropout", text(o.dropout)},
          {"max_seq_length", text(o.features.max_seq_length)},
          {"doc_stride", text(o.features.doc_stride)},
          {"max_query_length", text(o.features.max_query_length)},
          {"version_2_with_negative", text(o.answers.version_2)},
          {"do_lower_case", text(o.lower_case)},
          {"precision", infer::name_of(o.arithmetic)},
          {"config_file", bert::recipe_config_json(config())}};
}

FineTuningJob SquadRun::job_of(const tasks::SquadFeatures& features) {
  const SquadOptions& o = options_;
  // The recipe's schedule counts questions, while its loop counts windows.
  const int64_t examples = std::ssize(features.examples());
  const int64_t batches = examples / (o.train_batch_size * world_.ranks());
  const double steps = static_cast<double>(batches) * o.num_train_epochs;
  log_.parameter("train_start", true);
  log_.parameter("training_samples", examples);
  log_.parameter("training_features", std::ssize(features.windows()));
  log_.parameter("train_batch_size", o.micro_batch());
  log_.parameter("steps", steps);
  FineTuningJob job;
  job.rows = std::ssize(features.windows());
  job.append = [&features](int64_t row, TaskBatch& batch) {
    const tasks::SquadWindow& window = features.windows()[static_cast<size_t>(row)];
    features.append(window, batch);
    batch.labels.push_back(window.start_position);
    batch.labels.push_back(window.end_position);
  };
  job.rows_name = "windows";
  job.config = &config();
  job.labels_of = [](int64_t) { return 2; };
  job.max_tokens_a_row = o.features.max_seq_length;
  job.micro_batch = o.micro_batch() * world_.ranks();
  job.accumulation = o.gradient_accumulation_steps;
  job.epochs = static_cast<int64_t>(o.num_train_epochs);
  job.max_updates = o.max_steps;
  job.schedule = {.kind = optim::ScheduleKind::kLinearWarmUp,
                  .base_rate = o.learning_rate,
                  .warmup = o.warmup_proportion,
                  .total_updates = std::max<int64_t>(1, std::llround(std::floor(steps))),
                  .offset = o.fused_adam ? 1 : 0};
  job.trainer = {.recompute = o.checkpoint_activations,
                 .train_pooler = false,
                 .seed = static_cast<uint64_t>(o.seed),
                 .dropout = o.dropout,
                 .sums = o.sums};
  job.trainer.optimizer.clip_each = o.clip_each || !o.fused_adam;
  job.trainer.optimizer.bias_correction = o.bias_correction;
  job.trainer.optimizer.zero = o.zero;
  job.settings = settings_of(features);
  job.folder = o.output_dir;
  job.title = "Fine-tuning on SQuAD";
  job.input = o.init_checkpoint;
  job.overwrite = o.overwrite;
  job.save_steps = o.save_steps;
  job.weight_check_interval = o.weight_check_interval;
  job.keep_state = !o.skip_checkpoint;
  job.tensorboard_dir = o.tensorboard_dir;
  job.progress = o.progress;
  job.eval_steps = o.eval_steps;
  job.evaluate = [this](const infer::RunControls& controls) { return evaluate(controls); };
  job.log_freq = o.log_freq;
  job.timed_from = o.throughput_warmup_steps;
  warn_of_idle_updates(job);
  return job;
}

/// A long passage gives a question many windows, so the schedule may end long before the loop.
void SquadRun::warn_of_idle_updates(const FineTuningJob& job) const {
  const int64_t micro_batches = (job.rows + job.micro_batch - 1) / job.micro_batch;
  const int64_t all = micro_batches / job.accumulation * job.epochs;
  const int64_t updates = job.max_updates > 0 ? std::min(all, job.max_updates) : all;
  const int64_t useful = job.schedule.total_updates;
  if (!world_.leads() || updates - useful <= updates / 10) return;
  spdlog::warn(
      "the schedule counts questions, as the recipe's does, and the loop their windows: the "
      "learning rate is 0 for the last {} of {} updates; --max-steps={} ends there, more "
      "--num-train-epochs make the schedule longer",
      updates - useful, updates, useful);
}

void SquadRun::summarize_training(const FineTuningRun& training, int64_t windows) {
  const auto batch = static_cast<double>(options_.train_batch_size * world_.ranks());
  const auto warm_up = static_cast<double>(options_.throughput_warmup_steps);
  const double all = options_.max_steps > 0
                         ? batch * static_cast<double>(options_.max_steps)
                         : static_cast<double>(windows) * options_.num_train_epochs;
  const double sequences = all - batch * warm_up - static_cast<double>(training.rows_before());
  log_.summary({{"e2e_train_time", training.seconds()},
                {"training_sequences_per_second", sequences / training.seconds()},
                {"final_loss", training.final_loss()}});
}

void SquadRun::report_end(const FineTuningRun& training) const {
  const std::string& folder = options_.output_dir;
  if (options_.skip_checkpoint) return training.report_end({}, "");
  training.report_end(
      {folder + "/model.safetensors", folder + "/pytorch_model.bin"},
      fmt::format("bertha ask --init-checkpoint={} --question … --passage …", folder));
}

void SquadRun::save() {
  if (!world_.leads()) return;
  write_model_folder({.folder = options_.output_dir,
                      .model = bert::ModelClass::kQuestionAnswering,
                      .vocabulary = &definition_->vocabulary(),
                      .tokenizer = tokenizer().options()},
                     config(), model_->parameters());
}

SquadRun::Questions::Questions(tasks::SquadFile read, const text::Tokenizer& tokenizer,
                               const SquadOptions& options)
    : file(std::move(read)), features(file, tokenizer, for_answering(options.features)) {
  warn(file.path, features.problems());
  report_unknown(file.path, features, tokenizer);
  if (features.windows().empty()) fail("{}: no question to answer", file.path);
}

std::vector<tasks::QuestionAnswers> SquadRun::answers_to(const Questions& questions,
                                                         const infer::RunControls& controls) {
  if (!answer_) {
    answer_ = std::make_unique<infer::AnswerTask>(
        *model_, infer::AnswerSettings{.features = options_.features,
                                       .answers = options_.answers,
                                       .batch_windows = options_.predict_batch_size});
  }
  return answer_->run(questions.features, world_, controls);
}

runlog::Scores SquadRun::evaluate(const infer::RunControls& controls) {
  if (!evaluation_) {
    evaluation_ = std::make_unique<Questions>(
        read_some(options_.eval_file, options_.eval_questions), tokenizer(), options_);
  }
  const std::vector<tasks::QuestionAnswers> answers = answers_to(*evaluation_, controls);
  if (!world_.leads()) return {};
  const tasks::SquadScores scores =
      tasks::score_squad(evaluation_->file, by_id(answers), options_.answers.version_2);
  return {{"exact_match", scores.all.exact_match}, {"F1", scores.all.f1}};
}

void SquadRun::predict(const std::atomic<bool>& stop) {
  const Questions questions(read_some(options_.predict_file, -1), tokenizer(), options_);
  const int64_t windows = std::ssize(questions.features.windows());
  log_.parameter("infer_start", true);
  log_.parameter("eval_samples", std::ssize(questions.features.examples()));
  log_.parameter("eval_features", windows);
  log_.parameter("predict_batch_size", options_.predict_batch_size);
  log_.parameter("eval_start", true);
  log_.parameter("sample_number", int64_t{0});
  int64_t marks = 1;  // the log gets a record for every 1000 windows
  const runlog::WallTime start = runlog::wall_now();
  const auto log_marks = [&](int64_t done) {
    for (; marks * 1000 <= done; ++marks) log_.parameter("sample_number", marks * 1000);
  };
  std::vector<tasks::QuestionAnswers> answers;
  try {
    answers = answers_to(questions, {.after_batch = log_marks, .stop = &stop});
  } catch (const infer::Stopped&) {
    fail("stopped by a signal while answering {}: there are no predictions{}",
         options_.predict_file,
         options_.train_file.empty() || options_.skip_checkpoint
             ? ""
             : "; the fine-tuned model is in " + options_.output_dir +
                   ", --init-checkpoint takes it without --do-train");
  }
  const double seconds = runlog::seconds_between(start, runlog::wall_now());
  if (!world_.leads()) return;
  const std::string path = options_.output_dir + "/predictions.json";
  if (options_.train_file.empty() && !options_.overwrite && io::exists(path)) {
    // As the recipe does, whose users run the same command line again.
    spdlog::warn("{}: an earlier command wrote it; it is replaced", path);
  }
  io::write_file(path, tasks::predictions_json(answers));
  const std::string nbest = options_.output_dir + "/nbest_predictions.json";
  io::write_file(nbest, tasks::nbest_json(answers));
  spdlog::info("written: {}, {}", path, nbest);
  log_.summary({{"e2e_inference_time", seconds},
                {"inference_sequences_per_second", static_cast<double>(windows) / seconds}});
  if (options_.do_eval) score(questions.file, answers);
}

void SquadRun::score(const tasks::SquadFile& gold,
                     const std::vector<tasks::QuestionAnswers>& answers) {
  const tasks::SquadScores scores =
      tasks::score_squad(gold, by_id(answers), options_.answers.version_2);
  if (scores.unanswered > 0) {
    spdlog::warn("{} of {} questions have no answer and score 0", scores.unanswered,
                 scores.all.questions);
  }
  log_.summary({{"exact_match", scores.all.exact_match}, {"F1", scores.all.f1}});
}

}  // namespace bertha::train
