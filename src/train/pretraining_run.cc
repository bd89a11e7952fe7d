#include "train/pretraining_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "bert/model_sizes.h"
#include "bert/weights.h"
#include "core/counted.h"
#include "core/error.h"
#include "dataset/packing/packing.h"
#include "infer/model.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "io/text_file.h"
#include "io/weights/tensor_source.h"
#include "runlog/quantity_format.h"
#include "train/filled_samples.h"
#include "train/label_counts.h"
#include "train/option_checks.h"

namespace bertha::train {
namespace {

constexpr int64_t kKeptCheckpoints = 3;
constexpr int64_t kSkipsBeforeStop = 5;

/// A random name of the run, for its checkpoints. Training does not depend on it.
std::string make_run_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

void warn_of_fresh_moments(const std::string& path, const MomentsReport& moments) {
  if (moments.fault.empty()) return;
  spdlog::warn("{}: {}: the weights are taken over, the optimizer's moments start from zero", path,
               moments.fault);
}

/// The config, its vocabulary not padded.
bert::Config read_model_config(const PretrainingOptions& options) {
  if (options.size.empty()) return bert::load_config(options.config_file);
  return bert::config_of_size(options.size,
                              text::Vocabulary::load(options.vocab_file.value_or("")).size());
}

dataset::LoaderOptions loader_options(const PretrainingOptions& options, const bert::Config& config,
                                      const comm::Communicator& world) {
  dataset::LoaderOptions result;
  result.rank = world.rank();
  result.ranks = world.ranks();
  result.micro_batch = options.micro_batch();
  result.seed = static_cast<uint64_t>(options.seed);
  result.limits = {.vocab_size = config.vocab_size,
                   .max_position = config.max_tokens(),
                   .max_predictions = options.max_predictions_per_seq};
  return result;
}

}  // namespace

PretrainingRun::PretrainingRun(const PretrainingOptions& options, Device& device,
                               runlog::DlLogger::Print print, const ConfigText& config_text,
                               comm::Communicator& world)
    : options_(options), device_(&device), print_(std::move(print)), world_(world) {
  check_options(options_);
  schedule_ = {.kind = optim::ScheduleKind::kPolyWarmUp,
               .base_rate = options_.learning_rate,
               .warmup = options_.warmup_proportion,
               .total_updates = options_.max_steps};
  optim::check(schedule_);
  config_ = read_model_config(options_).padded();
  if (world_.leads()) read_vocabulary();
  open_data();
  config_text_ = config_text(options_);
  const std::string data = fmt::format("{} shards, {} rows", shards_.size(), loader_->rows());
  record_ = {.run_id = make_run_id(),
             .settings = run_settings(options_, config_, data, world_.ranks()),
             .rows_consumed = 0,
             .skipped_steps = 0,
             .written = {}};
  plan_ = agree_on_start(world_, record_.settings,
                         [this] { return plan_start(options_, record_.settings); });
  for (const std::string& warning : plan_.warnings) spdlog::warn("{}", warning);
  build(device);
  start();
}

/// The vocabulary makes the output folder a model that all commands open. One that was only found
/// beside the config is left out where it does not fit.
void PretrainingRun::read_vocabulary() {
  const std::filesystem::path beside =
      std::filesystem::path(options_.config_file).parent_path() / "vocab.txt";
  if (!options_.vocab_file && !io::exists(beside)) return;
  const std::string path = options_.vocab_file.value_or(beside.string());
  try {
    infer::check_vocabulary(text::Vocabulary::load(path), read_model_config(options_));
    const io::TextFile file(path);
    vocabulary_ = std::string(file.text());
  } catch (const Error& error) {
    if (options_.vocab_file) throw;
    spdlog::warn("{}; it is not kept with the checkpoints", error.what());
  }
}

void PretrainingRun::open_data() {
  shards_ = dataset::find_shards(options_.input_dir);
  const dataset::LoaderOptions settings = loader_options(options_, config_, world_);
  loader_ = std::make_unique<dataset::PretrainingLoader>(shards_, settings);
  settle_packing();
  if (options_.max_seq_length.value_or(loader_->max_seq_length()) != loader_->max_seq_length()) {
    spdlog::warn("--max-seq-length {}: the rows of {} have {} tokens, and are taken as they are",
                 *options_.max_seq_length, options_.input_dir, loader_->max_seq_length());
  }
  loader_->set_turn(options_.gradient_accumulation_steps);
  if (!loader_->packed() && loader_->max_seq_length() > config_.max_tokens()) {
    fail("{}: rows of {} tokens do not fit max_position_embeddings {} of {}", options_.input_dir,
         loader_->max_seq_length(), config_.max_tokens(),
         options_.size.empty() ? options_.config_file : "--size " + options_.size);
  }
  if (options_.eval_dir && world_.leads()) {
    held_out_ = std::make_unique<dataset::PretrainingLoader>(
        dataset::find_test_shards(*options_.eval_dir),
        loader_options(options_, config_, comm::alone()));
  }
}

/// The data decide whether a run is packed. Where the option is given, it must agree with them.
void PretrainingRun::settle_packing() {
  const bool packed = loader_->packed();
  if (options_.packed && *options_.packed != packed) {
    fail("--enable-packed-data-mode {}: the shards of {} are {}",
         *options_.packed ? "True" : "False", options_.input_dir, packed ? "packed" : "not packed");
  }
  if (!packed) return;
  if (const auto known = dataset::read_sequences_a_row(options_.input_dir)) {
    sequences_a_row_ = *known;
  } else {
    const int64_t length = loader_->max_seq_length();
    const std::string missing = dataset::packing_metadata_path(options_.input_dir);
    if (length != 128 && length != 512) {
      fail("{}: missing; it says how many sequences a row of {} holds (bertha prepare pack)",
           missing, options_.input_dir);
    }
    sequences_a_row_ = length == 128 ? 1.2 : 2.0;
    spdlog::warn("{}: MISSING; taking {} sequences a row, the recipe's guess for rows of {} tokens",
                 missing, sequences_a_row_, length);
  }
  const int64_t given = options_.gradient_accumulation_steps;
  settle_packed(options_, sequences_a_row_);
  spdlog::info("packed data, {:.5f} sequences a row: {} accumulation steps in place of {}",
               sequences_a_row_, options_.gradient_accumulation_steps, given);
}

void PretrainingRun::build(Device& device) {
  const DType compute = options_.bf16 ? DType::kBF16 : DType::kF32;
  parameters_ = std::make_unique<bert::ParameterStore>(
      device, config_, bert::Heads::for_pretraining(), compute, true,
      options_.fp8 ? bert::Products::kFp8 : bert::Products::kWide);
  int64_t length = loader_->max_seq_length();
  int64_t masked = loader_->max_predictions();
  int64_t sequences = loader_->sequences_a_row();
  if (held_out_) {
    length = std::max(length, held_out_->max_seq_length());
    masked = std::max(masked, held_out_->max_predictions());
    sequences = std::max(sequences, held_out_->sequences_a_row());
  }
  const int64_t rows = options_.micro_batch();
  TrainerSettings settings;
  settings.compute = compute;
  settings.recompute = options_.checkpoint_activations;
  settings.accumulation = options_.gradient_accumulation_steps;
  settings.sums = options_.sums;
  settings.optimizer.kind = options_.optimizer;
  settings.optimizer.zero = options_.zero;
  settings.seed = static_cast<uint64_t>(options_.seed);
  settings.limits = {.tokens = rows * length,
                     .sequences = rows * sequences,
                     .masked = rows * std::min(masked, length)};
  try {
    trainer_ =
        std::make_unique<PretrainingTrainer>(device, config_, *parameters_, settings, world_);
  } catch (const OutOfMemory& error) {
    throw advise(error, {.batch = options_.train_batch_size,
                         .accumulation = options_.gradient_accumulation_steps,
                         .recompute = options_.checkpoint_activations});
  }
}

void PretrainingRun::start() {
  step_ = plan_.step;
  if (step_ > options_.last_step()) {
    fail("{} is at step {}, past the last step {} of this command", plan_.path, step_,
         options_.last_step());
  }
  if (world_.leads()) {
    load_start();
    take_carried_vocabulary();
  }
  broadcast_state(world_, *parameters_, trainer_->optimizer());
  scatter_fp8_histories(world_, load_histories(), *parameters_);
  if (plan_.kind == StartKind::kContinue) record_ = *plan_.state.run;
  seek_data();
  saved_step_ = plan_.kind == StartKind::kContinue ? step_ : -1;
}

void PretrainingRun::load_start() {
  const auto seed = static_cast<uint64_t>(options_.seed);
  if (plan_.kind == StartKind::kFresh) {
    parameters_->initialise(options_.init, config_, seed);
    return;
  }
  spdlog::info("{} {}", plan_.kind == StartKind::kContinue ? "continuing" : "starting from",
               plan_.path);
  if (plan_.kind != StartKind::kInitial) {
    warn_of_fresh_moments(plan_.path,
                          load_checkpoint(plan_.path, *parameters_, trainer_->optimizer()));
    return;
  }
  const bert::LoadReport report = bert::load_weights(
      plan_.path, *parameters_, {.style = options_.init, .config = config_, .seed = seed});
  for (const std::string& line : report.lines()) spdlog::info("{}", line);
  for (const std::string& line : report.warnings()) spdlog::warn("{}", line);
  const MomentsReport moments =
      load_moments(plan_.path, parameters_->table(), trainer_->optimizer());
  if (moments.taken) spdlog::info("{}: the optimizer's moments are taken over", plan_.path);
  warn_of_fresh_moments(plan_.path, moments);
}

/// Of this very run, on rank 0. A run that starts otherwise finds its scales at the first step.
std::vector<float> PretrainingRun::load_histories() const {
  const bool known = options_.fp8 && plan_.kind == StartKind::kContinue && world_.leads();
  if (!known) return {};
  std::vector<float> histories =
      load_fp8_histories(plan_.path, world_.ranks(), parameters_->fp8_operands());
  if (histories.empty()) {
    spdlog::warn(
        "{}: it holds no fp8 histories of {}: the scales are found again, and the results may "
        "differ from those of a run that was not stopped",
        plan_.path, counted(world_.ranks(), "rank"));
  }
  return histories;
}

/// The weights that this run starts from may carry the vocabulary that no option names.
void PretrainingRun::take_carried_vocabulary() {
  if (!vocabulary_.empty() || plan_.kind == StartKind::kFresh) return;
  std::string carried = io::open_weights(plan_.path)->carried_texts().vocabulary;
  if (carried.empty()) return;
  infer::check_vocabulary(text::Vocabulary::parse(carried, plan_.path), config_);
  vocabulary_ = std::move(carried);
}

/// After a checkpoint of the same data, its epoch continues in its own order of shards.
void PretrainingRun::seek_data() {
  const CheckpointState& state = plan_.state;
  const bool goes_on = plan_.kind == StartKind::kContinue || plan_.kind == StartKind::kOtherOrder;
  if (!goes_on) {
    loader_->seek(0);
    return;
  }
  const bool same_data = !state.run || setting(state.run->settings, kDataSetting) ==
                                           setting(record_.settings, kDataSetting);
  if (!same_data || !loader_->take_order(state.epoch, state.files)) {
    spdlog::warn("{}: its shards are not those of {}: the data starts anew", plan_.path,
                 options_.input_dir);
    loader_->seek(0);
    return;
  }
  loader_->seek(state.run ? state.run->rows_consumed
                          : loader_->position_of(state.epoch, state.file_index));
  const dataset::LoaderState next = loader_->state();
  spdlog::info("the data goes on in epoch {} with {}", next.epoch,
               next.files[static_cast<size_t>(next.file_index)]);
}

void PretrainingRun::open_logs() {
  io::make_folder(options_.output_dir);
  io::write_file(options_.output_dir + "/bert_config.json", bert::recipe_config_json(config_));
  if (!vocabulary_.empty()) io::write_file(options_.output_dir + "/vocab.txt", vocabulary_);
  for (const std::string& name : io::remove_leftovers(options_.output_dir)) {
    spdlog::info("removed {}, left by a run that was killed", name);
  }
  if (options_.json_summary.empty()) options_.json_summary = options_.output_dir + "/dllogger.json";
  log_.open_dllogger(options_.json_summary, print_);
  log_.open_training({.folder = options_.output_dir,
                      .last_record = options_.step_offset() + step_,
                      .tensorboard_dir = options_.tensorboard_dir,
                      .status_line = options_.progress,
                      .label = options_.phase2 ? "phase 2" : "phase 1",
                      .first_step = step_,
                      .total_steps = options_.last_step()});
  log_.parameter("Config", std::vector<std::string>{config_text_});
  log_.parameter("SEED", options_.seed);
  log_.parameter("train_start", true);
  log_.parameter("batch_size_per_pu", options_.micro_batch());
  log_.parameter("learning_rate", options_.learning_rate);
}

RunEnd PretrainingRun::run(const std::atomic<bool>& stop) {
  run_start_ = runlog::wall_now();
  if (world_.leads()) open_logs();
  if (step_ == options_.last_step()) {
    spdlog::info("{} is at the last step, {}: there is nothing left to train", plan_.path, step_);
    return RunEnd::kFinished;
  }
  if (world_.leads()) report_start();
  training_start_ = window_.start = runlog::wall_now();
  world_.vote(stop);
  while (step_ < options_.last_step()) {
    if (agreed_to_stop(stop) || !train_step(stop)) {
      finish(true);
      return RunEnd::kStopped;
    }
  }
  finish(false);
  return RunEnd::kFinished;
}

/// The ranks cast the last vote of a step after its micro-batches. It counts after the step.
bool PretrainingRun::agreed_to_stop(const std::atomic<bool>& stop) {
  return world_.ranks() == 1 ? stop.load() : world_.stop_agreed();
}

/// Whether to drop a step after `done` of its micro-batches. Ranks vote without waiting for each
/// other, so a vote counts after the next micro-batch.
bool PretrainingRun::asked_to_drop(const std::atomic<bool>& stop, int64_t done) {
  const bool last = done == options_.gradient_accumulation_steps;
  if (world_.ranks() == 1) return stop && !last;
  if (done > 1 && world_.stop_agreed() && !last) return true;
  world_.vote(stop);
  return false;
}

/// The forward and backward passes of a step on this rank. False when the step was dropped.
bool PretrainingRun::micro_batches(const std::atomic<bool>& stop, StepSums& sums) {
  const int64_t count = options_.gradient_accumulation_steps;
  const int64_t begin = loader_->position();
  const int64_t first = begin / options_.micro_batch() + world_.rank() * count;
  world_.at(step_ + 1, comm::Stage::kCompute);
  for (int64_t i = 0; i < count; ++i) {
    const PretrainingBatch& batch = next_batch(begin);
    trainer_->micro_batch(batch, static_cast<uint32_t>(first + i));
    sums.tokens += batch.tokens();
    if (asked_to_drop(stop, i + 1)) {
      // A resume starts the step again from its first row.
      rewind(begin);
      return false;
    }
  }
  for (const LossSums& losses : trainer_->losses()) {
    sums.losses += losses;
    last_loss_ = losses.total();
    sums.loss += last_loss_;
    if (!std::isfinite(last_loss_)) ++sums.nonfinite;
  }
  return true;
}

bool PretrainingRun::train_step(const std::atomic<bool>& stop) {
  const int64_t begin = loader_->position();
  StepSums mine;
  if (!micro_batches(stop, mine)) return false;
  const StepSums all = all_reduce_sums(world_, mine);
  if (all.nonfinite > 0) trainer_->optimizer().mark_not_finite();
  trainer_->all_reduce_gradients();
  last_rate_ = optim::learning_rate(schedule_, step_);
  const optim::UpdateResult result = trainer_->update(last_rate_, step_ + 1);
  record_.rows_consumed = loader_->position();
  rows_trained_ += loader_->position() - begin;
  window_.loss += mine.loss;
  window_.loss_of_all_ranks += all.loss;
  window_.micro_batches += options_.gradient_accumulation_steps;
  guard_finite(result);
  if (result.skipped) return true;
  ++step_;
  if (++steps_done_here_ == 1) first_loss_ = all.losses.total();
  log_step(result, all);
  after_step(stop);
  return true;
}

/// A faulty shard ends the run. The weights of the last step are saved first.
const PretrainingBatch& PretrainingRun::next_batch(int64_t step_begin) {
  try {
    return loader_->next();
  } catch (const Error&) {
    rewind(step_begin);
    // The other ranks do not see this failure, so a state that they share cannot be gathered.
    if (steps_done_here_ > 0 && !saves_together()) save();
    throw;
  }
}

void PretrainingRun::rewind(int64_t step_begin) {
  loader_->seek(step_begin);
  record_.rows_consumed = step_begin;
  trainer_->drop_micro_batches();
}

void PretrainingRun::guard_finite(const optim::UpdateResult& result) {
  if (!result.skipped) {
    skipped_in_a_row_ = 0;
    return;
  }
  ++record_.skipped_steps;
  ++skipped_in_a_row_;
  spdlog::warn("step {}: a loss or gradient is not finite; the step is skipped ({} in a row)",
               step_ + 1, skipped_in_a_row_);
  log_.parameter("skipped_steps", record_.skipped_steps);
  if (skipped_in_a_row_ >= kSkipsBeforeStop) {
    fail(
        "step {}: {} steps in a row had a loss or gradient that is not finite; the last good "
        "checkpoint is kept. A lower --learning-rate or a longer --warmup-proportion may help",
        step_ + 1, skipped_in_a_row_);
  }
}

runlog::PretrainingRecord PretrainingRun::record_of(const LossSums& sums) const {
  return {.phase = options_.phase2 ? 2 : 1,
          .step = options_.step_offset() + step_,
          .masked = sums.masked_mean(),
          .next_sentence = sums.next_sentence_mean(),
          .masked_accuracy = sums.masked_accuracy(),
          .next_sentence_accuracy = sums.next_sentence_accuracy()};
}

void PretrainingRun::log_step(const optim::UpdateResult& result, const StepSums& sums) {
  runlog::PretrainingRecord record = record_of(sums.losses);
  record.rate = last_rate_;
  record.gradient_norm = result.gradient_norm;
  log_.step({.step = step_,
             .loss = sums.losses.total(),
             .rate = last_rate_,
             .tokens = sums.tokens,
             .sequences = sums.losses.sequence_count},
            record);
}

/// What is due once a step is done and logged.
void PretrainingRun::after_step(const std::atomic<bool>& stop) {
  const bool last = step_ == options_.last_step();
  if (!last && steps_done_here_ % options_.log_freq == 0) log_averages(false);
  const int64_t check = options_.weight_check_interval;
  if (check > 0 && (last || step_ % check == 0)) check_same_weights(world_, *parameters_, step_);
  if (!last && steps_done_here_ % options_.num_steps_per_checkpoint == 0) save();
  if (held_out_ && (last || (options_.eval_interval > 0 && step_ % options_.eval_interval == 0))) {
    evaluate(stop);
  }
}

void PretrainingRun::log_averages(bool last) {
  const int64_t count = window_.micro_batches;
  const double seconds = runlog::seconds_between(window_.start, runlog::wall_now());
  const double per_batch = seconds / static_cast<double>(std::max<int64_t>(count, 1));
  if (count > 0) {
    // The recipe logs rank 0's mean, but in its last record the mean over ranks.
    const double ranks = last ? static_cast<double>(world_.ranks()) : 1;
    average_loss_ =
        (last ? window_.loss_of_all_ranks : window_.loss) / (static_cast<double>(count) * ranks);
  }
  const double rate = static_cast<double>(options_.micro_batch()) * sequences_a_row_ / per_batch;
  runlog::LogData data;
  if (last) {
    data = {{"final_loss", average_loss_}};
  } else {
    data = {
        {"average_loss", average_loss_}, {"step_loss", last_loss_}, {"learning_rate", last_rate_}};
  }
  data.emplace_back("average_training_time_step", per_batch);
  data.emplace_back("average_perf_per_step", rate);
  log_.averages(loader_->state().epoch, step_, data);
  window_ = {.start = runlog::wall_now()};
}

/// Whether other ranks have a part of the state: moments with ZeRO-1, the histories of fp8.
bool PretrainingRun::saves_together() const {
  return trainer_->optimizer().partitioned() || (options_.fp8 && world_.ranks() > 1);
}

/// Rank 0 writes; the other ranks send it their part of the state.
void PretrainingRun::save() {
  if (options_.skip_checkpoint || saved_step_ == step_) return;
  if (!world_.leads() && !saves_together()) return;
  world_.at(step_, comm::Stage::kSave);
  if (!trainer_->state_is_finite()) {
    fail(
        "step {}: weights or moments are not finite; they are not saved, the last good checkpoint "
        "is kept. A lower --learning-rate or a longer --warmup-proportion may help",
        step_);
  }
  trainer_->optimizer().gather_moments();
  std::vector<float> histories = gather_fp8_histories(world_, *parameters_);
  saved_step_ = step_;
  if (world_.leads()) write_checkpoint(std::move(histories));
  trainer_->optimizer().drop_gathered_moments();
}

void PretrainingRun::write_checkpoint(std::vector<float> fp8_histories) {
  log_.checkpoint(step_);
  const std::string name = fmt::format("ckpt_{}.pt", options_.step_offset() + step_);
  const dataset::LoaderState data = loader_->state();
  std::erase(record_.written, name);
  record_.written.push_back(name);
  const CheckpointState state = {.step = step_,
                                 .files = data.files,
                                 .file_index = data.file_index + 1,
                                 .epoch = data.epoch,
                                 .run = record_,
                                 .vocabulary = vocabulary_,
                                 .fp8_histories = std::move(fp8_histories)};
  const OptimizerRecord optimizer = {.rate = last_rate_,
                                     .initial_rate = options_.learning_rate,
                                     .warmup = options_.warmup_proportion,
                                     .total_steps = options_.max_steps,
                                     .max_gradient_norm = 1,
                                     .adam = {}};
  save_checkpoint(options_.output_dir + "/" + name, *parameters_, trainer_->optimizer(), state,
                  optimizer);
  prune_checkpoints();
}

void PretrainingRun::prune_checkpoints() {
  while (std::ssize(record_.written) > kKeptCheckpoints) {
    std::error_code ignored;  // one that is gone already is what we want
    std::filesystem::remove(options_.output_dir + "/" + record_.written.front(), ignored);
    record_.written.erase(record_.written.begin());
  }
}

/// Rank 0 alone evaluates. A request to stop ends the evaluation without a result.
void PretrainingRun::evaluate(const std::atomic<bool>& stop) {
  held_out_->seek(0);
  LossSums sums;
  LabelCounts labels(config_.vocab_size);
  const int64_t available =
      (held_out_->rows() + options_.micro_batch() - 1) / options_.micro_batch();
  for (int64_t i = 0; i < std::min(options_.eval_batches, available); ++i) {
    if (stop) {
      spdlog::info("step {}: the evaluation is left out, as the run is asked to stop", step_);
      return;
    }
    const PretrainingBatch& batch = held_out_->next();
    sums += trainer_->evaluate(batch);
    labels.add(batch.masked_labels);
  }
  runlog::PretrainingRecord record = record_of(sums);
  record.held_out = true;
  log_.evaluation(loader_->state().epoch, step_, record);
  spdlog::info(
      "held-out masked words at step {}: loss {:.3f}, {:.1f} % right; knowing how often "
      "each word occurs gives {:.3f}",
      step_, record.masked, 100 * record.masked_accuracy, labels.entropy());
  last_evaluation_ = fmt::format("held-out {:.3f} with {:.1f} % right", record.masked,
                                 100 * record.masked_accuracy);
}

void PretrainingRun::finish(bool stopped) {
  log_.finish();
  log_averages(true);
  if (steps_done_here_ > 0 || !stopped) save();
  const runlog::WallTime end = runlog::wall_now();
  const double training_seconds = runlog::seconds_between(training_start_, end);
  log_.summary({{"e2e_train_time", runlog::seconds_between(run_start_, end)},
                {"training_sequences_per_second",
                 static_cast<double>(rows_trained_) * sequences_a_row_ / training_seconds},
                {"final_loss", average_loss_},
                {"raw_train_time", training_seconds}});
  if (world_.leads() && steps_done_here_ > 0) report_end(training_seconds, stopped);
}

/// Throws Error when the disk has no room for a checkpoint.
void PretrainingRun::report_start() {
  const int64_t parameters = parameters_->table().parameter_count();
  RunStart start;
  start.config = &config_;
  start.device = device_;
  start.parameters = parameters;
  start.precision = precision_name(options_);
  start.ranks = world_.ranks();
  start.data = fmt::format("{}, {} {} of {} tokens", counted(std::ssize(shards_), "shard"),
                           runlog::format_count(loader_->rows()), noun_for(loader_->rows(), "row"),
                           loader_->max_seq_length());
  start.first_step = step_;
  start.last_step = options_.last_step();
  start.rows_a_step = static_cast<double>(options_.micro_batch() *
                                          options_.gradient_accumulation_steps * world_.ranks());
  start.rows = loader_->rows();
  start.folder = options_.output_dir;
  start.checkpoint_bytes = options_.skip_checkpoint ? 0 : checkpoint_bytes(parameters);
  check_room(start);
  start_lines_ = start_lines(start);
  for (const std::string& line : start_lines_) spdlog::info("{}", line);
}

void PretrainingRun::report_end(double seconds, bool stopped) {
  const std::string& folder = options_.output_dir;
  RunSummary summary = {.steps = steps_done_here_,
                        .seconds = seconds,
                        .first_loss = first_loss_,
                        .last_loss = average_loss_,
                        .evaluation = last_evaluation_,
                        .written = {},
                        .next = {}};
  if (saved_step_ == step_) summary.written.push_back(folder + "/" + record_.written.back());
  for (const std::string& path : log_.history_files()) summary.written.push_back(path);
  summary.written.push_back(options_.json_summary);
  if (!stopped) {
    summary.next =
        vocabulary_.empty()
            ? fmt::format("bertha inspect {}", folder)
            : fmt::format("bertha fill --init-checkpoint={} \"Paris is the [MASK] of France.\"",
                          folder);
  }
  write_report(summary, stopped);
  for (const std::string& line : end_lines(summary)) spdlog::info("{}", line);
}

/// report.html. The words that the model fills in come from held-out data where there are any.
void PretrainingRun::write_report(const RunSummary& summary, bool stopped) {
  runlog::RunReportPage page;
  page.title = options_.phase2 ? "Pre-training, phase 2" : "Pre-training, phase 1";
  page.lines = start_lines_;
  for (const std::string& line : end_lines(summary)) page.lines.push_back(line);
  page.lines.push_back(fmt::format(
      "speed: {:.1f} sequences a second",
      static_cast<double>(rows_trained_) * sequences_a_row_ / std::max(summary.seconds, 1e-9)));
  if (!stopped && !vocabulary_.empty() && saved_step_ == step_) {
    dataset::PretrainingLoader& data = held_out_ ? *held_out_ : *loader_;
    data.seek(0);
    try {
      page.tables.push_back(filled_samples(options_.output_dir, *device_, data.next()));
    } catch (const Error& error) {
      spdlog::warn("the report has no words filled in: {}", error.what());
    }
  }
  page.tables.push_back(settings_table(record_.settings));
  log_.report(page);
}

}  // namespace bertha::train
