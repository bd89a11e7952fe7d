#pragma once

// A run of fine-tuning, of any task: the order of rows, learning rates, evaluation, the log, and
// the saved state from which a stopped run continues bit for bit.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "infer/window_runner.h"
#include "optim/schedule.h"
#include "runlog/clock.h"
#include "runlog/run_log.h"
#include "train/checkpoint.h"
#include "train/fine_tuning.h"
#include "train/start_plan.h"

namespace bertha::train {

/// The settings of a fine-tuning of any task.
struct FineTuningJob {
  int64_t rows = 0;  ///< of the training data
  /// Appends a row with its labels.
  std::function<void(int64_t row, TaskBatch& batch)> append;
  /// Number of labels of a row. The loss of a micro-batch is the mean over all of its labels.
  std::function<int64_t(int64_t row)> labels_of = [](int64_t) { return 1; };
  int64_t max_tokens_a_row = 0;

  int64_t micro_batch = 1;  ///< rows, over all ranks
  int64_t accumulation = 1;
  int64_t epochs = 1;
  int64_t max_updates = -1;  ///< -1: all
  optim::Schedule schedule;
  FineTuningSettings trainer;  ///< parts and limits are set by the run
  /// What makes two commands the same run: everything that decides the weights.
  Settings settings;

  std::string folder;                    ///< of the output
  std::string input;                     ///< the weights to start from
  bool overwrite = false;                ///< a model of another command in the folder is replaced
  std::string rows_name = "rows";        ///< what the data count: "windows"
  std::string title = "Fine-tuning";     ///< of report.html
  const bert::Config* config = nullptr;  ///< of the model, for the lines at the start
  int64_t save_steps = 0;             ///< updates between saves of the state; 0: when stopped alone
  int64_t weight_check_interval = 0;  ///< updates between comparisons of ranks' weights; 0: never
  bool keep_state = true;             ///< false: the run writes neither a model nor its state
  std::string tensorboard_dir;        ///< empty: no event files
  bool progress = true;

  int64_t eval_steps = 0;  ///< updates between evaluations; 0: none
  /// All ranks call it. Rank 0 uses the result. It may throw infer::Stopped.
  std::function<runlog::Scores(const infer::RunControls&)> evaluate;

  int64_t log_freq = 0;    ///< micro-batches between log lines; 0: none
  int64_t timed_from = 0;  ///< micro-batches that the time leaves out
};

class FineTuningRun {
 public:
  /// Decides whether to go on from a state in the folder, and loads it. Throws Error when the
  /// folder holds the state of another command. Everything referred to must outlive the run. All
  /// ranks of `world` make the same calls.
  FineTuningRun(const FineTuningJob& job, Device& device, bert::ParameterStore& parameters,
                bert::TaskModel& model, runlog::FineTuningLog& log,
                comm::Communicator& world = comm::alone());

  /// Trains until the last update, or until `stop` is set on any rank: then the state is saved and
  /// the same command goes on. Throws Error after five updates in a row without a finite gradient.
  RunEnd run(const std::atomic<bool>& stop);

  /// The mean loss since the last log line, or in that line where no loss followed it.
  double final_loss() const { return final_loss_; }
  /// Duration of the steps that are timed.
  double seconds() const { return seconds_; }
  int64_t updates() const { return updates_; }
  /// Rows trained on before this start, where a stopped run went on.
  int64_t rows_before() const { return rows_before_; }

  /// Whether a stopped run left its state in a folder.
  static bool has_state(const std::string& folder);
  /// Before the model is written: records which command makes it. Where that command ends in the
  /// middle, it may be run again and replace what is there.
  void begin_folder() const;
  /// The model is written: removes the saved state, as there is nothing to continue.
  void finish_folder() const;
  /// Rank 0 says what was trained and written, and the next command, and writes report.html.
  /// `written` are the paths of the model.
  void report_end(std::vector<std::string> written, const std::string& next) const;

 private:
  StartPlan plan() const;
  void start(const StartPlan& plan);
  void open_log();
  void report_start();
  int64_t last_update() const;
  bool finished() const;
  bool asked_to_stop(const std::atomic<bool>& stop);
  void micro_batch(const std::atomic<bool>& stop);
  void update();
  void take_losses();
  void guard_finite(bool finite);
  void after_update(int64_t epoch, const std::atomic<bool>& stop);
  void log_losses(int64_t epoch);
  void evaluate(int64_t epoch, const std::atomic<bool>& stop);
  void save();
  void write_state();
  int64_t epoch() const { return micro_batches_ / micro_batches_an_epoch_; }

  FineTuningJob job_;
  Device& device_;
  bert::ParameterStore& parameters_;
  runlog::FineTuningLog& log_;
  comm::Communicator& world_;
  int64_t parts_;  ///< of a micro-batch, over all ranks
  int64_t micro_batches_an_epoch_;
  std::unique_ptr<FineTuningTrainer> trainer_;

  TaskBatch batch_;
  std::vector<int64_t> order_;  ///< of the epoch `ordered_`
  int64_t ordered_ = -1;
  int64_t updates_ = 0;
  int64_t micro_batches_ = 0;
  int64_t resumable_at_ = 0;  ///< micro-batches done at the last update
  int64_t rows_before_ = 0;
  int64_t saved_at_ = -1;  ///< updates of the state in the folder
  int64_t skipped_in_a_row_ = 0;
  double rate_ = 0;
  double last_loss_ = 0;
  double first_loss_ = 0;  ///< of the first update of this start
  double final_loss_ = 0;
  int64_t updates_done_here_ = 0;  ///< since this start
  std::string last_evaluation_;    ///< in words; empty where there was none
  std::vector<std::string> start_lines_;
  double loss_sum_ = 0;  ///< since the last log line
  int64_t loss_count_ = 0;
  int64_t tokens_ = 0;  ///< since the last update
  int64_t rows_ = 0;
  runlog::WallTime begin_;
  double seconds_ = 0;
};

}  // namespace bertha::train
