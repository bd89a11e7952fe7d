#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runlog/dllogger.h"
#include "runlog/loss_plot.h"
#include "runlog/run_report_page.h"
#include "runlog/tensorboard.h"
#include "runlog/thinned_curve.h"

namespace bertha::runlog {

class PretrainingCurves;

/// What a step of pre-training, or an evaluation on held-out data, gave. losses.tsv has one row for
/// it. Losses are means in nats.
struct PretrainingRecord {
  int64_t phase = 1;
  int64_t step = 0;  ///< counted over both phases, as in the name of a checkpoint
  bool held_out = false;
  double masked = 0;  ///< loss of the masked tokens
  double next_sentence = 0;
  double masked_accuracy = 0;  ///< fraction of the masked tokens that are predicted right
  double next_sentence_accuracy = 0;
  double rate = 0;           ///< learning rate; 0 for an evaluation
  double gradient_norm = 0;  ///< not in losses.tsv

  using Curves = PretrainingCurves;
  static constexpr const char* kFilePrefix = "pretraining_";
  /// The first line of losses.tsv.
  static constexpr const char* kHeader =
      "phase\tstep\tset\tmlm_loss\tnsp_loss\tmlm_accuracy\tnsp_accuracy\tlearning_rate";
  /// Reads a row of losses.tsv; nothing where it is none.
  static std::optional<PretrainingRecord> parse(const std::string& row);
  /// Rows of losses.tsv, each with its line end.
  std::string rows() const;
  /// Tags and values for TensorBoard.
  TensorBoardWriter::Scalars scalars() const;
  /// The evaluation as dllogger.json gets it.
  LogData evaluation() const;
  /// The evaluation as the status line shows it.
  std::string in_short() const;
};

/// What the picture and the page of a run show of its records. Memory grows with the evaluations,
/// not with the steps.
class PretrainingCurves {
 public:
  void add(const PretrainingRecord& record);
  /// The picture, without its subtitle.
  LossPlot plot() const;
  /// The evaluations, the newest first.
  ReportTable evaluations() const;

 private:
  ThinnedCurve masked_;
  ThinnedCurve next_sentence_;
  std::vector<PhaseSpan> phases_;
  std::vector<PretrainingRecord> evaluations_;
};

}  // namespace bertha::runlog
