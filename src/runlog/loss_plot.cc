#include "runlog/loss_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "runlog/quantity_format.h"
#include "runlog/svg.h"

namespace bertha::runlog {

namespace {

// Pixels. The margin on the right holds the last value of each curve.
constexpr double kWidth = 960;
constexpr double kHeight = 540;
constexpr double kLeft = 72;
constexpr double kRight = 880;
constexpr double kTop = 104;
constexpr double kBottom = 484;
constexpr int kSections = 200;  ///< of a curve, at most
constexpr double kLabelGap = 15;

constexpr const char* kStyle =
    "text{font-family:'Inter','Helvetica Neue',Helvetica,'DejaVu Sans',Arial,sans-serif;"
    "font-size:12px;fill:#52606d}"
    ".title{font-size:18px;font-weight:600;fill:#1f2933}.sub{font-size:12.5px}"
    ".axis{font-size:12.5px;fill:#323f4b}.phase{font-size:12px;font-weight:600;fill:#7b8794}"
    ".grid{stroke:#e4e7eb;stroke-width:1}.frame{stroke:#9aa5b1;stroke-width:1}"
    ".mark{stroke:#9aa5b1;stroke-width:1.2;stroke-dasharray:5 4}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    ".band{stroke:none;fill-opacity:.16}.held{stroke:#fff;stroke-width:1.2}"
    ".last{font-weight:600}"
    ".score{fill:none;stroke:#009e73;stroke-width:1.6;stroke-dasharray:6 4}"
    ".value{font-weight:600;fill:#00664b;paint-order:stroke;stroke:#fff;stroke-width:3px}";

const char* name_of(LossKind kind) {
  constexpr std::array<const char*, 3> kNames = {"training loss", "masked words", "next sentence"};
  return kNames[static_cast<size_t>(kind)];
}

/// Colours that colour-blind readers can tell apart (Okabe and Ito).
const char* color_of(LossKind kind) {
  constexpr std::array<const char*, 3> kColors = {"#0072b2", "#d55e00", "#009e73"};
  return kColors[static_cast<size_t>(kind)];
}

/// 1, 2 or 5 times a power of ten, at least `least`.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string number(double value) {
  return fmt::format("{:.10g}", value);
}

/// Maps the values from low to high to pixels. The ticks are the values that have a grid line.
struct Axis {
  double low = 0;
  double high = 1;
  double low_pixel = 0;
  double high_pixel = 0;
  bool log = false;
  std::vector<double> ticks = {};

  double pixel(double value) const {
    const double share =
        log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return low_pixel + share * (high_pixel - low_pixel);
  }
};

std::vector<double> ticks_between(double low, double high, double step) {
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) {
    ticks.push_back(i == 0 ? 0 : i * step);  // -0 would be shown as "-0"
  }
  return ticks;
}

bool drawable(const LossPoint& point, bool log) {
  return std::isfinite(point.step) && std::isfinite(point.loss) && (!log || point.least > 0);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void add(const LossPoint& point) {
    add(point.least);
    add(point.greatest);
  }
};

Axis step_axis(const LossPlot& plot) {
  Range range;
  for (const LossCurve& curve : plot.curves) {
    for (const LossPoint& point : curve.points) {
      if (drawable(point, plot.log_axis)) range.add(point.step);
    }
  }
  for (const PhaseSpan& phase : plot.phases) {
    range.add(phase.begin_step);
    range.add(phase.end_step);
  }
  Axis axis{.low = 0, .high = 1, .low_pixel = kLeft, .high_pixel = kRight};
  if (range.low <= range.high) axis.low = std::min(0.0, range.low);
  axis.high = std::max(range.high, axis.low + 1);
  axis.ticks =
      ticks_between(axis.low, axis.high, std::max(1.0, round_step((axis.high - axis.low) / 9)));
  return axis;
}

/// The axis goes from a number of the series 1, 2, 5, 10, 20, 50, ... below the least loss to one
/// above the greatest. Each number of the series has a tick.
void scale_log(Axis& axis, const Range& range) {
  double power = std::pow(10, std::floor(std::log10(range.low)));
  std::vector<double> ticks;
  for (; ticks.empty() || ticks.back() < range.high; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) ticks.push_back(factor * power);
  }
  while (ticks.size() > 2 && ticks[1] <= range.low) ticks.erase(ticks.begin());
  while (ticks.size() > 2 && ticks[ticks.size() - 2] >= range.high) ticks.pop_back();
  axis.low = ticks.front();
  axis.high = ticks.back();
  axis.ticks = std::move(ticks);
}

Axis loss_axis(const LossPlot& plot) {
  Range range;
  for (const LossCurve& curve : plot.curves) {
    for (const LossPoint& point : curve.points) {
      if (drawable(point, plot.log_axis)) range.add(point);
    }
  }
  if (range.low > range.high) range = {0.5, 1};
  Axis axis{.low_pixel = kBottom, .high_pixel = kTop, .log = plot.log_axis};
  if (plot.log_axis) {
    scale_log(axis, range);
    return axis;
  }
  axis.low = std::min(0.0, range.low);
  const double step = round_step(std::max(range.high - axis.low, 1e-9) / 6);
  axis.low = std::floor(axis.low / step) * step;
  axis.high = std::ceil(range.high / step - 1e-9) * step;
  if (axis.high <= axis.low) axis.high = axis.low + step;
  axis.ticks = ticks_between(axis.low, axis.high, step);
  return axis;
}

/// A section of a curve: the means of step and loss, and the least and the greatest loss.
struct Section {
  double step = 0;
  double mean = 0;
  double least = 0;
  double greatest = 0;
};

/// The sections of a curve, grouped by the gaps between them. A section averages `width` points.
std::vector<std::vector<Section>> sections_of(const LossCurve& curve, bool log) {
  const size_t width = std::max<size_t>(1, (curve.points.size() + kSections - 1) / kSections);
  std::vector<std::vector<Section>> runs(1);
  for (size_t begin = 0; begin < curve.points.size(); begin += width) {
    const size_t end = std::min(begin + width, curve.points.size());
    Section section;
    Range range;
    double count = 0;
    for (size_t i = begin; i < end; ++i) {
      const LossPoint& point = curve.points[i];
      if (!drawable(point, log)) continue;
      section.step += point.step * point.steps;
      section.mean += point.loss * point.steps;
      range.add(point);
      count += point.steps;
    }
    if (count == 0) {
      if (!runs.back().empty()) runs.emplace_back();
      continue;
    }
    runs.back().push_back({section.step / count, section.mean / count, range.low, range.high});
  }
  if (runs.back().empty()) runs.pop_back();
  return runs;
}

constexpr double kPointRadius = 4.2;  ///< of a held-out loss
constexpr const char* kScoreColor = "#009e73";

constexpr double kRow = 72;  ///< of the legend

class Picture {
 public:
  explicit Picture(const LossPlot& plot)
      : plot_(plot),
        x_(step_axis(plot)),
        y_(loss_axis(plot)),
        svg_({kWidth, kHeight}, {{"width", number(kWidth)}, {"height", number(kHeight)}},
             plot.title, kStyle) {}

  std::string draw() {
    svg_.text({kLeft, 34}, plot_.title, {{"class", "title"}});
    svg_.text({kLeft, 54}, plot_.subtitle, {{"class", "sub"}});
    draw_losses_grid();
    draw_steps_grid();
    draw_phases();
    for (const LossCurve& curve : plot_.curves) {
      if (!curve.held_out) draw_line(curve);
    }
    for (const LossCurve& curve : plot_.curves) {
      if (curve.held_out) draw_points(curve);
    }
    draw_scores();
    draw_last_values();
    draw_legend();
    return svg_.str();
  }

 private:
  void draw_losses_grid() {
    for (const double tick : y_.ticks) {
      const double y = y_.pixel(tick);
      svg_.line({kLeft, y}, {kRight, y}, {{"class", "grid"}});
      svg_.text({kLeft - 9, y + 4}, number(tick), {{"text-anchor", "end"}});
    }
    svg_.upright_text({24, (kTop + kBottom) / 2},
                      plot_.log_axis ? "loss, nats (logarithmic)" : "loss, nats",
                      {{"class", "axis"}, {"text-anchor", "middle"}});
  }

  void draw_steps_grid() {
    for (const double tick : x_.ticks) {
      const double x = x_.pixel(tick);
      svg_.line({x, kBottom}, {x, kBottom + 5}, {{"class", "frame"}});
      svg_.text({x, kBottom + 19}, format_count(std::llround(tick)), {{"text-anchor", "middle"}});
    }
    svg_.line({kLeft, kBottom}, {kRight, kBottom}, {{"class", "frame"}});
    svg_.text({(kLeft + kRight) / 2, kBottom + 42}, "step",
              {{"class", "axis"}, {"text-anchor", "middle"}});
  }

  /// Every second phase has a pale background. A dashed line marks where a phase begins.
  void draw_phases() {
    for (size_t i = 0; i < plot_.phases.size(); ++i) {
      const PhaseSpan& phase = plot_.phases[i];
      const double begin = x_.pixel(phase.begin_step);
      const double end = x_.pixel(phase.end_step);
      if (i % 2 == 1) {
        svg_.rectangle({begin, kTop}, {std::max(0.0, end - begin), kBottom - kTop},
                       {{"fill", "#f0b429"}, {"fill-opacity", ".08"}});
      }
      if (i > 0) svg_.line({begin, kTop - 18}, {begin, kBottom}, {{"class", "mark"}});
      // The label of a short last phase ends at the right edge, so that it stays in the frame.
      const bool fits = end - begin > 8.0 * static_cast<double>(phase.label.size());
      const bool right = i > 0 && !fits;
      svg_.text({right ? end : begin + (i > 0 ? 6 : 0), kTop - 8}, phase.label,
                {{"class", "phase"}, {"text-anchor", right ? "end" : "start"}});
    }
  }

  /// A dashed line with a point for each score. Where there are many, the first, the best and the
  /// last have their values written.
  void draw_scores() {
    constexpr size_t kMostValues = 10;
    const std::vector<LossPoint>& points = plot_.scores.points;
    if (points.empty()) return;
    const auto best = std::ranges::max_element(points, {}, &LossPoint::loss);
    const Axis axis{
        .low = 0, .high = best->loss > 1 ? 100.0 : 1.0, .low_pixel = kBottom, .high_pixel = kTop};
    SvgPath line;
    for (const LossPoint& point : points) {
      line.line_to({x_.pixel(point.step), axis.pixel(std::max(point.loss, 0.0))});
    }
    svg_.path(line, {{"class", "score"}});
    for (const LossPoint& point : points) {
      const Pixels at = {x_.pixel(point.step), axis.pixel(std::max(point.loss, 0.0))};
      svg_.circle(at, kPointRadius, {{"class", "held"}, {"fill", kScoreColor}});
      const bool named = points.size() <= kMostValues || &point == &points.front() ||
                         &point == &*best || &point == &points.back();
      if (!named) continue;
      const std::string value = fmt::format("{:.{}f}", point.loss, axis.high > 1 ? 1 : 3);
      svg_.text({at.x, at.y - 10}, value, {{"class", "value"}, {"text-anchor", "middle"}});
    }
  }

  void draw_line(const LossCurve& curve) {
    for (const auto& run : sections_of(curve, plot_.log_axis)) {
      SvgPath means;
      SvgPath band;
      for (const Section& s : run) {
        const double x = x_.pixel(s.step);
        means.line_to({x, y_.pixel(s.mean)});
        band.line_to({x, y_.pixel(s.greatest)});
      }
      for (auto s = run.rbegin(); s != run.rend(); ++s) {
        band.line_to({x_.pixel(s->step), y_.pixel(s->least)});
      }
      svg_.path(band.close(), {{"class", "band"}, {"fill", color_of(curve.kind)}});
      svg_.path(means, {{"class", "line"}, {"stroke", color_of(curve.kind)}});
    }
  }

  void draw_point(Pixels at, LossKind kind) {
    svg_.circle(at, kPointRadius, {{"class", "held"}, {"fill", color_of(kind)}});
  }

  void draw_points(const LossCurve& curve) {
    for (const LossPoint& point : curve.points) {
      if (!drawable(point, plot_.log_axis)) continue;
      draw_point({x_.pixel(point.step), y_.pixel(point.loss)}, curve.kind);
    }
  }

  /// The value at the end of each line stands right of the frame. Values that would overlap are
  /// moved apart.
  void draw_last_values() {
    struct Last {
      double y;
      double loss;
      LossKind kind;
    };
    std::vector<Last> lasts;
    for (const LossCurve& curve : plot_.curves) {
      if (curve.held_out) continue;
      const auto runs = sections_of(curve, plot_.log_axis);
      if (runs.empty()) continue;
      const double loss = runs.back().back().mean;
      lasts.push_back({y_.pixel(loss), loss, curve.kind});
    }
    std::sort(lasts.begin(), lasts.end(), [](const Last& a, const Last& b) { return a.y < b.y; });
    for (size_t i = 1; i < lasts.size(); ++i) {
      lasts[i].y = std::max(lasts[i].y, lasts[i - 1].y + kLabelGap);
    }
    for (const Last& last : lasts) {
      svg_.text({kRight + 9, last.y + 4}, fmt::format("{:.3f}", last.loss),
                {{"class", "last"}, {"style", fmt::format("fill:{}", color_of(last.kind))}});
    }
  }

  void draw_legend() {
    double x = kRight;
    if (!plot_.scores.points.empty()) draw_score_key(x);
    for (auto curve = plot_.curves.rbegin(); curve != plot_.curves.rend(); ++curve) {
      const auto can_draw = [&](const LossPoint& p) { return drawable(p, plot_.log_axis); };
      if (std::none_of(curve->points.begin(), curve->points.end(), can_draw)) continue;
      const std::string text = curve->held_out ? fmt::format("{}, held out", name_of(curve->kind))
                                               : name_of(curve->kind);
      x -= 40 + 6.9 * static_cast<double>(text.size());
      draw_key(*curve, x, text);
    }
  }

  /// Moves `x` to the left of the key.
  void draw_score_key(double& x) {
    const std::string text = plot_.scores.name + ", held out";
    x -= 40 + 6.9 * static_cast<double>(text.size());
    SvgPath line;
    svg_.path(line.line_to({x + 4, kRow}).line_to({x + 22, kRow}), {{"class", "score"}});
    svg_.circle({x + 13, kRow}, kPointRadius, {{"class", "held"}, {"fill", kScoreColor}});
    svg_.text({x + 27, kRow + 4}, text);
  }

  void draw_key(const LossCurve& curve, double x, const std::string& text) {
    if (curve.held_out) {
      draw_point({x + 14, kRow}, curve.kind);
    } else {
      svg_.line({x + 4, kRow}, {x + 22, kRow},
                {{"class", "line"}, {"stroke", color_of(curve.kind)}});
    }
    svg_.text({x + 27, kRow + 4}, text);
  }

  const LossPlot& plot_;
  Axis x_;
  Axis y_;
  Svg svg_;
};

}  // namespace

std::string loss_svg(const LossPlot& plot) {
  return Picture(plot).draw();
}

}  // namespace bertha::runlog
