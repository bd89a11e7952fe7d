#pragma once

// losses.tsv: the records of a run as a table for people and spreadsheets, and the picture loss.svg
// that is drawn from them. Both grow over restarts, and over the two phases of pre-training.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "runlog/append_file.h"
#include "runlog/loss_plot.h"

namespace bertha::runlog {

/// `Record` is PretrainingRecord or FineTuningRecord.
template <typename Record>
class LossHistory {
 public:
  /// Continues `folder`/losses.tsv after step `last_step`. Rows of later steps are dropped, because
  /// the run repeats these steps. Rows that cannot be read are dropped too: users may edit the
  /// file. Where losses.tsv holds the records of another kind of training, it stays, and this
  /// history goes beside it: fine_tuning_losses.tsv and fine_tuning_loss.svg.
  LossHistory(std::string folder, int64_t last_step) : folder_(std::move(folder)) {
    const std::string first = first_line(folder_ + "/losses.tsv");
    if (!first.empty() && first != Record::kHeader) prefix_ = Record::kFilePrefix;
    file_ = continue_lines(table(), Record::kHeader, [&](const std::string& row) {
      const std::optional<Record> record = Record::parse(row);
      if (!record || record->step > last_step) return false;
      records_.push_back(*record);
      return true;
    });
  }

  void add(const Record& record) {
    records_.push_back(record);
    file_->write(record.rows());
  }

  /// Writes the picture.
  void draw() const {
    LossPlot plot = Record::plot(records_);
    plot.subtitle = folder_;
    io::write_file(picture(), loss_svg(plot));
  }

  /// The paths of the table and of the picture.
  std::string table() const { return folder_ + "/" + prefix_ + "losses.tsv"; }
  std::string picture() const { return folder_ + "/" + prefix_ + "loss.svg"; }

 private:
  std::string folder_;
  std::string prefix_;
  std::vector<Record> records_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace bertha::runlog
