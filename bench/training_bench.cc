// Pre-training steps as the trainer runs them: forward, backward, clipping and the update of one
// micro-batch, with dropout. bench/training.sh compares it with bench/pytorch/bert_training.py on
// the same lengths. Prints one JSON line and, with --profile, first the time per op. step_s is the
// median of the timed steps; tokens_per_s, of real tokens, and gflops are medians of their rates.
// flops counts the model's matrix products only (forward, and twice that for backward), so
// recomputation does not increase it.
//
//   training_bench [--config FILE] [--length 128] [--batch 16] [--predictions N]
//                  [--shards FOLDER | --lengths full|real|MEAN] [--precision fp32|bf16|fp8]
//                  [--device cpu|cuda] [--optimizer adamw|lamb] [--batches N] [--warmup 1]
//                  [--steps 5] [--accumulation 1] [--save-lengths FILE] [--profile]
//
// --lengths real draws lengths as `bertha prepare` produces them from long documents: nine of ten
// rows are full or up to an eighth shorter, one of ten is uniform from 5 tokens up. --lengths MEAN
// draws rows of this mean (bench/batches.h). Each of --batches batches runs --warmup times before
// the clock starts, and the timed steps take them in turn. A step is --accumulation micro-batches
// and an update.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <numeric>

#include "batches.h"
#include "cli/options.h"
#include "core/error.h"
#include "core/profile.h"
#include "core/strings.h"
#include "dataset/pretraining_loader.h"
#include "gpu.h"
#include "peak.h"
#include "runlog/profile_table.h"
#include "train/pretraining_trainer.h"

namespace bertha {
namespace {

struct Setup {
  std::optional<std::string> config;
  std::optional<std::string> shards;
  std::optional<std::string> save_lengths;
  std::string lengths = "full";
  std::string precision = "fp32";
  std::string optimizer = "adamw";
  std::string device = "cpu";
  int64_t length = 128;
  int64_t batch = 16;
  int64_t predictions = 20;
  int64_t batches = 0;  ///< 0: as many as steps, four at most
  int64_t warmup = 1;
  int64_t steps = 5;
  int64_t accumulation = 1;
  bool profile = false;

  bench::Schedule schedule() const {
    return {.batches = batches > 0 ? batches : std::min<int64_t>(steps, 4),
            .passes = warmup,
            .timed = steps};
  }
  DType dtype() const { return precision == "fp32" ? DType::kF32 : DType::kBF16; }
  bert::Products products() const {
    return precision == "fp8" ? bert::Products::kFp8 : bert::Products::kWide;
  }
};

/// A random batch of sequences of these lengths; 15 % of the tokens are masked.
PretrainingBatch batch_of(const std::vector<int64_t>& lengths, const Setup& setup,
                          int64_t vocabulary, PhiloxStream& random) {
  PretrainingBatch batch;
  batch.clear();
  for (const int64_t length : lengths) {
    const auto begin = static_cast<int32_t>(batch.ids.size());
    bench::append_sequence(batch, length, length / 2, vocabulary, random);
    const int64_t masked = std::min(setup.predictions, std::max<int64_t>(1, length * 3 / 20));
    for (int64_t i = 0; i < masked; ++i) {
      batch.masked_rows.push_back(begin + static_cast<int32_t>(i * length / masked));
      batch.masked_labels.push_back(batch.ids[static_cast<size_t>(batch.masked_rows.back())]);
    }
    batch.next_sentence.push_back(static_cast<int32_t>(random.below(2)));
  }
  return batch;
}

double parse_mean(const std::string& text) {
  double mean = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mean);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail("--lengths {}: expected full, real or the mean number of tokens of a row", text);
  }
  return mean;
}

std::vector<int64_t> draw_lengths(const Setup& setup, PhiloxStream& random) {
  if (setup.lengths != "full" && setup.lengths != "real") {
    return bench::lengths_of_mean(parse_mean(setup.lengths), setup.length, setup.batch, random);
  }
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < setup.batch; ++i) {
    int64_t length = setup.length;
    if (setup.lengths == "real") {
      const bool brief = random.below(10) == 0;
      const int64_t least = brief ? 5 : setup.length - setup.length / 8;
      length = least +
               static_cast<int64_t>(random.below(static_cast<uint64_t>(setup.length - least + 1)));
    }
    lengths.push_back(length);
  }
  return lengths;
}

std::vector<PretrainingBatch> make_batches(const Setup& setup, const bert::Config& config) {
  std::vector<PretrainingBatch> batches;
  const int64_t count = setup.schedule().batches;
  if (setup.shards) {
    dataset::LoaderOptions options;
    options.micro_batch = setup.batch;
    options.limits = {.vocab_size = config.vocab_size,
                      .max_position = config.max_position_embeddings,
                      .max_predictions = setup.predictions};
    dataset::PretrainingLoader loader(dataset::find_shards(*setup.shards), options);
    while (std::ssize(batches) < count) batches.push_back(loader.next());
    return batches;
  }
  PhiloxStream random(1, 0);
  while (std::ssize(batches) < count) {
    batches.push_back(batch_of(draw_lengths(setup, random), setup, config.vocab_size, random));
  }
  return batches;
}

/// Matrix products of one training step: 2 operations per multiply-add, and backward twice the
/// forward.
double flops_of(const PretrainingBatch& batch, const bert::Config& config) {
  const auto real = [](int64_t count) { return static_cast<double>(count); };
  const double hidden = real(config.hidden_size);
  double forward = bench::encoder_flops(batch, config);
  forward += real(std::ssize(batch.masked_rows)) * 2 * hidden * (hidden + real(config.vocab_size));
  forward += real(batch.sequences()) * 2 * hidden * (hidden + 2);
  return 3 * forward;
}

train::TrainerSettings settings_of(const Setup& setup,
                                   const std::vector<PretrainingBatch>& batches) {
  train::TrainerSettings settings;
  settings.compute = setup.dtype();
  settings.accumulation = setup.accumulation;
  settings.optimizer.kind =
      setup.optimizer == "lamb" ? optim::OptimizerKind::kLamb : optim::OptimizerKind::kAdamW;
  for (const PretrainingBatch& batch : batches) {
    bert::BatchLimits& limits = settings.limits;
    limits.tokens = std::max(limits.tokens, batch.tokens());
    limits.sequences = std::max(limits.sequences, batch.sequences());
    limits.masked = std::max<int64_t>(limits.masked, std::ssize(batch.masked_rows));
  }
  return settings;
}

struct Totals {
  double forward_backward_s = 0;
  double update_s = 0;
  std::vector<double> seconds, flops, tokens;  ///< of each timed step
  double last_loss = 0;
  double ceiling_gflops = 0;  ///< of the device, measured in this run
};

void print_profile(const Profile& profile, const Setup& setup, const Totals& totals) {
  const runlog::Ceilings ceilings = {.gflops = totals.ceiling_gflops,
                                     .gbytes_per_s = bench::measured_bandwidth()};
  const double seconds = totals.forward_backward_s + totals.update_s;
  fmt::print("{}{:38} {:7} {:10.2f}\nceilings: {:.0f} GFLOP/s, {:.1f} GB/s\n",
             runlog::profile_table(profile, setup.steps, ceilings), "whole step", "",
             1e3 * seconds / static_cast<double>(setup.steps), ceilings.gflops,
             ceilings.gbytes_per_s);
}

Totals measure(const Setup& setup, const bert::Config& config,
               const std::vector<PretrainingBatch>& batches) {
  const std::unique_ptr<Device> opened = bench::open_device(setup.device);
  Device& device = *opened;
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), setup.dtype(), true,
                             setup.products());
  store.initialise(bert::InitStyle::kRecipe, config, 1);
  train::PretrainingTrainer trainer(device, config, store, settings_of(setup, batches));
  Profile profile;
  if (setup.profile) device.set_profile(&profile);
  Totals totals;
  totals.ceiling_gflops = setup.device == "cuda" ? bench::gpu_ceiling(device, setup.dtype())
                                                 : bench::ceiling_of(setup.dtype());
  const bench::Schedule schedule = setup.schedule();
  for (int64_t step = 0; step < schedule.steps(); ++step) {
    const PretrainingBatch& batch = batches[schedule.batch(step)];
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < setup.accumulation; ++i) {
      trainer.micro_batch(batch, static_cast<uint32_t>(step * setup.accumulation + i));
    }
    const train::LossSums sums = trainer.losses().back();
    const double products_s = bench::seconds_since(start);
    trainer.update(1e-4, step + 1);
    device.synchronize();
    if (!schedule.is_timed(step)) {
      profile.clear();
      continue;
    }
    totals.seconds.push_back(bench::seconds_since(start));
    totals.forward_backward_s += products_s;
    totals.update_s += totals.seconds.back() - products_s;
    const auto micro_batches = static_cast<double>(setup.accumulation);
    totals.flops.push_back(micro_batches * flops_of(batch, config));
    totals.tokens.push_back(micro_batches * static_cast<double>(batch.tokens()));
    totals.last_loss = sums.total();
  }
  if (setup.profile) print_profile(profile, setup, totals);
  return totals;
}

void report(const Setup& setup, const Totals& totals) {
  const double ceiling = totals.ceiling_gflops;
  const double gflops = 1e-9 * bench::median_rate(totals.flops, totals.seconds);
  const auto steps = static_cast<double>(setup.steps);
  const double rows = steps * static_cast<double>(setup.batch * setup.accumulation);
  const nlohmann::ordered_json line = {
      {"program", "bertha"},
      {"device", setup.device},
      {"precision", setup.precision},
      {"threads", thread_count()},
      {"length", setup.length},
      {"batch", setup.batch},
      {"lengths", setup.shards ? "shards" : setup.lengths},
      {"steps", setup.steps},
      {"accumulation", setup.accumulation},
      {"sequences", setup.batch * setup.accumulation},
      {"mean_tokens", std::accumulate(totals.tokens.begin(), totals.tokens.end(), 0.0) / rows},
      {"tokens_per_s", bench::median_rate(totals.tokens, totals.seconds)},
      {"step_s", bench::median(totals.seconds)},
      {"forward_backward_s", totals.forward_backward_s / steps},
      {"update_s", totals.update_s / steps},
      {"gflops", gflops},
      {"ceiling_gflops", ceiling},
      {"share_of_ceiling", gflops / ceiling},
      {"last_loss", totals.last_loss}};
  fmt::print("{}\n", line.dump());
}

int run(const std::vector<std::string>& arguments) {
  Setup setup;
  cli::Options table("training_bench", "Times steps of pre-training on random rows.");
  table.value("config", setup.config, "config.json; BERT-Base without it");
  table.value("shards", setup.shards, "folder of shards to take rows from");
  table.value("save-lengths", setup.save_lengths,
              "write the lengths to this JSON file, for the compared program");
  table.value("lengths", setup.lengths, "full, real or a mean in tokens, without --shards");
  table.value("precision", setup.precision, "fp32, bf16 or fp8");
  table.value("device", setup.device, "cpu or cuda");
  table.value("optimizer", setup.optimizer, "adamw or lamb");
  table.value("length", setup.length, "tokens of a full row");
  table.value("batch", setup.batch, "rows per micro-batch");
  table.value("predictions", setup.predictions, "most masked tokens per row");
  table.value("batches", setup.batches,
              "different batches; as many as steps, four at most, without");
  table.value("warmup", setup.warmup, "times that each batch runs before the clock starts");
  table.value("steps", setup.steps, "steps timed");
  table.value("accumulation", setup.accumulation, "micro-batches of a step");
  table.flag("profile", setup.profile, "print the time per op; CPU only");
  table.parse(arguments);
  if (setup.precision != "fp32" && setup.precision != "bf16" && setup.precision != "fp8") {
    fail("--precision {}: expected fp32, bf16 or fp8", setup.precision);
  }
  if (setup.batch < 1 || setup.length < 5 || setup.warmup < 0 || setup.steps < 1 ||
      setup.batches < 0 || setup.accumulation < 1) {
    fail("--batch, --steps and --accumulation are at least 1, --length at least 5");
  }
  if (!table.given("predictions")) setup.predictions = setup.length <= 128 ? 20 : 80;
  if (setup.profile && setup.device != "cpu")
    fail("--profile: works with --device cpu only; BERTHA_CUDA_PROFILE=FILE times a GPU's kernels");
  const bert::Config config = bench::config_or_base(setup.config);
  const std::vector<PretrainingBatch> batches = make_batches(setup, config);
  if (setup.save_lengths) bench::save_lengths(*setup.save_lengths, batches);
  report(setup, measure(setup, config, batches));
  return 0;
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  return bertha::bench::guarded_main(argc, argv, bertha::run);
}
