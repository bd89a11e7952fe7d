#include "train/fine_tuning_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "io/file_status.h"
#include "runlog/quantity_format.h"
#include "train/model_overwrite.h"
#include "train/option_checks.h"
#include "train/pretraining_options.h"
#include "train/rank_agreement.h"
#include "train/run_report.h"

namespace bertha::train {
namespace {

constexpr int64_t kSkipsBeforeStop = 5;
constexpr int64_t kMostParts = 8;  // more would leave little to compute at a time

std::string state_in(const std::string& folder) {
  return folder + "/fine_tuning.pt";
}

/// Parts of a micro-batch over all ranks: under fixed_order a power of two that its rows and not
/// the ranks decide, so that a part is the same rows wherever it is computed.
int64_t parts_of(const FineTuningJob& job, const comm::Communicator& world) {
  const int64_t ranks = world.ranks();
  if (job.micro_batch % ranks != 0) {
    fail("{} rows of a micro-batch cannot be shared by {} ranks", job.micro_batch, ranks);
  }
  if (!job.trainer.sums.fixed_order) return ranks;
  int64_t parts = 1;
  while (parts < kMostParts && job.micro_batch % (2 * parts) == 0) parts *= 2;
  if (parts % ranks != 0) {
    fail("--deterministic cuts {} rows of a micro-batch in {} parts, which {} ranks cannot share",
         job.micro_batch, parts, ranks);
  }
  return parts;
}

}  // namespace

FineTuningRun::FineTuningRun(const FineTuningJob& job, Device& device,
                             bert::ParameterStore& parameters, bert::TaskModel& model,
                             runlog::FineTuningLog& log, comm::Communicator& world)
    : job_(job),
      device_(device),
      parameters_(parameters),
      log_(log),
      world_(world),
      parts_(parts_of(job, world)) {
  BERTHA_CHECK(job_.rows > 0 && job_.epochs >= 0);
  optim::check(job_.schedule);
  micro_batches_an_epoch_ = (job_.rows + job_.micro_batch - 1) / job_.micro_batch;
  FineTuningSettings settings = job_.trainer;
  settings.compute = parameters.compute_dtype();
  settings.accumulation = job_.accumulation;
  settings.parts = parts_ / world.ranks();
  settings.max_sequences = std::min(job_.micro_batch / parts_, job_.rows);
  settings.max_tokens = settings.max_sequences * job_.max_tokens_a_row;
  try {
    trainer_ = std::make_unique<FineTuningTrainer>(device, parameters, model, settings, world);
  } catch (const OutOfMemory& error) {
    throw advise(error, {.batch = job_.micro_batch * job_.accumulation / world.ranks(),
                         .accumulation = job_.accumulation,
                         .recompute = settings.recompute});
  }
  start(agree_on_start(world_, job_.settings, [this] { return plan(); }));
}

StartPlan FineTuningRun::plan() const {
  StartPlan plan;
  plan.kind = StartKind::kInitial;
  if (!has_state(job_.folder)) {
    if (job_.keep_state) {
      check_model_overwrite(job_.folder, job_.input, job_.settings, job_.overwrite);
    }
    return plan;
  }
  plan.kind = StartKind::kContinue;
  plan.path = state_in(job_.folder);
  plan.state = read_checkpoint_state(plan.path);
  plan.step = plan.state.step;
  const std::string differences =
      plan.state.run ? describe_differences(job_.settings, plan.state.run->settings)
                     : "not a fine-tuning of this program";
  if (!differences.empty()) {
    fail(
        "{} is the state of another run ({}); remove it to start anew, or give another "
        "--output-dir",
        plan.path, differences);
  }
  return plan;
}

void FineTuningRun::start(const StartPlan& plan) {
  if (plan.kind == StartKind::kContinue) {
    if (world_.leads()) load_checkpoint(plan.path, parameters_, trainer_->optimizer());
    updates_ = saved_at_ = plan.step;
    micro_batches_ = resumable_at_ = plan.state.run->rows_consumed;
    rows_before_ =
        epoch() * job_.rows + micro_batches_ % micro_batches_an_epoch_ * job_.micro_batch;
    spdlog::info("{}: going on after {} updates", plan.path, updates_);
  }
  broadcast_state(world_, parameters_, trainer_->optimizer());
}

/// Updates of the whole run, those of earlier starts included.
int64_t FineTuningRun::last_update() const {
  const int64_t all = job_.epochs * (micro_batches_an_epoch_ / job_.accumulation);
  return job_.max_updates > 0 ? std::min(job_.max_updates, all) : all;
}

void FineTuningRun::open_log() {
  log_.open_training({.folder = job_.folder,
                      .last_record = updates_,
                      .tensorboard_dir = job_.tensorboard_dir,
                      .status_line = job_.progress,
                      .label = "fine-tuning",
                      .first_step = updates_,
                      .total_steps = last_update()});
}

/// Throws Error when the disk has no room for the state.
void FineTuningRun::report_start() {
  RunStart start;
  start.config = job_.config;
  start.device = &device_;
  start.parameters = parameters_.table().parameter_count();
  start.precision = parameters_.compute_dtype() == DType::kBF16 ? "bf16" : "fp32";
  start.ranks = world_.ranks();
  start.data = runlog::format_count(job_.rows) + " " + job_.rows_name;
  start.first_step = updates_;
  start.last_step = last_update();
  start.rows_a_step = static_cast<double>(job_.micro_batch * job_.accumulation);
  start.rows = job_.rows;
  start.folder = job_.folder;
  start.checkpoint_bytes = job_.keep_state ? checkpoint_bytes(start.parameters) : 0;
  check_room(start);
  start_lines_ = start_lines(start);
  for (const std::string& line : start_lines_) spdlog::info("{}", line);
}

void FineTuningRun::report_end(std::vector<std::string> written, const std::string& next) const {
  if (!world_.leads()) return;
  for (const std::string& path : log_.history_files()) written.push_back(path);
  const std::vector<std::string> lines = end_lines({.steps = updates_done_here_,
                                                    .seconds = seconds_,
                                                    .first_loss = first_loss_,
                                                    .last_loss = final_loss_,
                                                    .evaluation = last_evaluation_,
                                                    .written = std::move(written),
                                                    .next = next});
  runlog::RunReportPage page{.title = job_.title,
                             .subtitle = "",
                             .lines = start_lines_,
                             .picture = "",
                             .tables = {settings_table(job_.settings)}};
  page.lines.insert(page.lines.end(), lines.begin(), lines.end());
  log_.report(page);
  for (const std::string& line : lines) spdlog::info("{}", line);
}

bool FineTuningRun::finished() const {
  return micro_batches_ >= job_.epochs * micro_batches_an_epoch_ ||
         (job_.max_updates > 0 && updates_ >= job_.max_updates);
}

/// Ranks vote without waiting for each other: a vote that is cast before a micro-batch counts after
/// it.
bool FineTuningRun::asked_to_stop(const std::atomic<bool>& stop) {
  return world_.ranks() == 1 ? stop.load() : world_.stop_agreed();
}

RunEnd FineTuningRun::run(const std::atomic<bool>& stop) {
  if (world_.leads()) {
    open_log();
    report_start();
  }
  begin_ = runlog::wall_now();
  const int64_t first = micro_batches_;
  bool stopped = false;
  while (!finished() && !stopped) {
    if (micro_batches_ - first == job_.timed_from) begin_ = runlog::wall_now();
    world_.vote(stop);
    micro_batch(stop);
    stopped = asked_to_stop(stop);
  }
  log_.finish();
  take_losses();
  if (loss_count_ > 0) final_loss_ = loss_sum_ / static_cast<double>(loss_count_);
  seconds_ = runlog::seconds_between(begin_, runlog::wall_now());
  if (finished()) return RunEnd::kFinished;
  save();
  return RunEnd::kStopped;
}

void FineTuningRun::micro_batch(const std::atomic<bool>& stop) {
  world_.at(updates_ + 1, comm::Stage::kCompute);
  if (ordered_ != epoch()) {
    ordered_ = epoch();
    order_ = epoch_order(job_.rows, job_.trainer.seed, ordered_);
  }
  const int64_t step = micro_batches_ % micro_batches_an_epoch_;
  const int64_t begin = step * job_.micro_batch;
  const int64_t end = std::min(begin + job_.micro_batch, job_.rows);
  const int64_t mine = parts_ / world_.ranks();
  const int64_t rows = job_.micro_batch / parts_;
  int64_t labels = 0;
  for (int64_t i = begin; i < end; ++i) labels += job_.labels_of(order_[static_cast<size_t>(i)]);
  labels = std::max<int64_t>(labels, 1);  // without any, the loss is 0
  for (int64_t part = world_.rank() * mine; part < (world_.rank() + 1) * mine; ++part) {
    batch_.clear();
    for (int64_t i = begin + part * rows; i < std::min(begin + (part + 1) * rows, end); ++i) {
      job_.append(order_[static_cast<size_t>(i)], batch_);
    }
    trainer_->part(batch_, labels, static_cast<uint32_t>(micro_batches_ * parts_ + part));
    tokens_ += batch_.tokens() * world_.ranks();
  }
  trainer_->end_micro_batch();
  rows_ += end - begin;
  const int64_t of_epoch = epoch();
  ++micro_batches_;
  if ((step + 1) % job_.accumulation == 0) update();
  if (job_.log_freq > 0 && step % job_.log_freq == 0) log_losses(of_epoch);
  if (resumable_at_ == micro_batches_) after_update(of_epoch, stop);
}

void FineTuningRun::update() {
  take_losses();
  rate_ = optim::learning_rate(job_.schedule, updates_);
  guard_finite(trainer_->update(rate_, updates_ + 1));
  ++updates_;
  if (++updates_done_here_ == 1) first_loss_ = last_loss_;
  resumable_at_ = micro_batches_;
  log_.step(
      {.step = updates_, .loss = last_loss_, .rate = rate_, .tokens = tokens_, .sequences = rows_},
      {.step = updates_, .loss = last_loss_, .rate = rate_});
  tokens_ = rows_ = 0;
}

/// What is due once an update is logged.
void FineTuningRun::after_update(int64_t epoch, const std::atomic<bool>& stop) {
  const int64_t check = job_.weight_check_interval;
  if (check > 0 && (finished() || updates_ % check == 0)) {
    check_same_weights(world_, parameters_, updates_);
  }
  if (job_.eval_steps > 0 && updates_ % job_.eval_steps == 0) evaluate(epoch, stop);
  if (job_.save_steps > 0 && updates_ % job_.save_steps == 0) save();
}

void FineTuningRun::take_losses() {
  for (const TaskLoss& loss : trainer_->losses()) {
    last_loss_ = loss.mean;
    loss_sum_ += loss.mean;
    ++loss_count_;
  }
}

void FineTuningRun::guard_finite(bool finite) {
  skipped_in_a_row_ = finite ? 0 : skipped_in_a_row_ + 1;
  if (finite) return;
  spdlog::warn("update {}: a loss or gradient is not finite; the update is skipped ({} in a row)",
               updates_ + 1, skipped_in_a_row_);
  if (skipped_in_a_row_ >= kSkipsBeforeStop) {
    fail(
        "update {}: {} updates in a row had a loss or gradient that is not finite; a lower "
        "--learning-rate may help",
        updates_ + 1, skipped_in_a_row_);
  }
}

void FineTuningRun::log_losses(int64_t epoch) {
  take_losses();
  final_loss_ = loss_sum_ / static_cast<double>(loss_count_);
  loss_sum_ = 0;
  loss_count_ = 0;
  log_.averages(epoch, updates_, {{"step_loss", final_loss_}, {"learning_rate", rate_}});
}

/// A request to stop ends the evaluation without a result.
void FineTuningRun::evaluate(int64_t epoch, const std::atomic<bool>& stop) {
  runlog::Scores scores;
  try {
    scores = job_.evaluate({.stop = &stop});
  } catch (const infer::Stopped&) {
    spdlog::info("update {}: the evaluation is left out, as the run is asked to stop", updates_);
    return;
  }
  if (!world_.leads()) return;
  std::string line;
  for (const auto& [name, value] : scores) {
    line += fmt::format("{}{} {:.2f}", line.empty() ? "" : ", ", name, value);
  }
  spdlog::info("update {}: {}", updates_, line);
  last_evaluation_ = line;
  log_.evaluation(epoch, updates_, {.step = updates_, .loss = {}, .scores = scores});
}

/// Rank 0 writes; with ZeRO-1 the other ranks send it their moments.
void FineTuningRun::save() {
  if (!job_.keep_state || saved_at_ == updates_) return;
  if (!world_.leads() && !trainer_->optimizer().partitioned()) return;
  world_.at(updates_, comm::Stage::kSave);
  trainer_->optimizer().gather_moments();
  saved_at_ = updates_;
  if (world_.leads()) write_state();
  trainer_->optimizer().drop_gathered_moments();
}

/// The state after the last update. A resumed run computes the micro-batches since then again.
void FineTuningRun::write_state() {
  const RunRecord record = {.run_id = "",
                            .settings = job_.settings,
                            .rows_consumed = resumable_at_,
                            .skipped_steps = 0,
                            .written = {}};
  const CheckpointState state = {.step = updates_,
                                 .files = {},
                                 .file_index = 0,
                                 .epoch = resumable_at_ / micro_batches_an_epoch_,
                                 .run = record};
  const optim::OptimizerSettings& settings = job_.trainer.optimizer;
  const OptimizerRecord optimizer = {.rate = rate_,
                                     .initial_rate = job_.schedule.base_rate,
                                     .warmup = job_.schedule.warmup,
                                     .total_steps = job_.schedule.total_updates,
                                     .max_gradient_norm = settings.max_gradient_norm,
                                     .bias_correction = settings.bias_correction,
                                     .adam = settings.adam};
  save_checkpoint(state_in(job_.folder), parameters_, trainer_->optimizer(), state, optimizer);
}

bool FineTuningRun::has_state(const std::string& folder) {
  return io::exists(state_in(folder));
}

void FineTuningRun::begin_folder() const {
  if (world_.leads() && job_.keep_state) write_run_settings(job_.folder, job_.settings);
}

void FineTuningRun::finish_folder() const {
  if (!world_.leads() || !job_.keep_state) return;
  std::error_code ignored;  // there may be none
  std::filesystem::remove(state_in(job_.folder), ignored);
}

}  // namespace bertha::train
