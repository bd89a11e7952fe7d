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

LossPlot PretrainingRecord::plot(std::span<const PretrainingRecord> records) {
  LossCurve masked{.kind = LossKind::kMaskedWords, .points = {}};
  LossCurve next_sentence{.kind = LossKind::kNextSentence, .points = {}};
  LossCurve held_out{.kind = LossKind::kMaskedWords, .held_out = true, .points = {}};
  LossPlot plot{.title = "Pre-training", .subtitle = "", .curves = {}, .phases = {}};
  for (const PretrainingRecord& r : records) {
    const auto step = static_cast<double>(r.step);
    if (r.held_out) {
      held_out.points.push_back({step, r.masked});
      continue;
    }
    masked.points.push_back({step, r.masked});
    next_sentence.points.push_back({step, r.next_sentence});
    const std::string label = fmt::format("phase {}", r.phase);
    if (plot.phases.empty() || plot.phases.back().label != label) {
      plot.phases.push_back({label, step, step});
    }
    plot.phases.back().end_step = step;
  }
  plot.curves = {masked, next_sentence, held_out};
  return plot;
}

ReportTable PretrainingRecord::evaluations(std::span<const PretrainingRecord> records) {
  ReportTable table{.title = "Evaluations on held-out data",
                    .header = {"phase", "step", "loss of masked words", "masked words right",
                               "loss of next sentences", "next sentences right"},
                    .rows = {}};
  for (const PretrainingRecord& r : records) {
    if (!r.held_out) continue;
    table.rows.insert(
        table.rows.begin(),
        {std::to_string(r.phase), format_count(r.step), fmt::format("{:.4f}", r.masked),
         fmt::format("{:.2f} %", 100 * r.masked_accuracy), fmt::format("{:.4f}", r.next_sentence),
         fmt::format("{:.2f} %", 100 * r.next_sentence_accuracy)});
  }
  return table;
}

}  // namespace bertha::runlog
