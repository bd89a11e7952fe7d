// bertha plan: memory and time of pre-training on a card that need not be here. Memory is counted
// by building the trainer on a planned device, the same code as a run; time is an estimate from the
// products' number of operations and a share of the card's rate.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "bert/config.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "core/error.h"
#include "train/planned_device.h"
#include "train/pretraining_trainer.h"

namespace bertha::cli {
namespace {

/// Datasheet figures: dense bf16 and fp32 (outside tensor cores) rates, memory.
struct Card {
  std::string_view name;
  double memory_gb;
  double bf16_tflops;
  double fp32_tflops;
};
constexpr std::array kCards = {
    Card{"a100-40", 40, 312, 19.5}, Card{"a100-80", 80, 312, 19.5}, Card{"l40s", 48, 362, 91.6},
    Card{"h100", 80, 989, 67},      Card{"h200", 141, 989, 67},     Card{"b200", 180, 2250, 75},
};

/// The library's workspace, and what the driver keeps for itself (its context, code, graphs).
constexpr double kWorkspaceGb = 0.067;
constexpr double kDriverGb = 0.8;

struct PlanOptions {
  std::string config_file;
  std::string card = "h100";
  int64_t micro_batch = 64;
  int64_t length = 128;
  int64_t predictions = 20;
  int64_t accumulation = 1;
  int64_t steps = 1;
  double real_share = 1;
  double rate_share = 0.5;
  bool autocast = false;
  bool recompute = false;
};

void declare(Options& table, PlanOptions& o) {
  table.value("config_file", o.config_file, "bert_config.json of the model").required();
  table.value("card", o.card, "a100-40, a100-80, l40s, h100, h200 or b200");
  table.value("micro_batch", o.micro_batch, "sequences of a micro-batch");
  table.value("max_seq_length", o.length, "tokens of the longest sequence");
  table.value("max_predictions_per_seq", o.predictions, "masked tokens of a sequence, at most");
  table.value("gradient_accumulation_steps", o.accumulation, "micro-batches of an update");
  table.value("max_steps", o.steps, "updates");
  table.value("real_share", o.real_share,
              "real tokens over padded ones in the data, above 0 to 1; padding is not computed");
  table.value("rate_share", o.rate_share,
              "share of the card's datasheet rate that is reached, above 0 to 1: an assumption");
  table.flag("autocast", o.autocast, "bf16 products");
  table.flag("checkpoint_activations", o.recompute, "keep layers' inputs alone");
}

const Card& card_of(const std::string& name) {
  const auto* const found =
      std::find_if(kCards.begin(), kCards.end(), [&](const Card& c) { return c.name == name; });
  if (found == kCards.end()) {
    fail("--card {}: expected a100-40, a100-80, l40s, h100, h200 or b200", name);
  }
  return *found;
}

void check(const PlanOptions& o, const bert::Config& config) {
  if (o.micro_batch < 1 || o.length < 1 || o.predictions < 1 || o.accumulation < 1 || o.steps < 1) {
    fail("bertha plan: sizes and counts are at least 1");
  }
  if (o.length > config.max_position_embeddings) {
    fail("--max_seq_length {}: {} allows {}", o.length, o.config_file,
         config.max_position_embeddings);
  }
  for (const auto& [name, share] :
       {std::pair("real_share", o.real_share), std::pair("rate_share", o.rate_share)}) {
    if (!(share > 0 && share <= 1)) fail("--{} {}: expected above 0 to 1", name, share);
  }
}

struct Memory {
  double parameters_gb = 0;   ///< weights, gradients, bf16 copies
  double optimizer_gb = 0;    ///< moments, batches, scalars
  double activations_gb = 0;  ///< the arena
  double total_gb() const {
    return parameters_gb + optimizer_gb + activations_gb + kWorkspaceGb + kDriverGb;
  }
};

Memory memory_of(const PlanOptions& o, const bert::Config& config) {
  const auto gb = [](int64_t bytes) { return static_cast<double>(bytes) * 1e-9; };
  const DType compute = o.autocast ? DType::kBF16 : DType::kF32;
  train::PlannedDevice device;
  bert::ParameterStore parameters(device, config, bert::Heads::for_pretraining(), compute, true);
  Memory memory;
  memory.parameters_gb = gb(device.allocated_bytes());
  train::TrainerSettings settings;
  settings.compute = compute;
  settings.recompute = o.recompute;
  settings.accumulation = o.accumulation;
  settings.limits = {.tokens = o.micro_batch * o.length,
                     .sequences = o.micro_batch,
                     .masked = o.micro_batch * std::min(o.predictions, o.length)};
  const train::PretrainingTrainer trainer(device, config, parameters, settings);
  memory.activations_gb = gb(trainer.arena_bytes());
  memory.optimizer_gb = gb(device.allocated_bytes()) - memory.parameters_gb - memory.activations_gb;
  return memory;
}

/// Operations of forward and backward of one sequence of `tokens` real tokens with `masked`
/// predictions: 6 N s + 12 L H s² + 6 p (H² + H V) + 6 H², N the weights of the encoder's products.
double sequence_flops(const bert::Config& config, double tokens, double masked) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const auto vocabulary = static_cast<double>(config.vocab_size);
  const double weights =
      layers * (4 * hidden * hidden + 2 * hidden * static_cast<double>(config.intermediate_size));
  return 6 * weights * tokens + 12 * layers * hidden * tokens * tokens +
         6 * masked * (hidden * hidden + hidden * vocabulary) + 6 * hidden * hidden;
}

void print_plan(const PlanOptions& o, const bert::Config& config, const Card& card) {
  const Memory memory = memory_of(o, config);
  const double flops = sequence_flops(config, static_cast<double>(o.length) * o.real_share,
                                      static_cast<double>(o.predictions) * o.real_share);
  // A layer run again costs another forward pass: a third of the whole.
  const double again = o.recompute ? 4.0 / 3 : 1.0;
  const double peak = (o.autocast ? card.bf16_tflops : card.fp32_tflops) * 1e12;
  const double rate = peak * o.rate_share / (flops * again);
  const auto sequences = static_cast<double>(o.micro_batch * o.accumulation);
  const double seconds = sequences / rate;
  fmt::print("memory, counted from the trainer's own buffers:\n");
  fmt::print("  parameters and gradients   {:8.2f} GB\n", memory.parameters_gb);
  fmt::print("  moments, batch, scalars    {:8.2f} GB\n", memory.optimizer_gb);
  fmt::print("  activations                {:8.2f} GB\n", memory.activations_gb);
  fmt::print("  library and driver (about) {:8.2f} GB\n", kWorkspaceGb + kDriverGb);
  fmt::print("  total                      {:8.2f} GB of {:.0f} GB on {}: {}\n", memory.total_gb(),
             card.memory_gb, card.name,
             memory.total_gb() < card.memory_gb ? "fits" : "does not fit");
  fmt::print("time, estimated at {:.0f} % of {:.0f} TFLOP/s by the datasheet:\n",
             o.rate_share * 100, peak * 1e-12);
  fmt::print("  operations of a sequence   {:8.1f} GFLOP\n", flops * 1e-9);
  fmt::print("  sequences a second         {:8.1f}\n", rate);
  fmt::print("  {:<26} {:8.3f} s\n", fmt::format("an update of {}", o.micro_batch * o.accumulation),
             seconds);
  if (o.steps > 1) {
    fmt::print("  {:<26} {:8.2f} h\n", fmt::format("{} updates", o.steps),
               seconds * static_cast<double>(o.steps) / 3600);
  }
}

}  // namespace

int run_plan(Arguments arguments) {
  PlanOptions o;
  Options table("bertha plan",
                "Says before a run what memory pre-training takes on a card, and about what time. "
                "Memory is exact but for the driver's own; time is an assumption of "
                "--rate_share until it was measured on that card.");
  declare(table, o);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  const bert::Config config = bert::load_config(o.config_file).padded();
  check(o, config);
  print_plan(o, config, card_of(o.card));
  return 0;
}

}  // namespace bertha::cli
