#include "runlog/fine_tuning_record.h"

#include <fmt/format.h>

#include <sstream>

#include "runlog/quantity_format.h"

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

/// The most important score.
std::string FineTuningRecord::in_short() const {
  if (scores.empty()) return "";
  return fmt::format("{} {:.2f}", scores.back().first, scores.back().second);
}

void FineTuningCurves::add(const FineTuningRecord& record) {
  if (record.loss) losses_.add(static_cast<double>(record.step), *record.loss);
  if (!record.scores.empty()) evaluations_.push_back(record);
}

LossPlot FineTuningCurves::plot() const {
  LossPlot plot{.title = "Fine-tuning",
                .subtitle = "",
                .curves = {{.kind = LossKind::kTraining, .points = losses_.points()}},
                .phases = {}};
  for (const FineTuningRecord& record : evaluations_) {
    const auto step = static_cast<double>(record.step);
    const auto& [name, value] = record.scores.back();
    // Records read from losses.tsv hold one score each.
    std::vector<LossPoint>& points = plot.scores.points;
    if (!points.empty() && points.back().step == step) points.pop_back();
    plot.scores.name = name;
    points.push_back({step, value});
  }
  return plot;
}

ReportTable FineTuningCurves::evaluations() const {
  ReportTable table{.title = "Evaluations", .header = {"step", "score", "value"}, .rows = {}};
  for (const FineTuningRecord& r : evaluations_) {
    for (const auto& [name, value] : r.scores) {
      table.rows.insert(table.rows.begin(),
                        {format_count(r.step), name, fmt::format("{:.4f}", value)});
    }
  }
  return table;
}

}  // namespace bertha::runlog
