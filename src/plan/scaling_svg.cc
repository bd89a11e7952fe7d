#include "plan/scaling_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runlog/quantity_format.h"
#include "runlog/svg.h"

namespace bertha::plan {
namespace {

// Pixels. Curves above, the last micro-batch below.
constexpr double kWidth = 960;
constexpr double kLeft = 90;
constexpr double kRight = 760;
constexpr double kTop = 70;
constexpr double kBottom = 330;
constexpr double kLaneTop = 410;
constexpr double kLane = 24;

/// Colours that stay apart for colour-blind readers (Okabe and Ito).
constexpr std::array kColors = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                "#e69f00", "#56b4e9", "#000000"};

std::string ms(double seconds) {
  return fmt::format("{:.1f}", 1e3 * seconds);
}

double place_of(size_t index, size_t count) {
  return kLeft + (kRight - kLeft) * static_cast<double>(index) /
                     static_cast<double>(std::max<size_t>(count - 1, 1));
}

double height_of(double efficiency) {
  return kBottom - (kBottom - kTop) * efficiency;
}

void draw_grid(runlog::Svg& svg, const std::vector<ScalingRow>& rows) {
  for (int percent = 0; percent <= 100; percent += 20) {
    const double y = height_of(percent / 100.0);
    svg.line({kLeft, y}, {kRight, y}, {{"stroke", "#e4e7eb"}});
    svg.text({kLeft - 8, y + 4}, fmt::format("{} %", percent), {{"text-anchor", "end"}});
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    svg.text({place_of(i, rows.size()), kBottom + 18},
             fmt::format("{} ranks", runlog::format_count(rows[i].ranks)),
             {{"text-anchor", "middle"}});
  }
}

void draw_curve(runlog::Svg& svg, const std::vector<double>& efficiencies, const char* color) {
  runlog::SvgPath path;
  for (size_t i = 0; i < efficiencies.size(); ++i) {
    path.line_to({place_of(i, efficiencies.size()), height_of(efficiencies[i])});
  }
  svg.path(path, {{"fill", "none"}, {"stroke", color}, {"stroke-width", "2"}});
  for (size_t i = 0; i < efficiencies.size(); ++i) {
    svg.circle({place_of(i, efficiencies.size()), height_of(efficiencies[i])}, 3,
               {{"fill", color}});
  }
}

/// The last micro-batch: its computation, and below it the reductions of each number of ranks.
void draw_micro_batch(runlog::Svg& svg, const Scaling& scaling) {
  const double last = scaling.last_second();
  const auto place = [&](double seconds) { return kLeft + (kRight - kLeft) * seconds / last; };
  const auto box = [&](double begin, double end, double y, const char* color) {
    svg.rectangle({place(begin), y}, {std::max(place(end) - place(begin), 0.0), kLane - 6},
                  {{"fill", color}});
  };
  const double forward = scaling.one_rank.finals.front().seconds;
  const double computed = scaling.one_rank.micro_batch_seconds;
  svg.text({kLeft, kLaneTop - 16},
           fmt::format("The last micro-batch, {} ms: forward, backward; sums of gradients hidden "
                       "and seen ({}, {})",
                       ms(last), scaling.within.name, scaling.between.name));
  svg.text({kLeft - 8, kLaneTop + 13}, "computation", {{"text-anchor", "end"}});
  box(0, forward, kLaneTop, "#9aa5b1");
  box(forward, computed, kLaneTop, "#52606d");
  double y = kLaneTop;
  for (const ScalingRow& row : scaling.rows) {
    if (row.time.buckets.empty()) continue;
    y += kLane;
    svg.text({kLeft - 8, y + 13}, fmt::format("{} ranks", row.ranks), {{"text-anchor", "end"}});
    svg.text({kRight + 14, y + 13}, fmt::format("{} ms seen", ms(row.time.exposed_seconds())));
    for (const BucketReduction& sum : row.time.buckets) {
      const double middle = std::clamp(computed, sum.begin, sum.end);
      box(sum.begin, middle, y, "#009e73");
      box(middle, sum.end, y, "#d55e00");
    }
  }
}

}  // namespace

std::string scaling_svg(const Scaling& scaling) {
  const double height = kLaneTop + kLane * static_cast<double>(scaling.rows.size() + 2);
  runlog::Svg svg({kWidth, height}, {{"font-family", "sans-serif"}, {"font-size", "12"}});
  svg.text({kLeft, 34}, "Efficiency by number of ranks and network between nodes");
  draw_grid(svg, scaling.rows);
  for (size_t i = 0; i < scaling.curves.size(); ++i) {
    const char* color = kColors[i % kColors.size()];
    draw_curve(svg, scaling.curves[i].efficiencies, color);
    svg.text({kRight + 14, kTop + 20 * static_cast<double>(i) + 4}, scaling.curves[i].network,
             {{"fill", color}});
  }
  draw_micro_batch(svg, scaling);
  return svg.str();
}

}  // namespace bertha::plan
