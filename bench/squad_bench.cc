// Prediction and fine-tuning steps of question answering on windows of given lengths, as
// `bertha squad` runs them: ragged batches, prediction's sorted by length. The peer is
// bench/pytorch/question_answering.py; bench/squad.sh runs both. Prints one JSON line.
//
//   squad_bench --lengths FILE [--model base|minilm] [--work predict|train] [--batch 24]
//               [--precision fp32|bf16]
//   squad_bench --write-onnx FILE [--model base|minilm]    a model of random weights

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "bert/export.h"
#include "bert/question_answering.h"
#include "cli/options.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/threads.h"
#include "io/atomic_file.h"
#include "train/fine_tuning.h"

namespace bertha {
namespace {

struct Setup {
  std::string lengths;
  std::string onnx;
  std::string model = "base";
  std::string work = "predict";
  std::string precision = "fp32";
  int64_t batch = 24;
};

bert::Config config_of(const Setup& setup) {
  const bert::Config base = {.vocab_size = 30528,
                             .hidden_size = 768,
                             .num_hidden_layers = 12,
                             .num_attention_heads = 12,
                             .intermediate_size = 3072};
  if (setup.model == "base") return base;
  if (setup.model != "minilm") fail("--model {}: expected base or minilm", setup.model);
  bert::Config small = base;
  small.hidden_size = 384;
  small.num_hidden_layers = 6;
  small.intermediate_size = 1536;
  return small;
}

/// Batches of random windows; prediction takes the longest first.
std::vector<train::TaskBatch> make_batches(const Setup& setup, int64_t vocabulary) {
  auto lengths =
      nlohmann::json::parse(io::MappedFile(setup.lengths).text()).get<std::vector<int32_t>>();
  if (setup.work == "predict") std::ranges::sort(lengths, std::greater<>());
  PhiloxStream random(1, 0);
  std::vector<train::TaskBatch> batches;
  for (const int32_t length : lengths) {
    if (batches.empty() || batches.back().sequences() == setup.batch) {
      batches.emplace_back().clear();
    }
    train::TaskBatch& batch = batches.back();
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(
          static_cast<int32_t>(1 + random.below(static_cast<uint64_t>(vocabulary - 1))));
      batch.segments.push_back(i < length / 2 ? 0 : 1);
      batch.positions.push_back(i);
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
    batch.labels.insert(batch.labels.end(), {5, 7});
  }
  return batches;
}

/// Wall and processor seconds of a pass over all batches, after one batch that warms up.
struct Times {
  double seconds = 0;
  double cpu_seconds = 0;
};

template <typename Body>
Times time_of(const std::vector<train::TaskBatch>& batches, const Body& body) {
  body(batches.front());
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu_start = std::clock();
  for (const train::TaskBatch& batch : batches) body(batch);
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC};
}

Times measure(const Setup& setup, const bert::Config& config,
              const std::vector<train::TaskBatch>& batches) {
  cpu::CpuDevice device;
  const bool training = setup.work == "train";
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true},
                             setup.precision == "bf16" ? DType::kBF16 : DType::kF32, training);
  store.initialise(bert::InitStyle::kBert, config, 1);
  bert::QuestionAnsweringModel model(config, store);
  int64_t most_tokens = 0;
  for (const train::TaskBatch& batch : batches) most_tokens = std::max(most_tokens, batch.tokens());
  if (!training) {
    train::TaskPredictor predictor(device, store, model, most_tokens, setup.batch);
    return time_of(batches, [&](const RaggedBatch& batch) { predictor.predict(batch); });
  }
  train::FineTuningTrainer trainer(device, store, model,
                                   {.compute = store.compute_dtype(),
                                    .train_pooler = false,
                                    .max_tokens = most_tokens,
                                    .max_sequences = setup.batch});
  uint32_t step = 0;
  return time_of(batches, [&](const train::TaskBatch& batch) {
    trainer.part(batch, batch.sequences(), step++);
    trainer.end_micro_batch();
    trainer.losses();
    trainer.update(3e-5);
  });
}

void report(const Setup& setup, const std::vector<train::TaskBatch>& batches, const Times& times) {
  int64_t windows = 0;
  int64_t tokens = 0;
  for (const train::TaskBatch& batch : batches) {
    windows += batch.sequences();
    tokens += batch.tokens();
  }
  const nlohmann::ordered_json line = {
      {"program", "bertha"},
      {"model", setup.model},
      {"work", setup.work},
      {"precision", setup.precision},
      {"threads", thread_count()},
      {"batch", setup.batch},
      {"windows", windows},
      {"seconds", times.seconds},
      {"cpu_seconds", times.cpu_seconds},
      {"tokens_per_s", static_cast<double>(tokens) / times.seconds},
      {"windows_per_s", static_cast<double>(windows) / times.seconds}};
  fmt::print("{}\n", line.dump());
}

void write_model(const Setup& setup, const bert::Config& config) {
  cpu::CpuDevice device;
  bert::ParameterStore store(device, config, bert::Heads{.question_answering = true}, DType::kF32,
                             false);
  store.initialise(bert::InitStyle::kBert, config, 1);
  bert::write_onnx(setup.onnx,
                   {.config = config,
                    .table = &store.table(),
                    .model = bert::ModelClass::kQuestionAnswering,
                    .dtype = DType::kF32,
                    .read = [&store](int index, float* values) { store.read(index, values); }});
}

int run(const std::vector<std::string>& arguments) {
  Setup setup;
  cli::Options table("squad_bench", "Times prediction and fine-tuning on random windows.");
  table.value("lengths", setup.lengths, "JSON list of the windows' lengths");
  table.value("write-onnx", setup.onnx, "write a model of random weights to this file, no more");
  table.value("model", setup.model, "base or minilm (6 layers of 384)");
  table.value("work", setup.work, "predict or train");
  table.value("precision", setup.precision, "fp32 or bf16");
  table.value("batch", setup.batch, "windows a batch");
  if (!table.parse(arguments)) {
    fmt::print("{}", table.help());
    return 0;
  }
  const bert::Config config = config_of(setup);
  if (!setup.onnx.empty()) {
    write_model(setup, config);
    return 0;
  }
  const std::vector<train::TaskBatch> batches = make_batches(setup, config.vocab_size);
  if (batches.empty()) fail("--lengths {}: no lengths", setup.lengths);
  report(setup, batches, measure(setup, config, batches));
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
