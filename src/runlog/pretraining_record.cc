#include "runlog/pretraining_record.h"

#include <fmt/format.h>

#include <sstream>

#include "runlog/quantity_format.h"

namespace bertha::runlog {

std::optional<PretrainingRecord> PretrainingRecord::parse(const std::string& row) {
  PretrainingRecord r;
  std::string set;
  std::istringstream fields(row);
  if (!(fields >> r.phase >> r.step >> set >> r.masked >> r.next_sentence >> r.masked_accuracy >>
        r.next_sentence_accuracy >> r.rate)) {
    return std::nullopt;
  }
  r.held_out = set == "held-out";
  return r;
}

std::string PretrainingRecord::rows() const {
  return fmt::format("{}\t{}\t{}\t{:.6g}\t{:.6g}\t{:.4g}\t{:.4g}\t{:.6g}\n", phase, step,
                     held_out ? "held-out" : "train", masked, next_sentence, masked_accuracy,
                     next_sentence_accuracy, rate);
}

TensorBoardWriter::Scalars PretrainingRecord::scalars() const {
  if (held_out) {
    return {{"held_out/mlm_loss", masked},
            {"held_out/mlm_accuracy", masked_accuracy},
            {"held_out/nsp_accuracy", next_sentence_accuracy}};
  }
  return {{"loss/total", masked + next_sentence},
          {"loss/mlm", masked},
          {"loss/nsp", next_sentence},
          {"accuracy/mlm", masked_accuracy},
          {"accuracy/nsp", next_sentence_accuracy},
          {"optimizer/learning_rate", rate},
          {"optimizer/gradient_norm", gradient_norm}};
}

LogData PretrainingRecord::evaluation() const {
  return {{"eval_mlm_loss", masked},
          {"eval_mlm_accuracy", masked_accuracy},
          {"eval_nsp_loss", next_sentence},
          {"eval_nsp_accuracy", next_sentence_accuracy}};
}

std::string PretrainingRecord::in_short() const {
  return fmt::format("held-out {:.3f}", masked);
}

void PretrainingCurves::add(const PretrainingRecord& record) {
  if (record.held_out) {
    evaluations_.push_back(record);
    return;
  }
  const auto step = static_cast<double>(record.step);
  masked_.add(step, record.masked);
  next_sentence_.add(step, record.next_sentence);
  const std::string label = fmt::format("phase {}", record.phase);
  if (phases_.empty() || phases_.back().label != label) phases_.push_back({label, step, step});
  phases_.back().end_step = step;
}

LossPlot PretrainingCurves::plot() const {
  LossCurve held_out{.kind = LossKind::kMaskedWords, .held_out = true, .points = {}};
  for (const PretrainingRecord& r : evaluations_) {
    held_out.points.push_back({static_cast<double>(r.step), r.masked});
  }
  return {.title = "Pre-training",
          .subtitle = "",
          .curves = {{.kind = LossKind::kMaskedWords, .points = masked_.points()},
                     {.kind = LossKind::kNextSentence, .points = next_sentence_.points()},
                     held_out},
          .phases = phases_};
}

ReportTable PretrainingCurves::evaluations() const {
  ReportTable table{.title = "Evaluations on held-out data",
                    .header = {"phase", "step", "loss of masked words", "masked words right",
                               "loss of next sentences", "next sentences right"},
                    .rows = {}};
  for (const PretrainingRecord& r : evaluations_) {
    table.rows.insert(
        table.rows.begin(),
        {std::to_string(r.phase), format_count(r.step), fmt::format("{:.4f}", r.masked),
         fmt::format("{:.2f} %", 100 * r.masked_accuracy), fmt::format("{:.4f}", r.next_sentence),
         fmt::format("{:.2f} %", 100 * r.next_sentence_accuracy)});
  }
  return table;
}

}  // namespace bertha::runlog
