#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runlog/dllogger.h"
#include "runlog/loss_plot.h"
#include "runlog/run_report_page.h"
#include "runlog/tensorboard.h"
#include "runlog/thinned_curve.h"

namespace bertha::runlog {

/// Names and values of an evaluation, the most important one last.
using Scores = std::vector<std::pair<std::string, double>>;

class FineTuningCurves;

/// What an update or an evaluation of a fine-tuning gave. losses.tsv has one row for an update and
/// one row for each score. For the members see PretrainingRecord.
struct FineTuningRecord {
  int64_t step = 0;            ///< updates done
  std::optional<double> loss;  ///< of an update
  double rate = 0;             ///< learning rate of an update
  Scores scores = {};          ///< of an evaluation

  using Curves = FineTuningCurves;
  static constexpr const char* kFilePrefix = "fine_tuning_";
  static constexpr const char* kHeader = "step\twhat\tvalue\tlearning_rate";
  static std::optional<FineTuningRecord> parse(const std::string& row);
  std::string rows() const;
  TensorBoardWriter::Scalars scalars() const;
  LogData evaluation() const;
  std::string in_short() const;
};

/// See PretrainingCurves.
class FineTuningCurves {
 public:
  void add(const FineTuningRecord& record);
  /// The losses, and of each evaluation the last of its scores.
  LossPlot plot() const;
  ReportTable evaluations() const;

 private:
  ThinnedCurve losses_;
  std::vector<FineTuningRecord> evaluations_;
};

}  // namespace bertha::runlog
