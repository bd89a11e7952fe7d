#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "runlog/dllogger.h"
#include "runlog/loss_plot.h"
#include "runlog/run_report_page.h"
#include "runlog/tensorboard.h"

namespace bertha::runlog {

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
  /// The picture of a run's records, without its subtitle.
  static LossPlot plot(std::span<const PretrainingRecord> records);
  /// The evaluations of a run, the newest first.
  static ReportTable evaluations(std::span<const PretrainingRecord> records);
};

}  // namespace bertha::runlog
