#include "runlog/run_log.h"

#include <utility>

#include "runlog/status_line.h"

namespace bertha::runlog {

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
  dllogger_.parameter(name, value);
}

template <typename Record>
void RunLog<Record>::summary(const LogData& data) {
  dllogger_.summary(data);
}

template <typename Record>
void RunLog<Record>::step(const StepStatus& status, const Record& record) {
  if (progress_) progress_->update(status);
  if (history_) history_->add(record);
  if (tensorboard_) tensorboard_->write(record.step, record.scalars());
}

template <typename Record>
void RunLog<Record>::averages(int64_t epoch, int64_t step, const LogData& data) {
  dllogger_.step(epoch, step, data);
}

template <typename Record>
void RunLog<Record>::evaluation(int64_t epoch, int64_t step, const Record& record) {
  dllogger_.step(epoch, step, record.evaluation());
  if (progress_) progress_->evaluated(record.in_short());
  if (history_) history_->add(record);
  if (tensorboard_) tensorboard_->write(record.step, record.scalars());
  draw();
}

template <typename Record>
void RunLog<Record>::checkpoint(int64_t step) {
  dllogger_.parameter("checkpoint_step", step);
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
void RunLog<Record>::report(const RunReportPage& page) const {
  if (history_) history_->write_report(page);
}

template <typename Record>
void RunLog<Record>::draw() const {
  if (history_) history_->draw();
}

template class RunLog<PretrainingRecord>;
template class RunLog<FineTuningRecord>;

}  // namespace bertha::runlog
