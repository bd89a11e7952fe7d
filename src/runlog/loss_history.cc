#include "runlog/loss_history.h"

#include <fmt/format.h>

#include <optional>
#include <sstream>

#include "io/atomic_file.h"
#include "runlog/loss_plot.h"

namespace bertha::runlog {
namespace {

constexpr const char* kHeader =
    "phase\tstep\tset\tmlm_loss\tnsp_loss\tmlm_accuracy\tnsp_accuracy\tlearning_rate";

std::string format_record(const LossRecord& r) {
  return fmt::format("{}\t{}\t{}\t{:.6g}\t{:.6g}\t{:.4g}\t{:.4g}\t{:.6g}\n", r.phase, r.number,
                     r.held_out ? "held-out" : "train", r.masked, r.next_sentence,
                     r.masked_accuracy, r.next_sentence_accuracy, r.rate);
}

std::optional<LossRecord> parse_record(const std::string& line) {
  LossRecord r;
  std::string set;
  std::istringstream fields(line);
  if (!(fields >> r.phase >> r.number >> set >> r.masked >> r.next_sentence >> r.masked_accuracy >>
        r.next_sentence_accuracy >> r.rate)) {
    return std::nullopt;
  }
  r.held_out = set == "held-out";
  return r;
}

}  // namespace

LossHistory::LossHistory(const std::string& folder, int64_t last_number) : folder_(folder) {
  file_ = continue_lines(folder + "/losses.tsv", kHeader, [&](const std::string& line) {
    const auto record = parse_record(line);
    if (!record || record->number > last_number) return false;
    records_.push_back(*record);
    return true;
  });
}

void LossHistory::add(const LossRecord& record) {
  records_.push_back(record);
  file_->write(format_record(record));
}

void LossHistory::draw(const std::string& subtitle) const {
  LossCurve masked{.kind = LossKind::kMaskedWords, .points = {}};
  LossCurve next_sentence{.kind = LossKind::kNextSentence, .points = {}};
  LossCurve held_out{.kind = LossKind::kMaskedWords, .held_out = true, .points = {}};
  LossPlot plot{.title = "Pre-training", .subtitle = subtitle, .curves = {}, .phases = {}};
  for (const LossRecord& r : records_) {
    const auto step = static_cast<double>(r.number);
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
  io::write_file(folder_ + "/loss.svg", loss_svg(plot));
}

}  // namespace bertha::runlog
