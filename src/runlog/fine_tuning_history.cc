#include "runlog/fine_tuning_history.h"

#include <fmt/format.h>

#include <sstream>

#include "io/atomic_file.h"
#include "runlog/loss_plot.h"

namespace bertha::runlog {

FineTuningHistory::FineTuningHistory(const std::string& folder, int64_t last_step)
    : folder_(folder) {
  file_ = continue_lines(folder + "/losses.tsv", "step\twhat\tvalue\tlearning_rate",
                         [&](const std::string& text) {
                           Line line;
                           if (!parse(text, line) || line.step > last_step) return false;
                           lines_.push_back(line);
                           return true;
                         });
}

bool FineTuningHistory::parse(const std::string& text, Line& line) {
  std::istringstream fields(text);
  return static_cast<bool>(fields >> line.step >> line.kind >> line.value >> line.rate);
}

void FineTuningHistory::add(const Line& line) {
  lines_.push_back(line);
  file_->write(
      fmt::format("{}\t{}\t{:.6g}\t{:.6g}\n", line.step, line.kind, line.value, line.rate));
}

void FineTuningHistory::add_loss(int64_t step, double loss, double rate) {
  add({.step = step, .kind = "loss", .value = loss, .rate = rate});
}

void FineTuningHistory::add_scores(int64_t step, const Scores& scores) {
  for (const auto& [name, value] : scores) add({.step = step, .kind = name, .value = value});
}

void FineTuningHistory::draw() const {
  LossCurve losses{.kind = LossKind::kTotal, .points = {}};
  LossPlot plot{.title = "Fine-tuning", .subtitle = folder_, .curves = {}, .phases = {}};
  for (const Line& line : lines_) {
    const auto step = static_cast<double>(line.step);
    if (line.kind == "loss") {
      losses.points.push_back({step, line.value});
      continue;
    }
    const std::string note = fmt::format("{} {:.1f}", line.kind, line.value);
    if (!plot.notes.empty() && plot.notes.back().step == step) plot.notes.pop_back();
    plot.notes.push_back({step, note});
  }
  plot.curves = {losses};
  io::write_file(folder_ + "/loss.svg", loss_svg(plot));
}

}  // namespace bertha::runlog
