#include "runlog/fine_tuning_record.h"

#include <fmt/format.h>

#include <sstream>

namespace bertha::runlog {
namespace {

constexpr const char* kLoss = "loss";  ///< in the column `what`; else the name of a score

}  // namespace

std::optional<FineTuningRecord> FineTuningRecord::parse(const std::string& row) {
  FineTuningRecord record;
  std::string what;
  double value = 0;
  std::istringstream fields(row);
  if (!(fields >> record.step >> what >> value >> record.rate)) return std::nullopt;
  if (what == kLoss) {
    record.loss = value;
  } else {
    record.scores = {{what, value}};
  }
  return record;
}

std::string FineTuningRecord::rows() const {
  std::string text;
  const auto add = [&](const std::string& what, double value) {
    text += fmt::format("{}\t{}\t{:.6g}\t{:.6g}\n", step, what, value, rate);
  };
  if (loss) add(kLoss, *loss);
  for (const auto& [name, value] : scores) add(name, value);
  return text;
}

TensorBoardWriter::Scalars FineTuningRecord::scalars() const {
  TensorBoardWriter::Scalars scalars;
  if (loss) scalars = {{"loss/total", *loss}, {"optimizer/learning_rate", rate}};
  for (const auto& [name, value] : scores) scalars.emplace_back("evaluation/" + name, value);
  return scalars;
}

LogData FineTuningRecord::evaluation() const {
  LogData data;
  for (const auto& [name, value] : scores) data.emplace_back("eval_" + name, value);
  return data;
}

/// The losses, and beside each evaluation's step the last of its scores.
/// The most important score.
std::string FineTuningRecord::in_short() const {
  if (scores.empty()) return "";
  return fmt::format("{} {:.2f}", scores.back().first, scores.back().second);
}

LossPlot FineTuningRecord::plot(std::span<const FineTuningRecord> records) {
  LossCurve losses{.kind = LossKind::kTotal, .points = {}};
  LossPlot plot{.title = "Fine-tuning", .subtitle = "", .curves = {}, .phases = {}};
  for (const FineTuningRecord& record : records) {
    const auto step = static_cast<double>(record.step);
    if (record.loss) losses.points.push_back({step, *record.loss});
    if (record.scores.empty()) continue;
    const auto& [name, value] = record.scores.back();
    // Records read from losses.tsv hold one score each.
    if (!plot.notes.empty() && plot.notes.back().step == step) plot.notes.pop_back();
    plot.notes.push_back({step, fmt::format("{} {:.1f}", name, value)});
  }
  plot.curves = {losses};
  return plot;
}

}  // namespace bertha::runlog
