#include "plan/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace bertha::plan {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kBarColumns = 30;
constexpr int kTimeColumns = 64;

std::string ms(double seconds) {
  return fmt::format("{:.1f}", 1e3 * seconds);
}

/// What a column of a bar shows, in a terminal with and without block characters.
struct Ink {
  const char* block;
  const char* letter;
};
constexpr Ink kCompute = {"█", "#"};
constexpr Ink kForward = {"▓", "f"};
constexpr Ink kUpdate = {"▒", "u"};
constexpr Ink kHidden = {"█", "s"};
constexpr Ink kExposed = {"░", "."};
constexpr Ink kNothing = {" ", " "};

/// The text in the making.
class Report {
 public:
  Report(const TrainingPlan& plan, bool unicode)
      : plan_(plan), scaling_(plan.scaling), unicode_(unicode) {}

  std::string run() {
    if (plan_.memory) {
      memory(*plan_.memory);
      time();
    }
    links();
    measurements();
    rows();
    const bool hides = std::ranges::any_of(
        scaling_.rows, [](const ScalingRow& row) { return !row.time.buckets.empty(); });
    if (hides) overlap();
    curves();
    return std::move(text_);
  }

 private:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  std::string repeated(const Ink& ink, int64_t columns) const;
  std::string step_bar(const StepTime& time) const;
  std::string reduction_line(const StepTime& time, double last) const;

  void memory(const MemoryEstimate& memory);
  void time();
  void link(const char* where, const NamedLink& link);
  void links();
  void measurements();
  void rows();
  void row(const ScalingRow& row);
  void overlap();
  void curves();

  const TrainingPlan& plan_;
  const Scaling& scaling_;
  const bool unicode_;
  std::string text_;
};

std::string Report::repeated(const Ink& ink, int64_t columns) const {
  std::string text;
  for (int64_t i = 0; i < columns; ++i) text += unicode_ ? ink.block : ink.letter;
  return text;
}

void Report::memory(const MemoryEstimate& memory) {
  add("memory, counted from the trainer's own buffers:\n");
  add("  parameters and gradients   {:8.2f} GB\n", memory.parameters);
  add("  moments, batch, scalars    {:8.2f} GB\n", memory.optimizer);
  add("  activations                {:8.2f} GB\n", memory.activations);
  add("  library and driver (about) {:8.2f} GB\n", memory.library + memory.driver);
  if (memory.graphs > 0) add("  graphs (about)             {:8.2f} GB\n", memory.graphs);
  add("  total                      {:8.2f} GB of {:.0f} GB on {}: {}\n", memory.total(),
      plan_.gpu.memory_gb, plan_.card_name(),
      memory.total() < plan_.gpu.memory_gb ? "fits" : "does not fit");
}

void Report::time() {
  const PlanRequest& request = plan_.request;
  const double seconds =
      plan_.time.micro_batch_seconds * static_cast<double>(request.job.accumulation);
  const int64_t sequences = request.job.shape.sequences * request.job.accumulation;
  if (plan_.gpu.measured) {
    add("time, from steps timed on this machine at {:.3f} TFLOP/s:\n",
        plan_.time.peak_flops * 1e-12);
  } else {
    add("time, estimated at {:.0f} % of {:.0f} TFLOP/s by the datasheet:\n",
        request.assumptions.rate_share * 100, plan_.time.peak_flops * 1e-12);
  }
  add("  operations of a sequence   {:8.1f} GFLOP\n", plan_.time.flops.total() * 1e-9);
  add("  sequences a second         {:8.1f}\n", static_cast<double>(sequences) / seconds);
  add("  {:<26} {:8.3f} s\n", fmt::format("an update of {}", sequences), seconds);
  if (request.steps > 1) {
    add("  {:<26} {:8.2f} h\n", fmt::format("{} updates", request.steps),
        seconds * static_cast<double>(request.steps) / 3600);
  }
}

void Report::link(const char* where, const NamedLink& link) {
  add("  {:<14} {:<14} {:8.1f} us {:10.2f} GB/s{}\n", where, link.name,
      1e6 * link.link.latency_seconds, 1e-9 * link.link.bytes_per_second,
      link.fit ? fmt::format("  {}, residual {:.0f} %", name_of(link.fit->method),
                             100 * link.fit->residual)
               : "");
}

void Report::links() {
  add("links, latency and what arrives of their bandwidth:\n");
  link("in a node", scaling_.within);
  link("between nodes", scaling_.between);
  add("  {} ranks and {} network cards a node\n", scaling_.cluster.ranks_a_node,
      scaling_.cluster.cards_a_node);
}

void Report::measurements() {
  for (const StepTiming& t : plan_.request.timings) {
    add("measured: {} ranks of {} threads on {} hosts, {}\n"
        "  micro-batch {} ms, with sums {} ms, update {} ms, all gradients summed alone {} ms\n",
        t.ranks, t.threads, t.hosts, t.device, ms(t.micro_batch_seconds),
        ms(t.summed_micro_batch_seconds), ms(t.update_seconds), ms(t.whole_sum_seconds));
  }
  const double overlap = scaling_.one_rank.overlap;
  if (!plan_.request.timings.empty() && overlap < 1) {
    add("  of what could hide behind the backward pass {:.0f} % did\n", 100 * overlap);
  }
}

std::string Report::step_bar(const StepTime& time) const {
  const auto columns = [&](double seconds) {
    return std::lround(kBarColumns * seconds / time.step_seconds);
  };
  const int64_t compute = columns(time.compute_seconds);
  const int64_t update = columns(time.compute_seconds + time.update_seconds) - compute;
  return repeated(kCompute, compute) + repeated(kUpdate, update) +
         repeated(kExposed, kBarColumns - compute - update);
}

void Report::row(const ScalingRow& row) {
  const StepTime& t = row.time;
  add("{:>6} {:>6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>10} {:>11.1f} {:>7.1f} %{} {}\n", row.ranks,
      row.accumulation, ms(t.compute_seconds), ms(t.update_seconds), ms(t.reduction_seconds),
      ms(t.hidden_seconds), ms(t.exposed_seconds()), ms(t.step_seconds), row.sequences_per_second,
      100 * row.efficiency, row.memory_gb ? fmt::format(" {:6.2f} GB", *row.memory_gb) : "",
      step_bar(t));
}

void Report::rows() {
  add("\nmilliseconds of a step; bars: {} computation, {} update, {} sums that are seen\n",
      repeated(kCompute, 1), repeated(kUpdate, 1), repeated(kExposed, 1));
  add("{:>6} {:>6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>10} {:>11} {:>9}{}\n", "ranks", "accum.",
      "compute", "update", "sums", "hidden", "seen", "step", "sequences/s", "effic.",
      scaling_.rows.front().memory_gb ? "    memory" : "");
  for (const ScalingRow& own : scaling_.rows) row(own);
}

/// The columns of time in which a reduction is under way: behind computation, or exposed.
std::string Report::reduction_line(const StepTime& time, double last) const {
  std::string line;
  for (int column = 0; column < kTimeColumns; ++column) {
    const double at = last * (column + 0.5) / kTimeColumns;
    const bool busy = std::ranges::any_of(
        time.buckets, [&](const BucketReduction& sum) { return sum.begin <= at && at < sum.end; });
    const bool hidden = at < scaling_.one_rank.micro_batch_seconds;
    line += repeated(!busy ? kNothing : hidden ? kHidden : kExposed, 1);
  }
  return line;
}

void Report::overlap() {
  const double last = scaling_.last_second();
  const auto columns = [&](double seconds) { return std::lround(kTimeColumns * seconds / last); };
  const int64_t forward = columns(scaling_.one_rank.finals.front().seconds);
  const int64_t backward = columns(scaling_.one_rank.micro_batch_seconds) - forward;
  add("\nthe last micro-batch and its {} buckets of gradients, {} ms in all\n",
      scaling_.rows.back().time.buckets.size(), ms(last));
  add("{:>14} |{}{}\n", "computation", repeated(kForward, forward), repeated(kCompute, backward));
  for (const ScalingRow& row : scaling_.rows) {
    if (row.time.buckets.empty()) continue;
    add("{:>8} ranks |{}\n", row.ranks, reduction_line(row.time, last));
  }
}

void Report::curves() {
  add("\nefficiency in %, by network, {} network cards a node\n{:<16}",
      scaling_.cluster.cards_a_node, "");
  for (const ScalingRow& row : scaling_.rows) add("{:>8}", row.ranks);
  add("\n");
  for (const NetworkCurve& curve : scaling_.curves) {
    add("{:<16}", curve.network);
    for (const double efficiency : curve.efficiencies) add("{:>8.1f}", 100 * efficiency);
    add("\n");
  }
}

// ---- JSON ---------------------------------------------------------------------------------------

Json json_of(const NamedLink& link) {
  Json json = {{"name", link.name},
               {"latency_seconds", link.link.latency_seconds},
               {"bytes_per_second", link.link.bytes_per_second}};
  if (link.fit) {
    json["method"] = name_of(link.fit->method);
    json["residual"] = link.fit->residual;
  }
  return json;
}

Json json_of(const ScalingRow& row) {
  Json json = {{"ranks", row.ranks},
               {"gradient_accumulation_steps", row.accumulation},
               {"compute_seconds", row.time.compute_seconds},
               {"update_seconds", row.time.update_seconds},
               {"sum_seconds", row.time.reduction_seconds},
               {"hidden_seconds", row.time.hidden_seconds},
               {"step_seconds", row.time.step_seconds},
               {"sequences_per_second", row.sequences_per_second},
               {"efficiency", row.efficiency}};
  if (row.memory_gb) json["memory_gb"] = *row.memory_gb;
  return json;
}

Json json_of(const MemoryEstimate& memory) {
  return {{"parameters_gb", memory.parameters},   {"optimizer_gb", memory.optimizer},
          {"activations_gb", memory.activations}, {"graphs_gb", memory.graphs},
          {"sums_gb", memory.communication},      {"total_gb", memory.total()}};
}

}  // namespace

std::string plan_text(const TrainingPlan& plan, bool unicode) {
  return Report(plan, unicode).run();
}

std::string plan_json(const TrainingPlan& plan) {
  const Scaling& scaling = plan.scaling;
  Json json = {{"within", json_of(scaling.within)},
               {"between", json_of(scaling.between)},
               {"ranks_a_node", scaling.cluster.ranks_a_node},
               {"network_cards", scaling.cluster.cards_a_node},
               {"micro_batch_seconds", scaling.one_rank.micro_batch_seconds},
               {"overlap", scaling.one_rank.overlap},
               {"scaling", Json::array()}};
  for (const ScalingRow& row : scaling.rows) json["scaling"].push_back(json_of(row));
  for (const NetworkCurve& curve : scaling.curves) {
    json["networks"][curve.network] = curve.efficiencies;
  }
  if (plan.memory) {
    json["card"] = plan.card_name();
    json["memory"] = json_of(*plan.memory);
    json["sequence_gflop"] = plan.time.flops.total() * 1e-9;
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace bertha::plan
