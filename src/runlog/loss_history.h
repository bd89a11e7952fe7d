#pragma once

// losses.tsv: the records of a run as a table for people and spreadsheets, and what is made from
// them: the picture loss.svg and the page report.html. All grow over restarts, and over the two
// phases of pre-training.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/atomic_file.h"
#include "runlog/append_file.h"
#include "runlog/loss_plot.h"
#include "runlog/run_report_page.h"

namespace bertha::runlog {

/// `Record` is PretrainingRecord or FineTuningRecord.
template <typename Record>
class LossHistory {
 public:
  /// Continues `folder`/losses.tsv after step `last_step`. Rows of later steps are dropped, because
  /// the run repeats these steps. Rows that cannot be read are dropped too: users may edit the
  /// file. Where losses.tsv holds the records of another kind of training, it stays, and this
  /// history goes beside it: fine_tuning_losses.tsv and so on.
  LossHistory(std::string folder, int64_t last_step) : folder_(std::move(folder)) {
    const std::string first = first_line(folder_ + "/losses.tsv");
    if (!first.empty() && first != Record::kHeader) prefix_ = Record::kFilePrefix;
    file_ = continue_lines(table(), Record::kHeader, [&](const std::string& row) {
      const std::optional<Record> record = Record::parse(row);
      if (!record || record->step > last_step) return false;
      curves_.add(*record);
      return true;
    });
  }

  void add(const Record& record) {
    curves_.add(record);
    file_->write(record.rows());
  }

  /// Writes the picture.
  void draw() const { io::write_file(picture(), svg()); }

  /// Writes the page about the run: with the picture, and the evaluations as its first table.
  void write_report(RunReportPage page) const {
    page.subtitle = folder_;
    page.picture = svg();
    page.tables.insert(page.tables.begin(), curves_.evaluations());
    io::write_file(report(), report_html(page));
  }

  /// The paths of the table, of the picture and of the page.
  std::string table() const { return folder_ + "/" + prefix_ + "losses.tsv"; }
  std::string picture() const { return folder_ + "/" + prefix_ + "loss.svg"; }
  std::string report() const { return folder_ + "/" + prefix_ + "report.html"; }

 private:
  std::string svg() const {
    LossPlot plot = curves_.plot();
    plot.subtitle = folder_;
    return loss_svg(plot);
  }

  std::string folder_;
  std::string prefix_;
  typename Record::Curves curves_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace bertha::runlog
