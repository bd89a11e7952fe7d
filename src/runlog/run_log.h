#pragma once

// All that a training run writes for people and their tools: dllogger.json, TensorBoard's event
// files, losses.tsv, loss.svg, report.html, and the status line on standard error.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runlog/append_file.h"
#include "runlog/dllogger.h"
#include "runlog/fine_tuning_record.h"
#include "runlog/loss_history.h"
#include "runlog/pretraining_record.h"
#include "runlog/run_report_page.h"
#include "runlog/tensorboard.h"
#include "runlog/training_progress.h"

namespace bertha::runlog {

/// Where a run logs its training, and from where it goes on.
struct TrainingLogs {
  std::string folder;           ///< of losses.tsv and loss.svg
  int64_t last_record = 0;      ///< step of the last record to keep in losses.tsv
  std::string tensorboard_dir;  ///< "": no event files
  bool status_line = true;
  std::string label = {};  ///< of the status line
  int64_t first_step = 0;  ///< steps done, as the status line counts them
  int64_t total_steps = 0;
};

/// `Record` is what a step or an evaluation gives: PretrainingRecord or FineTuningRecord. A log
/// writes only to what has been opened. Ranks other than 0 open nothing, so that a run can log
/// without asking which rank it is. To open a log throws Error when its file cannot be written. A
/// file that cannot be written later ends with a warning, and training goes on without it.
template <typename Record>
class RunLog {
 public:
  /// Opens dllogger.json at `path`. `print`, if any, gets each record as a line for standard
  /// output.
  void open_dllogger(const std::string& path, DlLogger::Print print);
  /// Opens all others.
  void open_training(const TrainingLogs& logs);

  /// A setting or mark, in dllogger.json.
  void parameter(const std::string& name, const LogValue& value);
  /// A result of the whole run, in dllogger.json.
  void summary(const LogData& data);

  /// An update: on the status line, in losses.tsv and in TensorBoard.
  void step(const StepStatus& status, const Record& record);
  /// Means over the steps since the last call, in dllogger.json.
  void averages(int64_t epoch, int64_t step, const LogData& data);
  /// An evaluation after `step`: everywhere but on the status line.
  void evaluation(int64_t epoch, int64_t step, const Record& record);
  /// A checkpoint of `step` is about to be written.
  void checkpoint(int64_t step);
  /// The paths of losses.tsv, loss.svg and report.html, once they are open.
  std::vector<std::string> history_files() const;
  /// No step follows. Ends the status line and draws loss.svg.
  void finish();
  /// Writes report.html. The log adds the folder, the picture and the evaluations.
  void report(const RunReportPage& page);

 private:
  void draw();
  void write_record(const std::function<void()>& write);
  void add_to_history(const Record& record);

  DlLogger dllogger_;
  std::unique_ptr<TensorBoardWriter> tensorboard_;
  std::unique_ptr<LossHistory<Record>> history_;
  std::unique_ptr<TrainingProgress> progress_;
  bool draws_ = true;
};

using PretrainingLog = RunLog<PretrainingRecord>;
using FineTuningLog = RunLog<FineTuningRecord>;

extern template class RunLog<PretrainingRecord>;
extern template class RunLog<FineTuningRecord>;

}  // namespace bertha::runlog
