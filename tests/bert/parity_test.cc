// The model against PyTorch + transformers: same weights, same batch, dropout 0
// (tests/parity/README.md).

#include "parity/fixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "bert/parameters.h"
#include "bert/pretraining.h"

namespace bertha::bert {
namespace {

using test::ParityFixture;

/// A batch on the device, with `filler` rows that belong to no sequence and as many masked rows
/// without a label, as a bucket has them.
class Uploaded {
 public:
  Uploaded(Device& device, PretrainingBatch batch, size_t filler) : device_(device) {
    const auto masked = static_cast<float>(batch.masked_rows.size());
    const auto sequences = static_cast<float>(batch.sequences());
    const size_t tokens = batch.ids.size() + filler;
    batch.ids.resize(tokens, 0);
    batch.positions.resize(tokens, 0);
    batch.segments.resize(tokens, 0);
    batch.masked_rows.resize(batch.masked_rows.size() + filler, 0);
    batch.masked_labels.resize(batch.masked_rows.size(), -1);
    inputs.encoder.ids.word = add(DType::kI32, batch.ids);
    inputs.encoder.ids.position = add(DType::kI32, batch.positions);
    inputs.encoder.ids.segment = add(DType::kI32, batch.segments);
    inputs.encoder.seq_start = add(DType::kI32, batch.seq_start);
    inputs.masked_rows = add(DType::kI32, batch.masked_rows);
    inputs.masked_labels = add(DType::kI32, batch.masked_labels);
    inputs.next_sentence = add(DType::kI32, batch.next_sentence);
    inputs.masked_scale = add(DType::kF32, std::vector<float>{1 / masked});
    inputs.next_sentence_scale = add(DType::kF32, std::vector<float>{1 / sequences});
    results.masked = add(DType::kF32, std::vector<float>{0, 0});
    results.next_sentence = add(DType::kF32, std::vector<float>{0, 0});
    masked_count = static_cast<double>(masked);
    sequence_count = static_cast<double>(sequences);
  }

  double masked_loss() const { return read(results.masked) / masked_count; }
  double next_sentence_loss() const { return read(results.next_sentence) / sequence_count; }

  PretrainingInputs inputs;
  PretrainingResults results;
  double masked_count = 0;
  double sequence_count = 0;

 private:
  template <typename T>
  Tensor add(DType dtype, const std::vector<T>& values) {
    const auto count = static_cast<int64_t>(values.size());
    buffers_.push_back(
        std::make_unique<Buffer>(device_.allocate(align_up(count * size_of(dtype)))));
    const Tensor tensor(buffers_.back().get(), 0, dtype, {count});
    device_.write(out(tensor), values.data());
    return tensor;
  }
  double read(const Tensor& result) const {
    std::vector<float> values(2);
    device_.read(result, values.data());
    return static_cast<double>(values[0]);
  }

  Device& device_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

std::vector<int64_t> extents(const Shape& shape) {
  std::vector<int64_t> result;
  for (int dimension = 0; dimension < shape.rank(); ++dimension) {
    result.push_back(shape[dimension]);
  }
  return result;
}

class Parity : public testing::TestWithParam<const char*> {
 protected:
  Parity()
      : fixture_(GetParam()),
        config_(fixture_.config()),
        store_(device_, config_, Heads::for_pretraining(), DType::kF32, true),
        model_(config_, store_) {
    fixture_.fill(store_);
  }

  /// Runs body(context) dry to size the arena, then for real.
  template <typename Body>
  void run(const Body& body) {
    Arena measured;
    Context dry(device_, measured);
    body(dry);
    Arena arena(device_, measured.peak_bytes());
    Context context(device_, arena);
    body(context);
  }

  void train(const Uploaded& batch, bool recompute = false) {
    device_.zero(out(store_.flat_gradients()));
    run([&](Context& context) { model_.train(context, batch.inputs, recompute, batch.results); });
  }

  static void expect_losses(const Uploaded& batch, const nlohmann::json& expected) {
    const double masked = batch.masked_loss();
    const double next_sentence = batch.next_sentence_loss();
    const double total = expected["total"].get<double>();
    EXPECT_NEAR(masked / expected["mlm"].get<double>(), 1, 1e-6);
    EXPECT_NEAR(next_sentence / expected["nsp"].get<double>(), 1, 1e-6);
    EXPECT_NEAR((masked + next_sentence) / total, 1, 1e-6);
  }

  std::vector<float> gradient(int index) {
    const Tensor tensor = store_.gradient(index);
    std::vector<float> values(static_cast<size_t>(tensor.size()));
    device_.read(tensor, values.data());
    return values;
  }

  void expect_gradients(const nlohmann::json& records) {
    const auto& parameters = store_.table().parameters();
    ASSERT_EQ(records.size(), parameters.size());
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (test::is_key_bias(parameters[i].name)) {
        EXPECT_EQ(gradient(static_cast<int>(i)),
                  std::vector<float>(static_cast<size_t>(parameters[i].size())));
        continue;
      }
      const double norm = records[i]["norm"].get<double>();
      const double distance = fixture_.distance(gradient(static_cast<int>(i)), i, records[i]);
      EXPECT_LE(distance / norm, test::kParityLimit) << parameters[i].name;
    }
  }

  cpu::CpuDevice device_;
  ParityFixture fixture_;
  Config config_;
  ParameterStore store_;
  PretrainingModel model_;
};

TEST_P(Parity, ParameterTableIsTheModelsOrder) {
  const nlohmann::json& tensors = fixture_.json()["tensors"];
  const auto& parameters = store_.table().parameters();
  ASSERT_EQ(parameters.size(), tensors.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const nlohmann::json& tensor = tensors[i];
    EXPECT_EQ(parameters[i].name, tensor["name"].get<std::string>());
    EXPECT_EQ(parameters[i].decay, tensor["decay"].get<bool>()) << parameters[i].name;
    EXPECT_EQ(extents(parameters[i].shape), tensor["shape"].get<std::vector<int64_t>>())
        << parameters[i].name;
    EXPECT_EQ(fixture_.initial_values(parameters[i], i)[0], tensor["first"].get<float>());
  }
}

TEST_P(Parity, LossAndGradientsOfATrainingBatch) {
  const Uploaded batch(device_, fixture_.training_batch(0), 0);
  train(batch);
  const nlohmann::json& expected = fixture_.json()["training_batch_0"];
  expect_losses(batch, expected["fp64"]);
  expect_gradients(expected["gradients"]);
}

TEST_P(Parity, SequencesOf1To512TokensEqualThoseThatPyTorchPads) {
  const Uploaded batch(device_, fixture_.mixed_batch(), 0);
  train(batch);
  const nlohmann::json& expected = fixture_.json()["mixed"];
  expect_losses(batch, expected["fp64"]);
  expect_gradients(expected["gradients"]);
}

TEST_P(Parity, RowsThatFillTheBucketWeighNothing) {
  const Uploaded batch(device_, fixture_.training_batch(0), 29);
  train(batch);
  const nlohmann::json& expected = fixture_.json()["training_batch_0"];
  expect_losses(batch, expected["fp64"]);
  expect_gradients(expected["gradients"]);
}

TEST_P(Parity, RecomputedActivationsGiveTheSameBits) {
  const Uploaded batch(device_, fixture_.training_batch(0), 0);
  train(batch);
  std::vector<std::vector<float>> kept;
  const int count = static_cast<int>(store_.table().parameters().size());
  for (int i = 0; i < count; ++i) kept.push_back(gradient(i));
  train(batch, true);
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(gradient(i), kept[static_cast<size_t>(i)]) << store_.table()[i].name;
  }
}

TEST_P(Parity, GradientsAddUp) {
  const Uploaded batch(device_, fixture_.training_batch(0), 0);
  train(batch);
  const std::vector<float> once = gradient(0);
  run([&](Context& context) { model_.train(context, batch.inputs, false, batch.results); });
  const std::vector<float> twice = gradient(0);
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < once.size(); ++i) {
    error += std::pow(static_cast<double>(twice[i]) - 2 * static_cast<double>(once[i]), 2);
    norm += std::pow(static_cast<double>(once[i]), 2);
  }
  EXPECT_LE(error, 1e-12 * norm);
}

TEST_P(Parity, EvaluationGivesTheLossesOfTraining) {
  Uploaded batch(device_, fixture_.mixed_batch(), 3);
  batch.inputs.masked_scale = Tensor();
  batch.inputs.next_sentence_scale = Tensor();
  run([&](Context& context) { model_.evaluate(context, batch.inputs, batch.results); });
  expect_losses(batch, fixture_.json()["mixed"]["fp64"]);
}

INSTANTIATE_TEST_SUITE_P(Models, Parity, testing::Values("2x128", "3x96"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace bertha::bert
