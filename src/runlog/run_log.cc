#include "runlog/run_log.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "core/error.h"
#include "runlog/status_line.h"

namespace bertha::runlog {
namespace {

/// Writes to a log of a training run. A log that cannot be written, on a full disk for example,
/// does not end the training: `stop` ends the log, and one warning says so.
template <typename Write, typename Stop>
void write_or_stop(const Write& write, const Stop& stop) {
  try {
    write();
  } catch (const Error& error) {
    stop();
    spdlog::warn("{}; this log ends here, and the training goes on", error.what());
  }
}

}  // namespace

template <typename Record>
void RunLog<Record>::open_dllogger(const std::string& path, DlLogger::Print print) {
  DlLogger::Print above;
  if (print) {
    above = [print = std::move(print)](const std::string& line) {
      print_above_status_line([&] { print(line); });
    };
  }
  dllogger_ = DlLogger(path, std::move(above));
}

template <typename Record>
void RunLog<Record>::open_training(const TrainingLogs& logs) {
  if (!logs.tensorboard_dir.empty()) {
    tensorboard_ = std::make_unique<TensorBoardWriter>(logs.tensorboard_dir);
  }
  history_ = std::make_unique<LossHistory<Record>>(logs.folder, logs.last_record);
  if (!logs.status_line) return;
  progress_ = std::make_unique<TrainingProgress>(logs.label, logs.first_step, logs.total_steps,
                                                 StatusLine(stderr_terminal(), write_to_stderr));
}

template <typename Record>
void RunLog<Record>::parameter(const std::string& name, const LogValue& value) {
  write_record([&] { dllogger_.parameter(name, value); });
}

template <typename Record>
void RunLog<Record>::summary(const LogData& data) {
  write_record([&] { dllogger_.summary(data); });
}

template <typename Record>
void RunLog<Record>::step(const StepStatus& status, const Record& record) {
  if (progress_) progress_->update(status);
  add_to_history(record);
}

template <typename Record>
void RunLog<Record>::averages(int64_t epoch, int64_t step, const LogData& data) {
  write_record([&] { dllogger_.step(epoch, step, data); });
}

template <typename Record>
void RunLog<Record>::evaluation(int64_t epoch, int64_t step, const Record& record) {
  write_record([&] { dllogger_.step(epoch, step, record.evaluation()); });
  if (progress_) progress_->evaluated(record.in_short());
  add_to_history(record);
  draw();
}

template <typename Record>
void RunLog<Record>::checkpoint(int64_t step) {
  write_record([&] { dllogger_.parameter("checkpoint_step", step); });
  draw();
}

template <typename Record>
std::vector<std::string> RunLog<Record>::history_files() const {
  if (!history_) return {};
  return {history_->table(), history_->picture(), history_->report()};
}

template <typename Record>
void RunLog<Record>::finish() {
  if (progress_) progress_->finish();
  draw();
}

template <typename Record>
void RunLog<Record>::report(const RunReportPage& page) {
  if (!history_) return;
  write_or_stop([&] { history_->write_report(page); }, [&] { history_.reset(); });
}

template <typename Record>
void RunLog<Record>::draw() {
  if (!history_ || !draws_) return;
  write_or_stop([&] { history_->draw(); }, [&] { draws_ = false; });
}

template <typename Record>
void RunLog<Record>::write_record(const std::function<void()>& write) {
  write_or_stop(write, [&] { dllogger_.close_file(); });
}

template <typename Record>
void RunLog<Record>::add_to_history(const Record& record) {
  if (history_) {
    write_or_stop([&] { history_->add(record); }, [&] { history_.reset(); });
  }
  if (tensorboard_) {
    write_or_stop([&] { tensorboard_->write(record.step, record.scalars()); },
                  [&] { tensorboard_.reset(); });
  }
}

template class RunLog<PretrainingRecord>;
template class RunLog<FineTuningRecord>;

}  // namespace bertha::runlog
