// bertha plan: memory and time of pre-training, on a card that need not be here and on many of
// them. Memory is counted by building the trainer on a planned device, the same code as a run; time
// is an estimate from the products' number of operations and a share of the card's rate, or what
// was measured where the program runs.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "bert/config.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/plan_parts.h"
#include "cli/stop.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "plan/planned_device.h"
#include "train/pretraining_trainer.h"

namespace bertha::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kCards = {
    Card{"a100-40", 40, 312, 19.5, 1555, "nvlink3", "infiniband-hdr", 8},
    Card{"a100-80", 80, 312, 19.5, 2039, "nvlink3", "infiniband-hdr", 8},
    Card{"l40s", 48, 362, 91.6, 864, "pcie4", "ethernet-100g", 1},
    Card{"h100", 80, 989, 67, 3350, "nvlink4", "infiniband-ndr", 8},
    Card{"h200", 141, 989, 67, 4800, "nvlink4", "infiniband-ndr", 8},
    Card{"b200", 180, 2250, 75, 8000, "nvlink5", "infiniband-ndr", 8},
};

/// The library's workspace, and what the driver keeps for itself (its context, code, graphs).
constexpr double kWorkspaceGb = 0.067;
constexpr double kDriverGb = 0.8;
/// NCCL's own: 9.6 MB of buffers (4 MiB, 0.5 MiB and 4.9 MB for its three protocols) for each of
/// three connections of each of 24 channels. Up to 1.6 GB have been reported.
constexpr double kNcclGb = 3 * 24 * 9.6e-3;

/// Of memory's rate in an optimizer's pass, as measured on CPUs; and bytes it moves a parameter:
/// weights, gradients and two moments read, all but gradients written, LAMB's second pass.
constexpr double kUpdateShare = 0.8;
constexpr double kUpdateBytes = 40;

void declare_job(Options& table, PlanOptions& o) {
  table.value("config_file", o.config_file, "bert_config.json of the model").required();
  table.value("card", o.card, "a100-40, a100-80, l40s, h100, h200 or b200");
  table.value("micro_batch", o.shape.sequences, "sequences of a micro-batch");
  table.value("max_seq_length", o.shape.length, "tokens of the longest sequence");
  table.value("max_predictions_per_seq", o.shape.predictions,
              "masked tokens of a sequence, at most");
  table.value("gradient_accumulation_steps", o.accumulation, "micro-batches of an update, a rank");
  table.value("max_steps", o.steps, "updates");
  table.value("real_share", o.real_share,
              "real tokens over padded ones in the data, above 0 to 1; padding is not computed");
  table.value("rate_share", o.rate_share,
              "share of the card's datasheet rate that is reached, above 0 to 1: an assumption");
  table.flag("autocast", o.autocast, "bf16 products");
  table.flag("checkpoint_activations", o.recompute, "keep layers' inputs alone");
}

void declare_ranks(Options& table, PlanOptions& o) {
  table.heading("many ranks");
  table.value("ranks", o.ranks, "numbers of ranks, set apart by commas");
  table.value("ranks_a_node", o.ranks_a_node, "ranks of a node");
  table.value("within", o.within,
              "between ranks of a node: shared-memory, pcie3 to pcie5, nvlink2 to nvlink5, gaudi "
              "(default: the card's, or as measured)");
  table.value("network", o.network,
              "between nodes: ethernet-10g, -25g, -100g, -200g, -400g, infiniband-hdr, -ndr "
              "(default: usual for the card, or as measured)");
  table.value("network_cards", o.network_cards, "network cards of a node");
  table.value("global_batch", o.global_batch,
              "sequences of an update over all ranks, which then share them out; 0: every rank "
              "has --gradient_accumulation_steps micro-batches however many there are");
  table.value("allreduce-dtype", o.sums.allreduce_dtype,
              "of gradients between ranks: fp32 or bf16");
  table.value("use_zero_optimizer", o.zero, "ranks share the optimizer's state out (ZeRO-1)");
  table.heading("measured in place of estimated");
  table.value("measure", o.measure,
              "times steps and sums here, under mpirun on all ranks, and keeps them in this file");
  table.values("measured", o.measured, "files of --measure to fit and predict from");
  table.value("device", o.device, "to measure on: cpu or cuda");
  table.value("measure_steps", o.measure_steps, "steps that are timed");
  table.heading("output");
  table.flag("json", o.json, "everything as JSON");
  table.value("svg", o.svg, "a picture of the scaling to write");
}

const Card& card_of(const std::string& name) {
  const auto* const found = std::ranges::find(kCards, name, &Card::name);
  if (found == kCards.end()) {
    fail("--card {}: expected a100-40, a100-80, l40s, h100, h200 or b200", name);
  }
  return *found;
}

void check(const PlanOptions& o, const bert::Config& config) {
  const plan::BatchShape& shape = o.shape;
  for (const auto& [name, count] :
       {std::pair("micro_batch", shape.sequences), std::pair("max_seq_length", shape.length),
        std::pair("max_predictions_per_seq", shape.predictions),
        std::pair("gradient_accumulation_steps", o.accumulation), std::pair("max_steps", o.steps),
        std::pair("ranks_a_node", o.ranks_a_node),
        std::pair("network_cards", o.network_cards.value_or(1)),
        std::pair("measure_steps", o.measure_steps)}) {
    if (count < 1) fail("--{} {}: expected at least 1", name, count);
  }
  if (shape.length > config.max_position_embeddings) {
    fail("--max_seq_length {}: {} allows {}", shape.length, o.config_file,
         config.max_position_embeddings);
  }
  for (const auto& [name, share] :
       {std::pair("real_share", o.real_share), std::pair("rate_share", o.rate_share)}) {
    if (!(share > 0 && share <= 1)) fail("--{} {}: expected above 0 to 1", name, share);
  }
  if (o.measure && !o.measured.empty()) fail("--measure and --measured exclude each other");
  o.sums.sums();  // names an unknown type
}

/// 6 N s + 12 L H s² of the layers and 6 p (H² + H V) + 6 H² of the heads, for s real tokens with p
/// predictions, N the weights of the encoder's products.
SequenceFlops sequence_flops(const bert::Config& config, double tokens, double masked) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const auto vocabulary = static_cast<double>(config.vocab_size);
  const double weights =
      layers * (4 * hidden * hidden + 2 * hidden * static_cast<double>(config.intermediate_size));
  return {6 * weights * tokens + 12 * layers * hidden * tokens * tokens,
          6 * masked * (hidden * hidden + hidden * vocabulary) + 6 * hidden * hidden};
}

double peak_of(const Plan& plan) {
  return (plan.options.autocast ? plan.card.bf16_tflops : plan.card.fp32_tflops) * 1e12;
}

Json json_of(const Memory& memory) {
  return {{"parameters_gb", memory.parameters},
          {"optimizer_gb", memory.optimizer},
          {"activations_gb", memory.activations},
          {"sums_gb", memory.sums},
          {"total_gb", memory.total()}};
}

void print_memory(const Plan& plan) {
  const Memory memory = memory_of(plan, 1);
  fmt::print("memory, counted from the trainer's own buffers:\n");
  fmt::print("  parameters and gradients   {:8.2f} GB\n", memory.parameters);
  fmt::print("  moments, batch, scalars    {:8.2f} GB\n", memory.optimizer);
  fmt::print("  activations                {:8.2f} GB\n", memory.activations);
  fmt::print("  library and driver (about) {:8.2f} GB\n", kWorkspaceGb + kDriverGb);
  fmt::print("  total                      {:8.2f} GB of {:.0f} GB on {}: {}\n", memory.total(),
             plan.card.memory_gb, plan.card.name,
             memory.total() < plan.card.memory_gb ? "fits" : "does not fit");
}

void print_time(const Plan& plan) {
  const PlanOptions& o = plan.options;
  const double seconds = estimated_micro_batch_seconds(plan) * static_cast<double>(o.accumulation);
  const int64_t sequences = o.shape.sequences * o.accumulation;
  fmt::print("time, estimated at {:.0f} % of {:.0f} TFLOP/s by the datasheet:\n",
             o.rate_share * 100, peak_of(plan) * 1e-12);
  fmt::print("  operations of a sequence   {:8.1f} GFLOP\n", plan.flops.total() * 1e-9);
  fmt::print("  sequences a second         {:8.1f}\n", static_cast<double>(sequences) / seconds);
  fmt::print("  {:<26} {:8.3f} s\n", fmt::format("an update of {}", sequences), seconds);
  if (o.steps > 1) {
    fmt::print("  {:<26} {:8.2f} h\n", fmt::format("{} updates", o.steps),
               seconds * static_cast<double>(o.steps) / 3600);
  }
}

void print_plan(const Plan& plan) {
  const PlanOptions& o = plan.options;
  const Scaling scaling(plan);
  if (o.json) {
    Json json = scaling.json();
    if (!o.by_measurement()) {
      json["card"] = plan.card.name;
      json["memory"] = json_of(memory_of(plan, 1));
      json["sequence_gflop"] = plan.flops.total() * 1e-9;
    }
    fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    if (!o.by_measurement()) {
      print_memory(plan);
      print_time(plan);
    }
    scaling.print();
  }
  if (!o.svg.empty()) io::write_file(o.svg, scaling.svg());
}

/// Times steps on all ranks; rank 0 keeps them.
plan::StepTiming measure(comm::Communicator& world, const Plan& plan) {
  const PlanOptions& o = plan.options;
  DeviceChoice choice;
  choice.device = o.device;
  choice.autocast = o.autocast;
  const RankDevice own = open_on_rank(choice, world);
  train::TrainerSettings settings;
  settings.compute = choice.bf16(*own.device) ? DType::kBF16 : DType::kF32;
  settings.recompute = o.recompute;
  settings.sums = o.sums.sums();
  plan::StepTiming timing =
      plan::time_steps(*own.world, *own.device, plan.config, settings, o.shape, o.measure_steps);
  if (world.leads()) io::write_file(*o.measure, plan::timing_json(timing));
  return timing;
}

/// Rows are as in the measurements.
void read_measurements(PlanOptions& o, Plan& plan) {
  for (const std::string& path : o.measured) {
    plan.timings.push_back(plan::read_timing(path));
    if (plan.timings.back().shape == plan.timings.front().shape) continue;
    fail("{}: measured with other micro-batches than {}", path, o.measured.front());
  }
  if (!plan.timings.empty()) o.shape = plan.timings.front().shape;
}

}  // namespace

double Memory::total() const {
  return parameters + optimizer + activations + sums + kWorkspaceGb + kDriverGb;
}

Memory memory_of(const Plan& plan, int64_t ranks) {
  const PlanOptions& o = plan.options;
  const auto gb = [](int64_t bytes) { return static_cast<double>(bytes) * 1e-9; };
  plan::PlannedDevice device;
  plan::PlannedWorld world(ranks);
  bert::ParameterStore parameters(device, plan.config, bert::Heads::for_pretraining(), o.compute(),
                                  true);
  Memory memory;
  memory.parameters = gb(device.allocated_bytes());
  train::TrainerSettings settings;
  settings.compute = o.compute();
  settings.recompute = o.recompute;
  settings.accumulation = o.accumulation;
  settings.sums = o.sums.sums();
  settings.optimizer.zero = o.zero;
  settings.limits = {.tokens = o.shape.sequences * o.shape.length,
                     .sequences = o.shape.sequences,
                     .masked = o.shape.sequences * std::min(o.shape.predictions, o.shape.length)};
  const train::PretrainingTrainer trainer(device, plan.config, parameters, settings, world);
  memory.activations = gb(trainer.arena_bytes());
  memory.optimizer = gb(device.allocated_bytes()) - memory.parameters - memory.activations;
  if (ranks == 1) return memory;
  memory.sums = kNcclGb;
  if (settings.sums.wire_dtype == DType::kBF16) {
    // What goes over the wire is rounded aside: a bucket, or, where state is shared, all at once.
    const int64_t elements = parameters.table().flat_size();
    memory.sums += gb(2 * (o.zero ? elements : std::min(elements, settings.sums.bucket_elements)));
  }
  return memory;
}

double estimated_micro_batch_seconds(const Plan& plan) {
  // A layer run again costs another forward pass: a third of the whole.
  const double again = plan.options.recompute ? 4.0 / 3 : 1.0;
  return static_cast<double>(plan.options.shape.sequences) * plan.flops.total() * again /
         (peak_of(plan) * plan.options.rate_share);
}

double estimated_update_seconds(const Plan& plan, int64_t elements) {
  return static_cast<double>(elements) * kUpdateBytes /
         (plan.card.gbytes_per_s * 1e9 * kUpdateShare);
}

int run_plan(Arguments arguments) {
  PlanOptions o;
  Options table("bertha plan",
                "Says before a run what memory pre-training takes on a card, about what time, and "
                "what many ranks bring. Memory is exact but for the libraries' and the driver's "
                "own; time is an assumption of --rate_share until it was measured (--measure) on "
                "that machine.");
  declare_job(table, o);
  declare_ranks(table, o);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  const bert::Config config = bert::load_config(o.config_file).padded();
  check(o, config);
  Plan plan{o, config, card_of(o.card), {}, {}};
  read_measurements(o, plan);
  plan.flops = sequence_flops(config, static_cast<double>(o.shape.length) * o.real_share,
                              static_cast<double>(o.shape.predictions) * o.real_share);
  if (!o.measure) {
    print_plan(plan);
    return 0;
  }
  return on_all_ranks(o.sums, stop_requested, [&](comm::Communicator& world) {
    plan.timings.push_back(measure(world, plan));
    if (world.leads()) print_plan(plan);
    return 0;
  });
}

}  // namespace bertha::cli
