#include "runlog/run_log.h"

#include <utility>

namespace bertha::runlog {

template <typename Record>
void RunLog<Record>::open_dllogger(const std::string& path, AppendFile::Start start,
                                   DlLogger::Print print) {
  dllogger_ = DlLogger(path, start, std::move(print));
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
  clear_status_line();
  dllogger_.step(epoch, step, data);
}

template <typename Record>
void RunLog<Record>::evaluation(int64_t epoch, int64_t step, const Record& record) {
  clear_status_line();
  dllogger_.step(epoch, step, record.evaluation());
  if (history_) history_->add(record);
  if (tensorboard_) tensorboard_->write(record.step, record.scalars());
  draw();
}

template <typename Record>
void RunLog<Record>::checkpoint(int64_t step) {
  clear_status_line();
  dllogger_.parameter("checkpoint_step", step);
  draw();
}

template <typename Record>
void RunLog<Record>::clear_status_line() {
  if (progress_) progress_->clear();
}

template <typename Record>
void RunLog<Record>::finish() {
  if (progress_) progress_->finish();
  draw();
}

template <typename Record>
void RunLog<Record>::draw() const {
  if (history_) history_->draw();
}

template class RunLog<PretrainingRecord>;
template class RunLog<FineTuningRecord>;

}  // namespace bertha::runlog
