// What makes an op's struct a seam between the model and a device: a device that only records the
// structs of a training step, and replays them later through the references, trains as the CPU
// does.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "bert/pretraining.h"
#include "core/philox.h"
#include "recording_device.h"
#include "support/compare.h"

namespace bertha::bert {
namespace {

using test::RecordingDevice;

Config tiny_config() {
  return {.vocab_size = 40,
          .hidden_size = 16,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 24,
          .max_position_embeddings = 16};
}

/// The model, its optimizer state and one batch on a device: three sequences of 5, 9 and 1 tokens
/// and three rows of no sequence.
class TinyTraining {
 public:
  explicit TinyTraining(Device& device)
      : device_(device),
        store_(device, config_, Heads::for_pretraining(), DType::kF32, true),
        model_(config_, store_),
        spans_(store_.table().spans()) {
    store_.initialise(InitStyle::kRecipe, config_, 11);
    const Shape flat = {store_.table().flat_size()};
    exp_avg_ = add(DType::kF32, std::vector<float>(static_cast<size_t>(flat[0])));
    exp_avg_sq_ = add(DType::kF32, std::vector<float>(static_cast<size_t>(flat[0])));
    upload_batch();
    results_ = {.masked = add(DType::kF32, std::vector<float>{0, 0}),
                .next_sentence = add(DType::kF32, std::vector<float>{0, 0})};
    norm_ = add(DType::kF32, std::vector<float>{0});
    scalars_ = add(DType::kF32, std::vector<float>{0.02F, 0.5F, 10, 1000});
    Arena measure;
    Context dry(device, measure);
    step(dry);
    arena_ = std::make_unique<Arena>(device, measure.peak_bytes());
  }

  /// Forward, backward and update, as one segment.
  void step() {
    Context context(device_, *arena_);
    device_.run({.name = "step", .bucket = kTokens}, [&] { step(context); });
    device_.parameters_changed();
  }
  /// Both losses and the gradient norm of the last step.
  std::vector<float> losses() {
    std::vector<float> values(5);
    device_.read(results_.masked, values.data());
    device_.read(results_.next_sentence, values.data() + 2);
    device_.read(norm_, values.data() + 4);
    return values;
  }
  std::vector<float> weights() {
    std::vector<float> values(static_cast<size_t>(store_.table().flat_size()));
    device_.read(store_.flat_weights(), values.data());
    return values;
  }
  /// What `steps` steps give: the losses of each, then the weights.
  std::vector<std::vector<float>> train(int steps) {
    std::vector<std::vector<float>> outcome;
    for (int i = 0; i < steps; ++i) {
      step();
      outcome.push_back(losses());
    }
    outcome.push_back(weights());
    return outcome;
  }
  const Tensor& masked_result() const { return results_.masked; }

 private:
  static constexpr int64_t kTokens = 18;

  void step(Context& context) {
    ops::zero(context, {.to = out(store_.flat_gradients())});
    model_.train(context, inputs_, false, results_);
    ops::global_norm(context, {.values = store_.flat_gradients(), .norm = out(norm_)});
    ops::lamb(context, {.buffers = {.weights = inout(store_.flat_weights()),
                                    .gradients = inout(store_.flat_gradients()),
                                    .exp_avg = inout(exp_avg_),
                                    .exp_avg_sq = inout(exp_avg_sq_)},
                        .spans = spans_,
                        .settings = {},
                        .scalars = scalars_});
  }
  void upload_batch() {
    PhiloxStream random(3, 0);
    std::vector<int32_t> words, positions, segments;
    for (int32_t t = 0; t < kTokens; ++t) {
      words.push_back(static_cast<int32_t>(random.below(40)));
      positions.push_back(t % 9);
      segments.push_back(t % 9 > 3 ? 1 : 0);
    }
    inputs_.encoder.ids = {.word = add(DType::kI32, words),
                           .position = add(DType::kI32, positions),
                           .segment = add(DType::kI32, segments)};
    inputs_.encoder.seq_start = add(DType::kI32, std::vector<int32_t>{0, 5, 14, 15});
    inputs_.encoder.dropout_seed = add(DType::kI64, std::vector<int64_t>{77, 1});
    inputs_.masked_rows = add(DType::kI32, std::vector<int32_t>{2, 7, 13, 0});
    inputs_.masked_labels = add(DType::kI32, std::vector<int32_t>{6, 30, 12, -1});
    inputs_.next_sentence = add(DType::kI32, std::vector<int32_t>{1, 0, 1});
    inputs_.masked_scale = add(DType::kF32, std::vector<float>{1.0F / 3});
    inputs_.next_sentence_scale = add(DType::kF32, std::vector<float>{1.0F / 3});
  }
  template <typename T>
  Tensor add(DType dtype, const std::vector<T>& values) {
    const int64_t count = std::ssize(values);
    buffers_.push_back(std::make_unique<Buffer>(device_.allocate(count * size_of(dtype))));
    const Tensor tensor(buffers_.back().get(), 0, dtype, {count});
    device_.write(out(tensor), values.data());
    return tensor;
  }

  Device& device_;
  Config config_ = tiny_config();
  ParameterStore store_;
  PretrainingModel model_;
  std::vector<ops::ParameterSpan> spans_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  PretrainingInputs inputs_;
  PretrainingResults results_;
  Tensor exp_avg_, exp_avg_sq_, norm_, scalars_;
  std::unique_ptr<Arena> arena_;
};

constexpr int kSteps = 3;
/// f32 against double over three updates.
constexpr double kLossLimit = 1e-5;
constexpr double kWeightLimit = 1e-5;

double difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  return test::relative_error(std::span<const float>(actual), std::span<const float>(expected));
}

std::vector<std::vector<float>> trained_on_the_cpu() {
  cpu::CpuDevice device;
  return TinyTraining(device).train(kSteps);
}

TEST(RecordingDevice, ReplayedReferencesTrainAsTheCpuDoes) {
  const auto expected = trained_on_the_cpu();
  RecordingDevice device;
  const auto actual = TinyTraining(device).train(kSteps);
  for (size_t step = 0; step < kSteps; ++step) {
    EXPECT_LE(difference(actual[step], expected[step]), kLossLimit) << "step " << step;
  }
  EXPECT_LE(difference(actual[kSteps], expected[kSteps]), kWeightLimit) << "weights";
  EXPECT_GT(std::abs(expected[1][0] - expected[0][0]), 1e-3) << "the steps change the loss";
  EXPECT_GT(std::abs(expected[2][0] - expected[1][0]), 1e-3) << "the steps change the loss";
}

TEST(RecordingDevice, OpsRunNowhereBeforeTheReplay) {
  RecordingDevice device;
  TinyTraining training(device);
  const std::vector<float> before = training.weights();
  training.step();
  const int64_t waiting = device.waiting();
  EXPECT_EQ(device.replayed.size(), 0U);
  EXPECT_NE(training.weights(), before);
  EXPECT_EQ(device.waiting(), 0);
  // Two layers with four products each; four more in the heads.
  const std::map<std::string, int64_t> expected = {{"embedding", 1},
                                                   {"embedding, backward", 1},
                                                   {"layer norm", 5},
                                                   {"linear", 12},
                                                   {"layer norm, backward", 5},
                                                   {"linear, backward", 12},
                                                   {"attention", 2},
                                                   {"attention, backward", 2},
                                                   {"cross entropy", 2},
                                                   {"gather rows", 2},
                                                   {"gather rows, backward", 2},
                                                   {"zero", 4},
                                                   {"gradient norm", 1},
                                                   {"LAMB", 1}};
  EXPECT_EQ(device.replayed, expected);
  int64_t replayed = 0;
  for (const auto& [name, count] : device.replayed) replayed += count;
  EXPECT_EQ(waiting, replayed);
}

TEST(RecordingDevice, EveryRecordedOpCounts) {
  const auto expected = trained_on_the_cpu();
  RecordingDevice all;
  TinyTraining(all).train(1);
  ASSERT_GE(all.replayed.size(), 14U);
  for (const auto& [name, count] : all.replayed) {
    RecordingDevice device;
    device.left_out = name;
    const auto actual = TinyTraining(device).train(kSteps);
    double most = 0;
    for (size_t i = 0; i <= kSteps; ++i) {
      most = std::max(most, difference(actual[i], expected[i]));
    }
    EXPECT_GT(most, 10 * kLossLimit) << "without " << name;
  }
}

TEST(RecordingDevice, CpuCodeCannotReadItsMemory) {
  RecordingDevice device;
  const TinyTraining training(device);
  EXPECT_THROW(cpu::data<float>(training.masked_result()), LogicError);
  EXPECT_THROW(cpu::address(training.masked_result()), LogicError);
}

}  // namespace
}  // namespace bertha::bert
