// Question answering as `bertha squad` runs it: steps of fine-tuning (forward, backward, clipping,
// AdamW, dropout on), or forward passes with the logits read back. The peers are
// bench/pytorch/bert_training_cuda.py --task squad and bert_inference_cuda.py. Prints one JSON
// line: step_s is the median, flops are those of the model's matrix products alone.
//
//   squad_cuda_bench [--mode train|predict] [--config FILE] [--length 384] [--batch 32]
//               [--lengths full|real] [--precision fp32|bf16] [--device cpu|cuda]
//               [--warmup 1] [--steps 5] [--save-lengths FILE]

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "bert/config.h"
#include "bert/question_answering.h"
#include "card.h"
#include "cli/options.h"
#include "peak.h"
#include "train/fine_tuning.h"

namespace bertha {
namespace {

struct Setup {
  std::optional<std::string> config;
  std::optional<std::string> save_lengths;
  std::string mode = "train";
  std::string lengths = "full";
  std::string precision = "fp32";
  std::string device = "cpu";
  int64_t length = 384;
  int64_t batch = 32;
  int64_t warmup = 1;
  int64_t steps = 5;

  DType dtype() const { return precision == "bf16" ? DType::kBF16 : DType::kF32; }
  bool trains() const { return mode == "train"; }
};

void check(const Setup& setup) {
  const auto one_of = [](const char* name, const std::string& value, const char* a, const char* b) {
    if (value != a && value != b) fail("--{} {}: expected {} or {}", name, value, a, b);
  };
  one_of("mode", setup.mode, "train", "predict");
  one_of("lengths", setup.lengths, "full", "real");
  one_of("precision", setup.precision, "fp32", "bf16");
  if (setup.batch < 1 || setup.length < 37 || setup.warmup < 0 || setup.steps < 1) {
    fail("--batch and --steps are at least 1, --length at least 37");
  }
}

bert::Config config_of(const Setup& setup) {
  if (setup.config) return bert::load_config(*setup.config).padded();
  return {.vocab_size = 30528,
          .hidden_size = 768,
          .num_hidden_layers = 12,
          .num_attention_heads = 12,
          .intermediate_size = 3072};
}

/// Deciles of the lengths of SQuAD 1.1's training windows (bert-base-uncased, 384 tokens, stride
/// 128): a mean of 170, which longer or shorter windows stretch.
constexpr std::array<int64_t, 11> kDeciles = {37, 106, 123, 134, 146, 158, 172, 189, 213, 258, 384};

int64_t draw_length(const Setup& setup, PhiloxStream& random) {
  if (setup.lengths == "full") return setup.length;
  const auto decile = random.below(kDeciles.size() - 1);
  const auto width = static_cast<uint64_t>(kDeciles[decile + 1] - kDeciles[decile]);
  const int64_t length = kDeciles[decile] + static_cast<int64_t>(random.below(width + 1));
  return std::max<int64_t>(length * setup.length / kDeciles.back(), 4);
}

train::TaskBatch make_batch(const Setup& setup, int64_t vocabulary, PhiloxStream& random) {
  train::TaskBatch batch;
  batch.clear();
  for (int64_t n = 0; n < setup.batch; ++n) {
    const int64_t length = draw_length(setup, random);
    for (int64_t i = 0; i < length; ++i) {
      batch.ids.push_back(
          static_cast<int32_t>(1 + random.below(static_cast<uint64_t>(vocabulary - 1))));
      batch.segments.push_back(i < 16 ? 0 : 1);
      batch.positions.push_back(static_cast<int32_t>(i));
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.ids.size()));
    for (int label = 0; label < 2; ++label) {
      batch.labels.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(length))));
    }
  }
  return batch;
}

std::vector<train::TaskBatch> make_batches(const Setup& setup, const bert::Config& config) {
  std::vector<train::TaskBatch> batches;
  PhiloxStream random(1, 0);
  while (std::ssize(batches) < setup.warmup + setup.steps) {
    batches.push_back(make_batch(setup, config.vocab_size, random));
  }
  return batches;
}

void save_lengths(const std::string& path, const std::vector<train::TaskBatch>& batches) {
  nlohmann::json lengths;
  for (const train::TaskBatch& batch : batches) {
    std::vector<int32_t> differences(batch.seq_start.size());
    std::adjacent_difference(batch.seq_start.begin(), batch.seq_start.end(), differences.begin());
    lengths.push_back(std::vector<int32_t>(differences.begin() + 1, differences.end()));
  }
  std::ofstream(path) << lengths;
}

/// Matrix products of the encoder's forward pass, 2 operations a multiply-add; the head is nothing.
double forward_flops(const train::TaskBatch& batch, const bert::Config& config) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  double flops = static_cast<double>(batch.tokens()) * 2 * hidden *
                 (4 * hidden + 2 * static_cast<double>(config.intermediate_size));
  for (size_t i = 1; i < batch.seq_start.size(); ++i) {
    const double length = batch.seq_start[i] - batch.seq_start[i - 1];
    flops += 4 * length * length * hidden;
  }
  return layers * flops;
}

struct Totals {
  std::vector<double> seconds;  ///< of each timed step
  double flops = 0;
  int64_t tokens = 0;
  double last = 0;  ///< loss or first logit of the last step: the same in every run
  double ceiling_gflops = 0;
};

/// Calls step(batch, number) on every batch; it returns when its result is on the host.
template <typename Step>
void time_steps(const Setup& setup, const bert::Config& config,
                const std::vector<train::TaskBatch>& batches, Totals& totals, const Step& step) {
  for (int64_t i = 0; i < std::ssize(batches); ++i) {
    const train::TaskBatch& batch = batches[static_cast<size_t>(i)];
    const auto start = std::chrono::steady_clock::now();
    totals.last = step(batch, i);
    if (i < setup.warmup) continue;
    totals.seconds.push_back(bench::seconds_since(start));
    totals.flops += (setup.trains() ? 3 : 1) * forward_flops(batch, config);
    totals.tokens += batch.tokens();
  }
}

void train_steps(const Setup& setup, const bert::Config& config, Device& device,
                 const std::vector<train::TaskBatch>& batches, Totals& totals) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, setup.dtype(),
                             true);
  store.initialise(bert::InitStyle::kRecipe, config, 1);
  bert::QuestionAnsweringModel model(config, store);
  train::FineTuningTrainer trainer(device, store, model,
                                   {.compute = setup.dtype(),
                                    .train_pooler = false,
                                    .max_tokens = setup.batch * setup.length,
                                    .max_sequences = setup.batch});
  time_steps(setup, config, batches, totals, [&](const train::TaskBatch& batch, int64_t number) {
    trainer.part(batch, batch.sequences(), static_cast<uint32_t>(number));
    trainer.end_micro_batch();
    const double loss = trainer.losses().back().mean;
    trainer.update(3e-5);
    device.synchronize();
    return loss;
  });
}

void predict_steps(const Setup& setup, const bert::Config& config, Device& device,
                   const std::vector<train::TaskBatch>& batches, Totals& totals) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, setup.dtype(),
                             false);
  store.initialise(bert::InitStyle::kRecipe, config, 1);
  bert::QuestionAnsweringModel model(config, store);
  train::TaskPredictor predictor(device, store, model, setup.batch * setup.length, setup.batch);
  time_steps(setup, config, batches, totals, [&](const train::TaskBatch& batch, int64_t) {
    return double{predictor.predict(batch)[0]};
  });
}

void report(const Setup& setup, const Totals& totals) {
  const double step_s = bench::median(totals.seconds);
  const double total_s = std::accumulate(totals.seconds.begin(), totals.seconds.end(), 0.0);
  const double gflops = totals.flops / total_s * 1e-9;
  const nlohmann::ordered_json line = {
      {"program", "bertha"},
      {"task", "squad " + setup.mode},
      {"device", setup.device},
      {"precision", setup.precision},
      {"length", setup.length},
      {"batch", setup.batch},
      {"lengths", setup.lengths},
      {"steps", setup.steps},
      {"step_s", step_s},
      {"sequences_per_s", static_cast<double>(setup.batch) / step_s},
      {"tokens_per_s", static_cast<double>(totals.tokens) / total_s},
      {"gflops", gflops},
      {"ceiling_gflops", totals.ceiling_gflops},
      {"share_of_ceiling", gflops / totals.ceiling_gflops},
      {"last", totals.last}};
  fmt::print("{}\n", line.dump());
}

void declare(cli::Options& table, Setup& setup) {
  table.value("mode", setup.mode, "train or predict");
  table.value("config", setup.config, "config.json; BERT-Base without it");
  table.value("save-lengths", setup.save_lengths, "JSON file for the peer's --lengths");
  table.value("lengths", setup.lengths, "full, or real: SQuAD's");
  table.value("precision", setup.precision, "fp32 or bf16");
  table.value("device", setup.device, "cpu or cuda");
  table.value("length", setup.length, "tokens of the longest window");
  table.value("batch", setup.batch, "windows that run together");
  table.value("warmup", setup.warmup, "steps before the clock starts");
  table.value("steps", setup.steps, "steps timed");
}

int run(const std::vector<std::string>& arguments) {
  Setup setup;
  cli::Options table("squad_cuda_bench", "Times question answering on random windows.");
  declare(table, setup);
  if (!table.parse(arguments)) {
    fmt::print("{}", table.help());
    return 0;
  }
  check(setup);
  const bert::Config config = config_of(setup);
  const std::vector<train::TaskBatch> batches = make_batches(setup, config);
  if (setup.save_lengths) save_lengths(*setup.save_lengths, batches);
  const std::unique_ptr<Device> device = bench::open_device(setup.device);
  Totals totals;
  totals.ceiling_gflops = setup.device == "cuda" ? bench::card_ceiling(*device, setup.dtype())
                                                 : bench::ceiling_of(setup.dtype());
  (setup.trains() ? train_steps : predict_steps)(setup, config, *device, batches, totals);
  report(setup, totals);
  return 0;
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  try {
    return bertha::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
