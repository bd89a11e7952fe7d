#pragma once

// One run of pre-training: data, model, start or resume, steps, log, evaluation, checkpoints.

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/device.h"
#include "dataset/pretraining_loader.h"
#include "optim/schedule.h"
#include "runlog/clock.h"
#include "runlog/run_log.h"
#include "train/pretraining_options.h"
#include "train/pretraining_trainer.h"
#include "train/rank_agreement.h"
#include "train/run_report.h"
#include "train/start_plan.h"

namespace bertha::train {

class PretrainingRun {
 public:
  using ConfigText = std::function<std::string(const PretrainingOptions&)>;

  /// Reads config and shard metadata, decides how to start and loads the weights. Throws Error
  /// before anything is written when something does not fit. `print` gets the lines that the recipe
  /// prints on standard output; `config_text` gives the log's Config record of the options as the
  /// data have settled them. All ranks of `world` make the same calls; rank 0 alone decides how to
  /// start, logs and writes.
  PretrainingRun(const PretrainingOptions& options, Device& device, runlog::DlLogger::Print print,
                 const ConfigText& config_text, comm::Communicator& world = comm::alone());

  /// Trains until the last step or until `stop` is set. Throws Error when training cannot go on
  /// (five steps in a row without a finite gradient, a full disk); the last good checkpoint stays.
  RunEnd run(const std::atomic<bool>& stop);
  /// Updates since this start.
  int64_t steps_done() const { return steps_done_here_; }

 private:
  void open_data();
  void settle_packing();
  void build(Device& device);
  void start();
  void load_start();
  std::vector<float> load_histories() const;
  void seek_data();
  void read_vocabulary();
  void take_carried_vocabulary();
  void open_logs();
  bool train_step(const std::atomic<bool>& stop);
  bool micro_batches(const std::atomic<bool>& stop, StepSums& sums);
  bool asked_to_drop(const std::atomic<bool>& stop, int64_t done);
  bool agreed_to_stop(const std::atomic<bool>& stop);
  const PretrainingBatch& next_batch(int64_t step_begin);
  void rewind(int64_t step_begin);
  runlog::PretrainingRecord record_of(const LossSums& sums) const;
  void log_step(const optim::UpdateResult& result, const StepSums& sums);
  void after_step(const std::atomic<bool>& stop);
  void guard_finite(const optim::UpdateResult& result);
  void log_averages(bool last);
  bool saves_together() const;
  void save();
  void write_checkpoint(std::vector<float> fp8_histories);
  void prune_checkpoints();
  void evaluate(const std::atomic<bool>& stop);
  void finish(bool stopped);
  void report_start();
  void report_end(double seconds, bool stopped);
  void write_report(const RunSummary& summary, bool stopped);

  PretrainingOptions options_;
  Device* device_;
  bert::Config config_;
  optim::Schedule schedule_;
  runlog::DlLogger::Print print_;
  std::string config_text_;
  comm::Communicator& world_;

  std::vector<std::string> shards_;
  std::unique_ptr<dataset::PretrainingLoader> loader_;
  std::unique_ptr<dataset::PretrainingLoader> held_out_;
  std::unique_ptr<bert::ParameterStore> parameters_;
  std::unique_ptr<PretrainingTrainer> trainer_;
  runlog::PretrainingLog log_;

  std::string vocabulary_;  ///< the contents of the file to keep with the checkpoints; may be empty
  StartPlan plan_;
  RunRecord record_;
  int64_t step_ = 0;             ///< updates done in this phase
  int64_t steps_done_here_ = 0;  ///< since this start
  int64_t saved_step_ = -1;
  int64_t skipped_in_a_row_ = 0;
  double last_rate_ = 0;
  /// The micro-batches since the last averages were logged.
  struct Window {
    runlog::WallTime start;
    double loss = 0;  ///< sum of the micro-batches' mean losses on this rank
    double loss_of_all_ranks = 0;
    int64_t micro_batches = 0;  ///< of this rank
  };
  Window window_;
  double last_loss_ = 0;                                            ///< of a micro-batch
  double first_loss_ = 0;                                           ///< of this start's first step
  std::string last_evaluation_;                                     ///< in words
  std::vector<std::string> start_lines_;                            ///< as report_start() said them
  double average_loss_ = std::numeric_limits<double>::quiet_NaN();  ///< as logged last
  runlog::WallTime run_start_;
  runlog::WallTime training_start_;
  int64_t rows_trained_ = 0;
  double sequences_a_row_ = 1;  ///< on average, as the packed data's metadata say
};

}  // namespace bertha::train
