// Checkpoints of other programs, whose optimizer states have other forms.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "bert/export.h"
#include "core/error.h"
#include "io/weights/torch_file.h"
#include "support/files.h"
#include "train/checkpoint.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

using io::PickleTree;
using io::PickleValue;

bert::Config tiny_config() {
  return {.vocab_size = 24,
          .hidden_size = 8,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 20,
          .max_position_embeddings = 16};
}

/// A model and its trainer.
struct Trainee {
  cpu::CpuDevice device;
  bert::ParameterStore store{device, tiny_config(), bert::Heads::for_pretraining(), DType::kF32,
                             true};
  PretrainingTrainer trainer{device, tiny_config(), store, settings()};

  static TrainerSettings settings() {
    TrainerSettings result;
    result.limits = {.tokens = 48, .sequences = 4, .masked = 12};
    return result;
  }
  std::vector<float> moments(int index) const {
    std::vector<float> values(static_cast<size_t>(store.table()[index].size()));
    trainer.optimizer().read_moments(index, values.data(), nullptr);
    return values;
  }
};

class ForeignOptimizer : public testing::Test {
 protected:
  ForeignOptimizer() {
    source_.store.initialise(bert::InitStyle::kRecipe, tiny_config(), 3);
    for (int i = 0; i < count(); ++i) {
      const std::vector<float> ones(static_cast<size_t>(source_.store.table()[i].size()), 1.0F);
      run_.trainer.optimizer().write_moments(i, ones.data(), ones.data());
    }
  }
  int count() const { return static_cast<int>(source_.store.table().parameters().size()); }

  /// Writes a checkpoint with the optimizer that `make` adds to the dict.
  using Make = std::function<void(io::TorchWriter& writer, PickleValue& root)>;
  std::string write(const Make& make) const {
    io::TorchWriter writer;
    PickleValue& root = writer.tree().dict();
    const bert::ExportModel model = {
        .config = {},
        .table = &source_.store.table(),
        .model = bert::ModelClass::kPretraining,
        .dtype = DType::kF32,
        .read = [this](int index, float* to) { source_.store.read(index, to); }};
    writer.tree().set(root, "model", bert::state_dict(writer, model));
    make(writer, root);
    const std::string path = folder_.file("ckpt_1.pt");
    writer.save(path, root);
    return path;
  }

  /// Adds an optimizer with a state of `entries` entries; `fill` makes each.
  static void add_state(io::TorchWriter& writer, PickleValue& root, int64_t entries,
                        const std::function<void(int64_t, PickleValue&)>& fill) {
    PickleTree& tree = writer.tree();
    PickleValue& state = tree.dict();
    for (int64_t i = 0; i < entries; ++i) {
      PickleValue& entry = tree.dict();
      fill(i, entry);
      state.set(tree.integer(i), entry);
    }
    PickleValue& optimizer = tree.dict();
    tree.set(optimizer, "state", state);
    tree.set(optimizer, "param_groups", tree.list());
    tree.set(root, "optimizer", optimizer);
  }

  void expect_fresh(const Make& make, const std::string& fault) {
    const std::string path = write(make);
    const MomentsReport initial = load_moments(path, run_.store.table(), run_.trainer.optimizer());
    EXPECT_FALSE(initial.taken);
    EXPECT_NE(initial.fault.find(fault), std::string::npos) << initial.fault;
    const MomentsReport resumed = load_checkpoint(path, run_.store, run_.trainer.optimizer());
    EXPECT_EQ(resumed.fault, initial.fault);
    for (int i = 0; i < count(); ++i) {
      for (const float value : run_.moments(i)) ASSERT_EQ(value, 1) << fault;
      std::vector<float> weights(static_cast<size_t>(run_.store.table()[i].size()));
      std::vector<float> expected(weights.size());
      run_.store.read(i, weights.data());
      source_.store.read(i, expected.data());
      EXPECT_EQ(weights, expected);
    }
  }

  Trainee source_;
  Trainee run_;
  test::TemporaryFolder folder_;
};

TEST_F(ForeignOptimizer, WeightsAreTakenOverAndTheMomentsStayAsTheyWere) {
  const std::vector<float> numbers(1000);
  const auto tensor = [&](io::TorchWriter& writer, int64_t size) -> const PickleValue& {
    return writer.tensor(DType::kF32, std::vector<int64_t>{size},
                         std::as_bytes(std::span(numbers).first(static_cast<size_t>(size))));
  };
  expect_fresh(
      [](io::TorchWriter& writer, PickleValue& root) {
        writer.tree().set(root, "optimizer", writer.tree().none());
      },
      "the optimizer's entry is None without \"state\"");
  expect_fresh(  // apex's O2: the state within another dict
      [](io::TorchWriter& writer, PickleValue& root) {
        PickleValue& optimizer = writer.tree().dict();
        writer.tree().set(optimizer, "optimizer_state_dict", writer.tree().dict());
        writer.tree().set(root, "optimizer", optimizer);
      },
      "the optimizer's entry is a dict without \"state\"");
  expect_fresh([](io::TorchWriter& writer, PickleValue& root) { add_state(writer, root, 0, {}); },
               "optimizer state 0 (bert.embeddings.word_embeddings.weight) is missing");
  expect_fresh(
      [&](io::TorchWriter& writer, PickleValue& root) {  // SGD
        add_state(writer, root, 40, [&](int64_t, PickleValue& entry) {
          writer.tree().set(entry, "momentum_buffer", tensor(writer, 3));
        });
      },
      "has no exp_avg");
  expect_fresh(
      [&](io::TorchWriter& writer, PickleValue& root) {
        add_state(writer, root, 40, [&](int64_t, PickleValue& entry) {
          writer.tree().set(entry, "exp_avg", tensor(writer, 3));
          writer.tree().set(entry, "exp_avg_sq", tensor(writer, 3));
        });
      },
      "has exp_avg of f32 [3], the model needs [24, 8]");
}

TEST_F(ForeignOptimizer, CheckpointOfThisProgramNeedsItsMoments) {
  const std::string path = write([](io::TorchWriter& writer, PickleValue& root) {
    writer.tree().set(root, "optimizer", writer.tree().none());
    writer.tree().set(root, "bertha", writer.tree().dict());
  });
  EXPECT_THROW(load_checkpoint(path, run_.store, run_.trainer.optimizer()), Error);
}

TEST_F(ForeignOptimizer, FileWithoutAnOptimizerHasNoFault) {
  const std::string path = write([](io::TorchWriter&, PickleValue&) {});
  const MomentsReport report = load_moments(path, run_.store.table(), run_.trainer.optimizer());
  EXPECT_FALSE(report.taken);
  EXPECT_EQ(report.fault, "");
}

}  // namespace
}  // namespace bertha::train
