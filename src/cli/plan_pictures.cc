// The scaling of bertha plan as tables and bars in the terminal, and as an SVG file.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/plan_parts.h"
#include "runlog/progress.h"
#include "runlog/svg.h"

namespace bertha::cli {
namespace {

constexpr int kBarColumns = 30;
constexpr int kTimeColumns = 64;

std::string ms(double seconds) {
  return fmt::format("{:.1f}", 1e3 * seconds);
}

/// What a column of a picture shows, in a terminal with and without block characters.
struct Ink {
  const char* block;
  const char* letter;
};
constexpr Ink kCompute = {"█", "#"};
constexpr Ink kForward = {"▓", "f"};
constexpr Ink kUpdate = {"▒", "u"};
constexpr Ink kSum = {"█", "s"};
constexpr Ink kSeen = {"░", "."};
constexpr Ink kNothing = {" ", " "};

std::string repeated(const Ink& ink, int64_t columns, bool unicode) {
  std::string text;
  for (int64_t i = 0; i < columns; ++i) text += unicode ? ink.block : ink.letter;
  return text;
}

std::string step_bar(const plan::StepTime& time, bool unicode) {
  const auto columns = [&](double seconds) {
    return std::lround(kBarColumns * seconds / time.step_seconds);
  };
  const int64_t compute = columns(time.compute_seconds);
  const int64_t update = columns(time.compute_seconds + time.update_seconds) - compute;
  return repeated(kCompute, compute, unicode) + repeated(kUpdate, update, unicode) +
         repeated(kSeen, kBarColumns - compute - update, unicode);
}

/// The moments at which sums are under way, and of those the ones that no computation hides.
std::string sum_line(const plan::StepTime& time, double computed, double last, bool unicode) {
  std::string line;
  for (int column = 0; column < kTimeColumns; ++column) {
    const double at = last * (column + 0.5) / kTimeColumns;
    const bool busy = std::ranges::any_of(
        time.buckets, [&](const plan::BucketSum& sum) { return sum.begin <= at && at < sum.end; });
    line += repeated(!busy ? kNothing : at < computed ? kSum : kSeen, 1, unicode);
  }
  return line;
}

}  // namespace

void Scaling::print_links() const {
  const auto line = [](const char* where, const std::string& name, const plan::Link& link,
                       const std::optional<plan::LinkFit>& fit) {
    fmt::print("  {:<14} {:<14} {:8.1f} us {:10.2f} GB/s{}\n", where, name,
               1e6 * link.latency_seconds, 1e-9 * link.bytes_per_second,
               fit ? fmt::format("  {}, residual {:.0f} %", plan::name_of(fit->method),
                                 100 * fit->residual)
                   : "");
  };
  fmt::print("links, latency and what arrives of their bandwidth:\n");
  line("in a node", within_name_, cluster_.within, fit_within_);
  line("between nodes", network_name_, cluster_.between, fit_between_);
  fmt::print("  {} ranks and {} network cards a node\n", cluster_.ranks_a_node,
             cluster_.cards_a_node);
  for (const plan::StepTiming& t : plan_.timings) {
    fmt::print(
        "measured: {} ranks of {} threads on {} hosts, {}\n"
        "  micro-batch {} ms, with sums {} ms, update {} ms, all gradients summed alone {} ms\n",
        t.ranks, t.threads, t.hosts, t.device, ms(t.micro_batch_seconds),
        ms(t.summed_micro_batch_seconds), ms(t.update_seconds), ms(t.whole_sum_seconds));
  }
  if (!plan_.timings.empty() && base_.overlap < 1) {
    fmt::print("  of what could hide behind the backward pass {:.0f} % did\n", 100 * base_.overlap);
  }
}

void Scaling::print_rows() const {
  const bool unicode = runlog::stderr_terminal().unicode;
  const bool memory = rows_.front().memory_gb > 0;
  fmt::print("\nmilliseconds of a step; bars: {} computation, {} update, {} sums that are seen\n",
             repeated(kCompute, 1, unicode), repeated(kUpdate, 1, unicode),
             repeated(kSeen, 1, unicode));
  fmt::print("{:>6} {:>6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>10} {:>11} {:>9}{}\n", "ranks",
             "accum.", "compute", "update", "sums", "hidden", "seen", "step", "sequences/s",
             "effic.", memory ? "    memory" : "");
  for (const Row& row : rows_) {
    const plan::StepTime& t = row.time;
    fmt::print("{:>6} {:>6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>10} {:>11.1f} {:>7.1f} %{} {}\n",
               row.ranks, row.accumulation, ms(t.compute_seconds), ms(t.update_seconds),
               ms(t.sum_seconds), ms(t.hidden_seconds), ms(t.exposed_seconds()), ms(t.step_seconds),
               row.sequences_per_second, 100 * row.efficiency,
               memory ? fmt::format(" {:6.2f} GB", row.memory_gb) : "", step_bar(t, unicode));
  }
}

double Scaling::last_moment() const {
  double last = base_.micro_batch_seconds;
  for (const Row& row : rows_) {
    if (!row.time.buckets.empty()) last = std::max(last, row.time.buckets.back().end);
  }
  return last;
}

void Scaling::print_overlap() const {
  const bool unicode = runlog::stderr_terminal().unicode;
  const double last = last_moment();
  const auto columns = [&](double seconds) { return std::lround(kTimeColumns * seconds / last); };
  const int64_t forward = columns(base_.finals.front().seconds);
  const int64_t backward = columns(base_.micro_batch_seconds) - forward;
  fmt::print("\nthe last micro-batch and its {} buckets of gradients, {} ms in all\n",
             rows_.back().time.buckets.size(), ms(last));
  fmt::print("{:>14} |{}{}\n", "computation", repeated(kForward, forward, unicode),
             repeated(kCompute, backward, unicode));
  for (const Row& row : rows_) {
    if (row.time.buckets.empty()) continue;
    fmt::print("{:>8} ranks |{}\n", row.ranks,
               sum_line(row.time, base_.micro_batch_seconds, last, unicode));
  }
}

void Scaling::print_curves() const {
  fmt::print("\nefficiency in %, by network, {} cards a node\n{:<16}", cluster_.cards_a_node, "");
  for (const int64_t ranks : ranks_) fmt::print("{:>8}", ranks);
  fmt::print("\n");
  for (const Curve& curve : curves_) {
    fmt::print("{:<16}", curve.network);
    for (const double efficiency : curve.efficiencies) fmt::print("{:>8.1f}", 100 * efficiency);
    fmt::print("\n");
  }
}

void Scaling::print() const {
  print_links();
  print_rows();
  const bool hides =
      std::ranges::any_of(rows_, [](const Row& r) { return !r.time.buckets.empty(); });
  if (hides) print_overlap();
  print_curves();
}

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

double place_of(size_t index, size_t count) {
  return kLeft + (kRight - kLeft) * static_cast<double>(index) /
                     static_cast<double>(std::max<size_t>(count - 1, 1));
}

double height_of(double efficiency) {
  return kBottom - (kBottom - kTop) * efficiency;
}

void draw_grid(runlog::Svg& svg, const std::vector<int64_t>& ranks) {
  for (int percent = 0; percent <= 100; percent += 20) {
    const double y = height_of(percent / 100.0);
    svg.line({kLeft, y}, {kRight, y}, {{"stroke", "#e4e7eb"}});
    svg.text({kLeft - 8, y + 4}, fmt::format("{} %", percent), {{"text-anchor", "end"}});
  }
  for (size_t i = 0; i < ranks.size(); ++i) {
    svg.text({place_of(i, ranks.size()), kBottom + 18},
             fmt::format("{} ranks", runlog::format_count(ranks[i])), {{"text-anchor", "middle"}});
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

}  // namespace

std::string Scaling::svg() const {
  const double height = kLaneTop + kLane * static_cast<double>(rows_.size() + 2);
  runlog::Svg svg({kWidth, height}, {{"font-family", "sans-serif"}, {"font-size", "12"}});
  svg.text({kLeft, 34}, "Efficiency by number of ranks and network between nodes");
  draw_grid(svg, ranks_);
  for (size_t i = 0; i < curves_.size(); ++i) {
    const char* color = kColors[i % kColors.size()];
    draw_curve(svg, curves_[i].efficiencies, color);
    svg.text({kRight + 14, kTop + 20 * static_cast<double>(i) + 4}, curves_[i].network,
             {{"fill", color}});
  }
  draw_micro_batch(svg);
  return svg.str();
}

/// The last micro-batch: its computation, and below it the reductions of each number of ranks.
void Scaling::draw_micro_batch(runlog::Svg& svg) const {
  const double last = last_moment();
  const auto place = [&](double seconds) { return kLeft + (kRight - kLeft) * seconds / last; };
  const auto box = [&](double begin, double end, double y, const char* color) {
    svg.rectangle({place(begin), y}, {std::max(place(end) - place(begin), 0.0), kLane - 6},
                  {{"fill", color}});
  };
  const double forward = base_.finals.front().seconds;
  const double computed = base_.micro_batch_seconds;
  svg.text({kLeft, kLaneTop - 16},
           fmt::format("The last micro-batch, {} ms: forward, backward; sums of gradients hidden "
                       "and seen ({}, {})",
                       ms(last), within_name_, network_name_));
  svg.text({kLeft - 8, kLaneTop + 13}, "computation", {{"text-anchor", "end"}});
  box(0, forward, kLaneTop, "#9aa5b1");
  box(forward, computed, kLaneTop, "#52606d");
  double y = kLaneTop;
  for (const Row& row : rows_) {
    if (row.time.buckets.empty()) continue;
    y += kLane;
    svg.text({kLeft - 8, y + 13}, fmt::format("{} ranks", row.ranks), {{"text-anchor", "end"}});
    svg.text({kRight + 14, y + 13}, fmt::format("{} ms seen", ms(row.time.exposed_seconds())));
    for (const plan::BucketSum& sum : row.time.buckets) {
      const double middle = std::clamp(computed, sum.begin, sum.end);
      box(sum.begin, middle, y, "#009e73");
      box(middle, sum.end, y, "#d55e00");
    }
  }
}

}  // namespace bertha::cli
