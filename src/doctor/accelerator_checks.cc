#include "doctor/accelerator_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>

#include "backend/cpu/cpu_device.h"
#include "core/context.h"
#include "core/philox.h"
#include "doctor/product_speed.h"
#include "doctor/self_test.h"
#include "ops/linear.h"
#include "train/pretraining_trainer.h"

namespace bertha::doctor {
namespace {

/// A check that throws is a problem, and the others still run.
template <typename Body>
Fact guarded(const char* name, const Body& body) {
  Fact fact{.name = name};
  try {
    body(fact);
  } catch (const std::exception& error) {
    fact.state = State::kProblem;
    fact.text = error.what();
  }
  return fact;
}

constexpr int kReads = 200;
constexpr int64_t kReadSize = 128;

/// y = x w with every element of x equal to `value` and w a matrix of ones, read back into memory
/// that holds NaN. Returns how many elements were wrong.
int64_t wrong_after_a_wait(Device& device, Context& context, const Tensor& w, int read) {
  const auto scope = context.scope();
  const Tensor x = context.make({kReadSize, kReadSize}, DType::kF32);
  const Tensor y = context.make({kReadSize, kReadSize}, DType::kF32);
  const auto value = static_cast<float>(read + 1);
  std::vector<float> host(static_cast<size_t>(kReadSize * kReadSize), value);
  device.write(Out(x), host.data());
  ops::linear(context, {.x = x, .w = w, .y = Out(y)});
  std::ranges::fill(host, std::nanf(""));
  device.read(y, host.data());
  const float expected = value * static_cast<float>(kReadSize);
  return std::ranges::count_if(host, [&](float element) { return element != expected; });
}

bert::Config tiny_config() {
  return {.vocab_size = 64,
          .hidden_size = 32,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 64,
          .max_position_embeddings = 32};
}

PretrainingBatch tiny_batch(uint64_t step) {
  PhiloxStream random(17, step);
  PretrainingBatch batch;
  batch.clear();
  for (const int32_t length : {31, 9, 20}) {
    const auto begin = static_cast<int32_t>(batch.tokens());
    for (int32_t position = 0; position < length; ++position) {
      batch.ids.push_back(static_cast<int32_t>(random.below(64)));
      batch.segments.push_back(position < length / 2 ? 0 : 1);
      batch.positions.push_back(position);
      if (position % 6 != 1) continue;
      batch.masked_rows.push_back(begin + position);
      batch.masked_labels.push_back(static_cast<int32_t>(random.below(64)));
    }
    batch.seq_start.push_back(begin + length);
    batch.next_sentence.push_back(static_cast<int32_t>(random.below(2)));
  }
  return batch;
}

constexpr int64_t kSteps = 20;
/// f32 on both sides: sums in other orders, over 20 updates.
constexpr double kLossLimit = 1e-3;

std::vector<double> train_tiny(Device& device) {
  const bert::Config config = tiny_config();
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, true);
  store.initialise(bert::InitStyle::kRecipe, config, 5);
  train::TrainerSettings settings;
  settings.seed = 7;
  settings.limits = {.tokens = 64, .sequences = 3, .masked = 16};
  train::PretrainingTrainer trainer(device, config, store, settings);
  std::vector<double> losses;
  for (int64_t step = 1; step <= kSteps; ++step) {
    trainer.micro_batch(tiny_batch(static_cast<uint64_t>(step)), static_cast<uint32_t>(step));
    losses.push_back(trainer.losses().at(0).total());
    trainer.update(2e-3, step);
  }
  return losses;
}

}  // namespace

Fact fact_of_waits(Device& device) {
  return guarded("waits", [&](Fact& fact) {
    Arena arena(device, 16 * kReadSize * kReadSize);
    Context context(device, arena);
    const Tensor w = context.make({kReadSize, kReadSize}, DType::kF32);
    const std::vector<float> ones(static_cast<size_t>(kReadSize * kReadSize), 1);
    device.write(Out(w), ones.data());
    int64_t wrong = 0;
    for (int read = 0; read < kReads; ++read) {
      wrong += wrong_after_a_wait(device, context, w, read) > 0 ? 1 : 0;
    }
    fact.values = {{"reads", kReads}, {"wrong", wrong}};
    fact.text =
        fmt::format("{} results were read behind queued work, {} of them too early", kReads, wrong);
    if (wrong > 0) fact.state = State::kProblem;
  });
}

Fact fact_of_training(Device& device) {
  return guarded("training", [&](Fact& fact) {
    cpu::CpuDevice host;
    const std::vector<double> expected = train_tiny(host);
    const std::vector<double> actual = train_tiny(device);
    double largest = 0;
    for (size_t step = 0; step < expected.size(); ++step) {
      const double difference = std::abs(actual[step] - expected[step]) / expected[step];
      if (!(difference <= largest)) largest = difference;  // a NaN counts
    }
    fact.values = {{"cpu", expected}, {"device", actual}, {"largest_difference", largest}};
    fact.text = fmt::format("the losses of {} steps differ from the CPU's by up to {:.2g}", kSteps,
                            largest);
    if (!(largest <= kLossLimit)) fact.state = State::kProblem;
  });
}

Fact fact_of_products(Device& device) {
  return guarded("speed", [&](Fact& fact) {
    const double f32 = product_gflops(device, DType::kF32);
    const double bf16 = product_gflops(device, DType::kBF16);
    fact.values = {{"f32_gflops", f32}, {"bf16_gflops", bf16}};
    fact.text =
        fmt::format("a product runs at {:.0f} GFLOP/s in f32 and at {:.0f} in bf16", f32, bf16);
  });
}

std::vector<Fact> facts_of_accelerator(const DeviceEntry& entry) {
  std::vector<Fact> facts = {fact_of_ops({&entry, 1})};
  const Fact opening = guarded("device", [&](Fact& fact) {
    const std::unique_ptr<Device> device = entry.open(0);
    fact.text = device->description();
    facts.push_back(fact_of_waits(*device));
    facts.push_back(fact_of_training(*device));
    facts.push_back(fact_of_products(*device));
  });
  facts.insert(facts.begin(), opening);
  return facts;
}

}  // namespace bertha::doctor
