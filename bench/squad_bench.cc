// Question answering as `bertha squad` runs it: steps of fine-tuning (forward, backward, clipping,
// AdamW), or forward passes with the logits read back, of batches sorted by length. bench/squad.sh
// compares it with bench/pytorch/question_answering.py and ONNX Runtime, and bench/cuda_bench.sh
// with bert_training_cuda.py --task squad and bert_inference_cuda.py. Prints one JSON line: step_s
// is the median, and flops counts the model's matrix products only.
//
//   squad_bench [--mode train|predict] [--config FILE] [--length 384] [--batch 32]
//               [--lengths full|real|FILE] [--precision fp32|bf16|int8] [--device cpu|cuda]
//               [--batches N] [--warmup 1] [--steps 5] [--save-lengths FILE]
//   squad_bench --write-onnx FILE [--config FILE]    a model of random weights, for ONNX Runtime
//
// Each of --batches batches runs --warmup times before the clock starts, and the timed steps take
// them in turn; rates are medians over steps. --lengths FILE is a JSON list of window lengths: all
// of them run once, after the first batch has run --warmup times, and rates are those of all.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <numeric>

#include "batches.h"
#include "bert/export.h"
#include "bert/question_answering.h"
#include "cli/options.h"
#include "gpu.h"
#include "infer/predictor.h"
#include "io/atomic_file.h"
#include "peak.h"
#include "train/fine_tuning.h"

namespace bertha {
namespace {

struct Setup {
  std::optional<std::string> config;
  std::optional<std::string> save_lengths;
  std::optional<std::string> onnx;
  std::string mode = "train";
  std::string lengths = "full";
  std::string precision = "fp32";
  std::string device = "cpu";
  int64_t length = 384;
  int64_t batch = 32;
  int64_t batches = 0;  ///< 0: as many as steps, four at most
  int64_t warmup = 1;
  int64_t steps = 5;

  bool drawn() const { return lengths == "full" || lengths == "real"; }

  /// Of activations: bf16 beside products of integers too, where the device has it.
  DType dtype(const Device& on) const {
    const bool bf16 = precision == "bf16" || (precision == "int8" && on.has_bf16());
    return bf16 ? DType::kBF16 : DType::kF32;
  }
  bert::Products products() const {
    return precision == "int8" ? bert::Products::kInt8 : bert::Products::kWide;
  }
  bool trains() const { return mode == "train"; }
};

void check(const Setup& setup) {
  if (setup.mode != "train" && setup.mode != "predict") {
    fail("--mode {}: expected train or predict", setup.mode);
  }
  const bool int8 = setup.precision == "int8";
  if (setup.precision != "fp32" && setup.precision != "bf16" && (!int8 || setup.trains())) {
    fail("--precision {}: expected fp32 or bf16, or int8 with --mode predict", setup.precision);
  }
  if (setup.batch < 1 || setup.length < 37 || setup.warmup < 0 || setup.steps < 1 ||
      setup.batches < 0) {
    fail("--batch and --steps are at least 1, --length at least 37");
  }
}

/// Deciles of the lengths of SQuAD 1.1's training windows (bert-base-uncased, 384 tokens, stride
/// 128). The mean is 170; they are scaled for longer or shorter windows.
constexpr std::array<int64_t, 11> kDeciles = {37, 106, 123, 134, 146, 158, 172, 189, 213, 258, 384};

int64_t draw_length(const Setup& setup, PhiloxStream& random) {
  if (setup.lengths == "full") return setup.length;
  const auto decile = random.below(kDeciles.size() - 1);
  const auto width = static_cast<uint64_t>(kDeciles[decile + 1] - kDeciles[decile]);
  const int64_t length = kDeciles[decile] + static_cast<int64_t>(random.below(width + 1));
  return std::max<int64_t>(length * setup.length / kDeciles.back(), 4);
}

std::vector<int32_t> read_lengths(const Setup& setup) {
  auto lengths =
      nlohmann::json::parse(io::MappedFile(setup.lengths).text()).get<std::vector<int32_t>>();
  if (lengths.empty()) fail("--lengths {}: no lengths", setup.lengths);
  if (!setup.trains()) std::ranges::sort(lengths, std::greater<>());
  return lengths;
}

std::vector<int32_t> draw_lengths(const Setup& setup, PhiloxStream& random) {
  const int64_t batches = setup.batches > 0 ? setup.batches : std::min<int64_t>(setup.steps, 4);
  std::vector<int32_t> lengths(static_cast<size_t>(setup.batch * batches));
  for (int32_t& length : lengths) length = static_cast<int32_t>(draw_length(setup, random));
  return lengths;
}

std::vector<train::TaskBatch> make_batches(const Setup& setup, const bert::Config& config) {
  PhiloxStream random(1, 0);
  std::vector<train::TaskBatch> batches;
  for (const int32_t length : setup.drawn() ? draw_lengths(setup, random) : read_lengths(setup)) {
    if (batches.empty() || batches.back().sequences() == setup.batch) {
      batches.emplace_back().clear();
    }
    train::TaskBatch& batch = batches.back();
    bench::append_sequence(batch, length, std::min(length / 2, 16), config.vocab_size, random);
    for (int label = 0; label < 2; ++label) {
      batch.labels.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(length))));
    }
  }
  return batches;
}

/// The batch of each step; the first steps are not timed.
struct Order {
  std::vector<size_t> batches;
  int64_t untimed = 0;
};
Order order_of(const Setup& setup, int64_t batches) {
  Order order;
  if (setup.drawn()) {
    const bench::Schedule schedule = {
        .batches = batches, .passes = setup.warmup, .timed = setup.steps};
    for (int64_t i = 0; i < schedule.steps(); ++i) order.batches.push_back(schedule.batch(i));
    order.untimed = schedule.batches * schedule.passes;
    return order;
  }
  order.batches.assign(static_cast<size_t>(setup.warmup), 0);
  for (size_t i = 0; i < static_cast<size_t>(batches); ++i) order.batches.push_back(i);
  order.untimed = setup.warmup;
  return order;
}

struct Totals {
  std::vector<double> seconds, flops, windows, tokens;  ///< of each timed step
  double cpu_seconds = 0;
  double last = 0;  ///< loss or first logit of the last step, equal in every run
  double ceiling_gflops = 0;
};

/// Calls step(batch, number) on every batch. `step` returns when its result is on the host.
template <typename Step>
void time_steps(const Setup& setup, const bert::Config& config,
                const std::vector<train::TaskBatch>& batches, Totals& totals, const Step& step) {
  const Order order = order_of(setup, std::ssize(batches));
  for (int64_t i = 0; i < std::ssize(order.batches); ++i) {
    const train::TaskBatch& batch = batches[order.batches[static_cast<size_t>(i)]];
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu_start = std::clock();
    totals.last = step(batch, i);
    if (i < order.untimed) continue;
    totals.seconds.push_back(bench::seconds_since(start));
    totals.cpu_seconds += static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    totals.flops.push_back((setup.trains() ? 3 : 1) * bench::encoder_flops(batch, config));
    totals.windows.push_back(static_cast<double>(batch.sequences()));
    totals.tokens.push_back(static_cast<double>(batch.tokens()));
  }
}

int64_t most_tokens(const std::vector<train::TaskBatch>& batches) {
  int64_t most = 0;
  for (const train::TaskBatch& batch : batches) most = std::max(most, batch.tokens());
  return most;
}

void train_steps(const Setup& setup, const bert::Config& config, Device& device,
                 const std::vector<train::TaskBatch>& batches, Totals& totals) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true},
                             setup.dtype(device), true);
  store.initialise(bert::InitStyle::kRecipe, config, 1);
  bert::QuestionAnsweringModel model(config, store);
  train::FineTuningTrainer trainer(device, store, model,
                                   {.compute = setup.dtype(device),
                                    .train_pooler = false,
                                    .max_tokens = most_tokens(batches),
                                    .max_sequences = setup.batch});
  time_steps(setup, config, batches, totals, [&](const train::TaskBatch& batch, int64_t number) {
    trainer.part(batch, 2 * batch.sequences(), static_cast<uint32_t>(number));
    trainer.end_micro_batch();
    const double loss = trainer.losses().back().mean;
    trainer.update(3e-5, number + 1);
    device.synchronize();
    return loss;
  });
}

void predict_steps(const Setup& setup, const bert::Config& config, Device& device,
                   const std::vector<train::TaskBatch>& batches, Totals& totals) {
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true},
                             setup.dtype(device), false, setup.products());
  store.initialise(bert::InitStyle::kRecipe, config, 1);
  bert::QuestionAnsweringModel model(config, store);
  infer::TaskPass pass("question answering", model);
  infer::Predictor predictor(device, setup.dtype(device), pass,
                             {.tokens = most_tokens(batches), .sequences = setup.batch});
  time_steps(setup, config, batches, totals, [&](const train::TaskBatch& batch, int64_t) {
    return double{predictor.run(batch)[0]};
  });
}

void report(const Setup& setup, const Totals& totals) {
  const double step_s = bench::median(totals.seconds);
  const auto sum = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  };
  const auto rate = [&](const std::vector<double>& work) {
    return setup.drawn() ? bench::median_rate(work, totals.seconds)
                         : sum(work) / sum(totals.seconds);
  };
  const double gflops = rate(totals.flops) * 1e-9;
  const nlohmann::ordered_json line = {{"program", "bertha"},
                                       {"task", "squad " + setup.mode},
                                       {"device", setup.device},
                                       {"precision", setup.precision},
                                       {"length", setup.length},
                                       {"batch", setup.batch},
                                       {"lengths", setup.lengths},
                                       {"steps", totals.seconds.size()},
                                       {"step_s", step_s},
                                       {"cpu_seconds", totals.cpu_seconds},
                                       {"mean_tokens", sum(totals.tokens) / sum(totals.windows)},
                                       {"windows_per_s", rate(totals.windows)},
                                       {"tokens_per_s", rate(totals.tokens)},
                                       {"gflops", gflops},
                                       {"ceiling_gflops", totals.ceiling_gflops},
                                       {"share_of_ceiling", gflops / totals.ceiling_gflops},
                                       {"last", totals.last}};
  fmt::print("{}\n", line.dump());
}

void write_model(const Setup& setup, const bert::Config& config) {
  cpu::CpuDevice device;
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, DType::kF32,
                             false);
  store.initialise(bert::InitStyle::kBert, config, 1);
  bert::write_onnx(*setup.onnx,
                   {.config = config,
                    .table = &store.table(),
                    .model = bert::ModelClass::kQuestionAnswering,
                    .dtype = DType::kF32,
                    .read = [&store](int index, float* values) { store.read(index, values); }});
}

void declare(cli::Options& table, Setup& setup) {
  table.value("mode", setup.mode, "train or predict");
  table.value("config", setup.config, "config.json; BERT-Base without it");
  table.value("save-lengths", setup.save_lengths,
              "write the lengths to this JSON file, for the compared program");
  table.value("write-onnx", setup.onnx, "only write a model of random weights to this file");
  table.value("lengths", setup.lengths, "full, real (SQuAD's), or a JSON list of lengths");
  table.value("precision", setup.precision, "fp32, bf16, or int8 to predict");
  table.value("device", setup.device, "cpu or cuda");
  table.value("length", setup.length, "tokens of the longest window");
  table.value("batch", setup.batch, "windows that run together");
  table.value("batches", setup.batches,
              "different batches; as many as steps, four at most, without");
  table.value("warmup", setup.warmup, "times that each batch runs before the clock starts");
  table.value("steps", setup.steps, "steps timed");
}

int run(const std::vector<std::string>& arguments) {
  Setup setup;
  cli::Options table("squad_bench", "Times question answering on random windows.");
  declare(table, setup);
  table.parse(arguments);
  check(setup);
  const bert::Config config = bench::config_or_base(setup.config);
  if (setup.onnx) {
    write_model(setup, config);
    return 0;
  }
  const std::vector<train::TaskBatch> batches = make_batches(setup, config);
  if (setup.save_lengths) bench::save_lengths(*setup.save_lengths, batches);
  const std::unique_ptr<Device> device = bench::open_device(setup.device);
  Totals totals;
  totals.ceiling_gflops = setup.device == "cuda" ? bench::gpu_ceiling(*device, setup.dtype(*device))
                                                 : bench::ceiling_of(setup.dtype(*device));
  (setup.trains() ? train_steps : predict_steps)(setup, config, *device, batches, totals);
  report(setup, totals);
  return 0;
}

}  // namespace
}  // namespace bertha

int main(int argc, char** argv) {
  return bertha::bench::guarded_main(argc, argv, bertha::run);
}
