// Whole runs of pre-training on a tiny model: stopping and going on, checkpoints, faults.

#include "train/pretraining_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bert/export.h"
#include "bert/weights.h"
#include "core/fp8.h"
#include "dataset/packing/pack_shards.h"
#include "dataset/packing/packing.h"
#include "infer/model.h"
#include "io/atomic_file.h"
#include "io/weights/carried_texts.h"
#include "train/tiny_run.h"

namespace bertha::train {
namespace {

using Numbers = std::vector<int64_t>;

class PretrainingRunTest : public TinyRun {
 protected:
  void damage(const std::string& name, int64_t offset_from_middle = 0) const {
    const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path(name)));
    std::fstream file(path(name), std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(size / 2 + offset_from_middle);
    const int byte = file.get();
    file.seekp(size / 2 + offset_from_middle);
    file.put(static_cast<char>(byte ^ 1));
  }
  /// The state after one step at rate 0 of a run that starts from `given`: the weights stay, the
  /// moments take the step's gradient in.
  std::vector<float> state_after_step(const std::string& given) {
    PretrainingOptions one_step = options("start");
    one_step.init_checkpoint = given;
    one_step.max_steps = one_step.steps_this_run = 1;
    one_step.warmup_proportion = 0;
    std::filesystem::remove_all(path("start"));
    train(one_step);
    return state_of(path("start/ckpt_1.pt"));
  }
  void truncate(const std::string& name) const {
    std::filesystem::resize_file(path(name), std::filesystem::file_size(path(name)) * 2 / 3);
  }
  /// The options with a vocabulary of 40 pieces.
  PretrainingOptions with_vocabulary(const std::string& output = "out") const {
    test::write_all(path("pieces.txt"), pieces("word"));
    PretrainingOptions result = options(output);
    result.vocab_file = path("pieces.txt");
    return result;
  }
  static std::string pieces(const std::string& stem) {
    std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < 40; ++i) lines += stem + std::to_string(i) + "\n";
    return lines;
  }
  /// A copy of a checkpoint in a folder of its own.
  std::string alone(const std::string& checkpoint) const {
    std::filesystem::create_directories(path("alone"));
    std::filesystem::copy(path(checkpoint), path("alone/ckpt_1.pt"));
    return path("alone/ckpt_1.pt");
  }
  /// The operands of two layers' products.
  static constexpr int64_t kFp8Operands = 2 * bert::kLayerProducts * 3;
  PretrainingOptions in_fp8(const std::string& output = "out") const {
    PretrainingOptions result = options(output);
    result.fp8 = true;
    return result;
  }
  /// Writes a checkpoint again with other histories.
  static void rewrite(const std::string& checkpoint, const std::vector<float>& histories) {
    cpu::CpuDevice device;
    const bert::Config config = tiny_config();
    bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, true,
                               bert::Products::kFp8);
    TrainerSettings settings;
    settings.limits = {.tokens = 32, .sequences = 2, .masked = 6};
    PretrainingTrainer trainer(device, config, store, settings);
    load_checkpoint(checkpoint, store, trainer.optimizer());
    CheckpointState state = read_checkpoint_state(checkpoint);
    state.fp8_histories = histories;
    save_checkpoint(checkpoint, store, trainer.optimizer(), state, {});
  }
  /// As a program wrote it that did not keep histories.
  static void without_histories(const std::string& checkpoint) { rewrite(checkpoint, {}); }
  /// Values of a dllogger record's field, in order.
  std::vector<nlohmann::json> logged(const std::string& output, const std::string& field) const {
    std::vector<nlohmann::json> values;
    std::ifstream file(path(output + "/dllogger.json"));
    for (std::string line; std::getline(file, line);) {
      const nlohmann::json data = nlohmann::json::parse(line.substr(5))["data"];
      if (data.contains(field)) values.push_back(data[field]);
    }
    return values;
  }
};

TEST_F(PretrainingRunTest, FinishedRunLeavesACheckpointWithChangedWeights) {
  EXPECT_EQ(train(options()), RunEnd::kFinished);
  EXPECT_EQ(checkpoints(), (Numbers{3, 6, 8}));
  EXPECT_FALSE(state_of(path("out/ckpt_3.pt")) == state_of(path("out/ckpt_8.pt")));
  EXPECT_TRUE(std::filesystem::exists(path("out/loss.svg")));
  EXPECT_EQ(logged("out", "step_loss").size(), 7U);
}

TEST_F(PretrainingRunTest, SameOptionsGiveTheSameBits) {
  train(options("one"));
  train(options("two"));
  expect_same_end("one", "two");
}

TEST_F(PretrainingRunTest, AnotherSeedGivesOtherWeights) {
  PretrainingOptions other = options("two");
  other.seed = 43;
  train(options("one"));
  train(other);
  EXPECT_FALSE(state_of(path("one/ckpt_8.pt")) == state_of(path("two/ckpt_8.pt")));
}

/// Stopped in a micro-batch of any kind: the first of a step, in its midst, its last.
class StopInMicroBatch : public PretrainingRunTest, public testing::WithParamInterface<int64_t> {};

TEST_P(StopInMicroBatch, ResumedRunEndsWithTheSameBits) {
  train(options("whole"));
  MeddlingDevice device;
  device.stop_in = GetParam();
  EXPECT_EQ(train(options("parts"), device), RunEnd::kStopped);
  // A step in whose midst the stop came is dropped.
  const int64_t steps = (GetParam() + 1) / 3;
  const Numbers saved = checkpoints("parts");
  EXPECT_EQ(saved.empty() ? 0 : saved.back(), steps);
  EXPECT_EQ(train(options("parts")), RunEnd::kFinished);
  expect_same_end("whole", "parts");
}

TEST_P(StopInMicroBatch, ResumedRunInFp8EndsWithTheSameBits) {
  train(in_fp8("whole"));
  MeddlingDevice device;
  device.stop_in = GetParam();
  EXPECT_EQ(train(in_fp8("parts"), device), RunEnd::kStopped);
  EXPECT_EQ(train(in_fp8("parts")), RunEnd::kFinished);
  expect_same_end("whole", "parts");
  EXPECT_EQ(load_fp8_histories(path("parts/ckpt_8.pt"), 1, kFp8Operands),
            load_fp8_histories(path("whole/ckpt_8.pt"), 1, kFp8Operands));
}

INSTANTIATE_TEST_SUITE_P(Places, StopInMicroBatch, testing::Values(0, 2, 3, 7, 8, 10, 13, 22));

TEST_F(PretrainingRunTest, RunStoppedAfterEveryStepEndsWithTheSameBits) {
  train(options("whole"));
  for (int64_t step = 0; step < 7; ++step) {
    MeddlingDevice device;
    device.stop_in = 2;
    EXPECT_EQ(train(options("parts"), device), RunEnd::kStopped);
  }
  EXPECT_EQ(train(options("parts")), RunEnd::kFinished);
  expect_same_end("whole", "parts");
}

TEST_F(PretrainingRunTest, StepsThisRunEndsThereAndTheNextRunContinues) {
  train(options("whole"));
  PretrainingOptions part = options("parts");
  part.steps_this_run = 4;
  EXPECT_EQ(train(part), RunEnd::kFinished);
  EXPECT_EQ(checkpoints("parts"), (Numbers{3, 4}));
  EXPECT_EQ(train(options("parts")), RunEnd::kFinished);
  expect_same_end("whole", "parts");
}

TEST_F(PretrainingRunTest, HistoriesOfFp8DecideTheBits) {
  train(in_fp8("whole"));
  PretrainingOptions part = in_fp8("parts");
  part.steps_this_run = 6;
  train(part);
  without_histories(path("parts/ckpt_6.pt"));
  EXPECT_EQ(train(in_fp8("parts")), RunEnd::kFinished) << "an older checkpoint goes on";
  EXPECT_FALSE(state_of(path("whole/ckpt_8.pt")) == state_of(path("parts/ckpt_8.pt")))
      << "the other tests of fp8 cannot fail";
}

TEST_F(PretrainingRunTest, HistoriesThatDoNotFitAreRefused) {
  train(in_fp8());
  const std::string saved = path("out/ckpt_8.pt");
  EXPECT_EQ(load_fp8_histories(saved, 1, kFp8Operands).size(), kFp8Operands * kFp8History);
  EXPECT_TRUE(load_fp8_histories(saved, 2, kFp8Operands).empty());
  EXPECT_NE(error_of([&] { load_fp8_histories(saved, 1, kFp8Operands + 1); }).find("has shape"),
            std::string::npos);
  for (const float value : {-1.0F, std::numeric_limits<float>::infinity()}) {
    rewrite(saved, std::vector<float>(kFp8Operands * kFp8History, value));
    EXPECT_NE(error_of([&] { load_fp8_histories(saved, 1, kFp8Operands); }).find("no magnitude"),
              std::string::npos);
  }
}

TEST_F(PretrainingRunTest, FinishedRunTrainsNoFurther) {
  train(options());
  const std::string before = test::read_all(path("out/ckpt_8.pt"));
  EXPECT_EQ(train(options()), RunEnd::kFinished);
  EXPECT_EQ(test::read_all(path("out/ckpt_8.pt")), before);
}

TEST_F(PretrainingRunTest, ResumeFlagInItsOwnFolderChangesNothing) {
  train(options("whole"));
  PretrainingOptions part = options("parts");
  part.steps_this_run = 4;
  train(part);
  part.steps_this_run = -1;
  part.resume_from_checkpoint = true;
  train(part);
  expect_same_end("whole", "parts");
}

TEST_F(PretrainingRunTest, RecomputedLayersGiveTheSameBits) {
  PretrainingOptions again = options("two");
  again.checkpoint_activations = true;
  train(options("one"));
  train(again);
  expect_same_end("one", "two");
}

TEST_F(PretrainingRunTest, Phase2StartsFromPhase1AndResumes) {
  train(options());
  const std::string phase1 = test::read_all(path("out/ckpt_8.pt"));
  const std::vector<float> weights = state_of(path("out/ckpt_8.pt"));
  std::filesystem::create_directories(path("long"));
  write_tiny_shard(path("long/x_training_0.hdf5"), 11, 32, 7);
  PretrainingOptions phase2 = options();
  phase2.input_dir = path("long");
  phase2.phase2 = true;
  phase2.resume_from_checkpoint = true;
  phase2.phase1_end_step = 8;
  phase2.max_steps = 10;
  phase2.num_steps_per_checkpoint = 2;
  phase2.steps_this_run = 4;
  std::filesystem::copy(path("out"), path("whole"), std::filesystem::copy_options::recursive);
  train(phase2);
  EXPECT_EQ(checkpoints(), (Numbers{3, 6, 8, 10, 12}));
  phase2.steps_this_run = -1;
  train(phase2);
  // The three newest of phase 2, and all of phase 1.
  EXPECT_EQ(checkpoints(), (Numbers{3, 6, 8, 14, 16, 18}));
  EXPECT_EQ(test::read_all(path("out/ckpt_8.pt")), phase1);
  EXPECT_EQ(read_checkpoint_state(path("out/ckpt_18.pt")).step, 10);
  PretrainingOptions whole = phase2;
  whole.output_dir = path("whole");
  whole.json_summary = path("whole/dllogger.json");
  train(whole);
  expect_same_end("out", "whole");
}

TEST_F(PretrainingRunTest, ACheckpointAloneIsAModel) {
  train(with_vocabulary());
  const infer::ModelDefinition model({.weights = alone("out/ckpt_8.pt")});
  EXPECT_EQ(bert::recipe_config_json(model.config()), bert::recipe_config_json(tiny_config()));
  EXPECT_EQ(model.vocabulary().size(), 40);
  EXPECT_EQ(model.vocabulary().id("word39"), 39);
  EXPECT_TRUE(infer::has_config(model.files()));
  EXPECT_TRUE(infer::has_tokenizer(model.files()));
}

TEST_F(PretrainingRunTest, ACheckpointWithoutAVocabularyAsksForOne) {
  train(options());
  const infer::ModelFiles files = {.weights = alone("out/ckpt_8.pt")};
  EXPECT_TRUE(infer::has_config(files));
  EXPECT_FALSE(infer::has_tokenizer(files));
  EXPECT_NE(error_of([&] {
              const infer::ModelDefinition model(files);
            }).find("no vocab.txt or tokenizer.json beside it; name one with --vocab-file"),
            std::string::npos);
}

TEST_F(PretrainingRunTest, AnotherVocabularyBesideACheckpointIsRejected) {
  train(with_vocabulary());
  infer::ModelFiles files = {.weights = alone("out/ckpt_8.pt")};
  test::write_all(path("alone/vocab.txt"), pieces("word"));
  EXPECT_NO_THROW(const infer::ModelDefinition same(files));
  test::write_all(path("alone/vocab.txt"), pieces("other"));
  EXPECT_NE(error_of([&] {
              const infer::ModelDefinition other(files);
            }).find("alone/vocab.txt is not the vocabulary that " + files.weights + " carries"),
            std::string::npos);
  files.vocabulary = path("alone/vocab.txt");
  EXPECT_EQ(infer::ModelDefinition(files).vocabulary().id("other5"), 5);
}

TEST_F(PretrainingRunTest, TheVocabularyGoesOnWithTheWeights) {
  train(with_vocabulary());
  PretrainingOptions next = options("next");
  next.init_checkpoint = alone("out/ckpt_8.pt");
  train(next);
  EXPECT_EQ(read_checkpoint_state(path("next/ckpt_8.pt")).vocabulary, pieces("word"));
  EXPECT_EQ(test::read_all(path("next/vocab.txt")), pieces("word"));
  PretrainingOptions longer = options();
  longer.max_steps = 10;
  train(longer);
  EXPECT_EQ(read_checkpoint_state(path("out/ckpt_10.pt")).vocabulary, pieces("word"));
}

TEST_F(PretrainingRunTest, WrongPhase1EndStepIsRejected) {
  train(options());
  PretrainingOptions phase2 = options();
  phase2.phase2 = phase2.resume_from_checkpoint = true;
  for (const int64_t wrong : {7, 9, 7038}) {
    phase2.phase1_end_step = wrong;
    const std::string error = error_of(phase2);
    EXPECT_NE(error.find("--phase1-end-step " + std::to_string(wrong)), std::string::npos) << error;
    EXPECT_NE(error.find("step 8"), std::string::npos) << error;
  }
}

TEST_F(PretrainingRunTest, Phase2WithoutPhase1IsRejected) {
  PretrainingOptions phase2 = options();
  phase2.phase2 = phase2.resume_from_checkpoint = true;
  EXPECT_NE(error_of(phase2).find("run phase 1 into this folder first"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(PretrainingRunTest, ThreeNewestCheckpointsAreKeptAndThoseOfEarlierRuns) {
  PretrainingOptions first = options();
  first.max_steps = 2;
  first.num_steps_per_checkpoint = 1;
  train(first);
  PretrainingOptions second = options();
  second.learning_rate = 0.01;
  second.num_steps_per_checkpoint = 1;
  second.resume_from_checkpoint = true;
  train(second);
  EXPECT_EQ(checkpoints(), (Numbers{1, 2, 6, 7, 8}));
}

TEST_F(PretrainingRunTest, AnotherCommandInAUsedFolderIsRejected) {
  PretrainingOptions part = options();
  part.steps_this_run = 3;
  train(part);
  PretrainingOptions other = options();
  other.learning_rate = 0.03;
  other.seed = 7;
  const std::string error = error_of(other);
  EXPECT_NE(error.find("learning_rate is 0.03 here, 0.02 there"), std::string::npos) << error;
  EXPECT_NE(error.find("seed is 7 here, 42 there"), std::string::npos) << error;
  EXPECT_EQ(error.find("max_steps"), std::string::npos) << error;
  EXPECT_EQ(checkpoints(), (Numbers{3}));
}

TEST_F(PretrainingRunTest, ALargerNumberOfStepsGoesOnWithTheSameData) {
  PretrainingOptions first = options();
  train(first);
  PretrainingOptions more = options();
  more.max_steps = 11;
  train(more);
  EXPECT_EQ(checkpoints(), (Numbers{6, 8, 11}));
  const CheckpointState state = read_checkpoint_state(path("out/ckpt_11.pt"));
  EXPECT_EQ(setting(state.run->settings, "max_steps"), "11");
  EXPECT_EQ(state.run->rows_consumed, 11 * 6);
  // The new steps are the same when they are done again from step 8.
  const std::vector<float> end = state_of(path("out/ckpt_11.pt"));
  std::filesystem::remove(path("out/ckpt_11.pt"));
  train(more);
  EXPECT_TRUE(state_of(path("out/ckpt_11.pt")) == end);
  EXPECT_NE(error_of(first).find("max_steps is 8 here, 11 there"), std::string::npos)
      << "fewer steps than before are another run";
}

TEST_F(PretrainingRunTest, AMicroBatchThatDoesNotFitInMemoryNamesTheStepsThatWould) {
  PretrainingOptions large = options();
  large.train_batch_size = int64_t{1} << 22;
  large.gradient_accumulation_steps = 1;
  const std::string error = error_of(large);
  EXPECT_NE(error.find("GB more are needed"), std::string::npos) << error;
  EXPECT_NE(error.find("a micro-batch has 4194304 rows"), std::string::npos) << error;
  const size_t at = error.find("--gradient-accumulation-steps=");
  ASSERT_NE(at, std::string::npos) << error;
  EXPECT_GT(std::stoll(error.substr(at + 30)), 1) << error;
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(PretrainingRunTest, AnotherRunsLaterCheckpointsAreNotOverwritten) {
  train(options());
  const std::string before = test::read_all(path("out/ckpt_6.pt"));
  PretrainingOptions other = options();
  other.learning_rate = 0.03;
  other.resume_from_checkpoint = true;
  other.resume_step = 3;
  EXPECT_NE(error_of(other).find("ckpt_8.pt"), std::string::npos);
  EXPECT_EQ(test::read_all(path("out/ckpt_6.pt")), before);
}

TEST_F(PretrainingRunTest, ResumeStepStartsFromAnOlderCheckpoint) {
  train(options());
  const std::vector<float> end = state_of(path("out/ckpt_8.pt"));
  PretrainingOptions back = options();
  back.resume_step = 3;
  std::filesystem::remove(path("out/ckpt_8.pt"));
  train(back);
  EXPECT_TRUE(state_of(path("out/ckpt_8.pt")) == end);
  back.resume_step = 5;
  EXPECT_NE(error_of(back).find("has no ckpt_5.pt"), std::string::npos);
}

TEST_F(PretrainingRunTest, DamagedCheckpointFallsBackToTheOneBefore) {
  train(options("whole"));
  for (const bool cut : {true, false}) {
    const std::string folder = cut ? "cut" : "flipped";
    PretrainingOptions part = options(folder);
    part.steps_this_run = 6;
    train(part);
    if (cut) truncate(folder + "/ckpt_6.pt");
    if (!cut) damage(folder + "/ckpt_6.pt");
    testing::internal::CaptureStdout();  // the default log goes there
    EXPECT_EQ(train(options(folder)), RunEnd::kFinished);
    const std::string said = testing::internal::GetCapturedStdout();
    EXPECT_NE(said.find("ckpt_6.pt is damaged and is passed over"), std::string::npos) << said;
    expect_same_end("whole", folder);
  }
}

TEST_F(PretrainingRunTest, OnlyDamagedCheckpointsAreRejected) {
  train(options());
  for (const int64_t number : checkpoints()) {
    truncate("out/ckpt_" + std::to_string(number) + ".pt");
  }
  EXPECT_NE(error_of(options()).find("no whole checkpoint is left"), std::string::npos);
  EXPECT_EQ(checkpoints(), (Numbers{3, 6, 8}));
}

TEST_F(PretrainingRunTest, NonFiniteStepIsSkippedAndCounted) {
  MeddlingDevice device;
  device.spoil_from = 4;
  device.spoil_to = 5;
  EXPECT_EQ(train(options(), device), RunEnd::kFinished);
  const CheckpointState state = read_checkpoint_state(path("out/ckpt_8.pt"));
  EXPECT_EQ(state.run->skipped_steps, 1);
  EXPECT_EQ(state.run->rows_consumed, 9 * 6);
  for (const float value : state_of(path("out/ckpt_8.pt"))) ASSERT_TRUE(std::isfinite(value));
  EXPECT_EQ(logged("out", "skipped_steps").size(), 1U);
}

TEST_F(PretrainingRunTest, FiveNonFiniteStepsInARowEndTheRun) {
  MeddlingDevice device;
  device.spoil_from = 3 * 4;
  device.spoil_to = 1000;
  const std::string error = error_of([&] { train(options(), device); });
  EXPECT_NE(error.find("5 steps in a row"), std::string::npos) << error;
  EXPECT_EQ(checkpoints(), (Numbers{3}));
  const std::vector<float> kept = state_of(path("out/ckpt_3.pt"));
  EXPECT_TRUE(std::all_of(kept.begin(), kept.end(), [](float x) { return std::isfinite(x); }));
  // Four in a row, then a good one, then four again do not.
  MeddlingDevice patient;
  patient.spoil_from = 0;
  patient.spoil_to = 3 * 4;
  EXPECT_EQ(train(options("patient"), patient), RunEnd::kFinished);
}

TEST_F(PretrainingRunTest, NonFiniteWeightsAreNotSaved) {
  PretrainingOptions wild = options();
  wild.learning_rate = 1e39;  // infinite in float: the first update leaves no finite weight
  wild.num_steps_per_checkpoint = 1;
  EXPECT_NE(error_of(wild).find("not finite"), std::string::npos);
  EXPECT_EQ(checkpoints(), Numbers{});
}

/// Calls body(first element, size) for the part of state_of that each parameter has.
template <typename Body>
void for_each_parameter(const Body& body) {
  const bert::ParameterTable table(tiny_config(), bert::Heads::for_pretraining());
  size_t at = 0;
  for (const bert::Parameter& parameter : table.parameters()) {
    const auto size = static_cast<size_t>(parameter.size());
    body(at, size);
    at += 3 * size;
  }
}

TEST_F(PretrainingRunTest, StartsFromGivenWeightsWithOrWithoutMoments) {
  train(options("before"));
  const bert::ParameterTable table(tiny_config(), bert::Heads::for_pretraining());
  const bert::WeightFile file(path("before/ckpt_8.pt"));
  const bert::ExportModel model = bert::export_model(file, table, tiny_config(), {});
  bert::write_recipe_weights(path("weights.pt"), model);
  std::filesystem::create_directories(path("hugging_face"));
  bert::write_hugging_face(path("hugging_face"), model);

  const std::vector<float> given = state_of(path("before/ckpt_8.pt"));
  const std::vector<float> after = state_after_step(path("before/ckpt_8.pt"));
  const std::vector<float> anew = state_after_step(path("weights.pt"));
  EXPECT_TRUE(state_after_step(path("hugging_face")) == anew);
  ASSERT_EQ(after.size(), given.size());
  ASSERT_EQ(anew.size(), given.size());
  for_each_parameter([&](size_t at, size_t size) {
    for (size_t i = at; i < at + size; ++i) {
      ASSERT_EQ(after[i], given[i]) << i;
      ASSERT_EQ(anew[i], given[i]) << i;
      // From zero: the share of the gradient alone, g / 10 and g² / 1000.
      const float m = anew[i + size];
      const float v = anew[i + 2 * size];
      ASSERT_NEAR(double{v}, 0.1 * m * m, 1e-5 * double{v} + 1e-30) << i;
      // From those given: the same gradient, rounded as the update rounds it.
      ASSERT_EQ(after[i + size], given[i + size] * 0.9F + m) << i;
      ASSERT_EQ(after[i + 2 * size], given[i + 2 * size] * 0.999F + v) << i;
    }
  });
  EXPECT_NE(after, anew);
}

TEST_F(PretrainingRunTest, RecipeCheckpointContinuesAtTheNextShardOfItsList) {
  // A checkpoint as the recipe leaves it: no entry of ours, paths of another machine.
  PretrainingOptions part = options();
  part.steps_this_run = 3;
  train(part);
  cpu::CpuDevice device;
  const bert::Config config = tiny_config();
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, true);
  TrainerSettings settings;
  settings.limits = {.tokens = 32, .sequences = 2, .masked = 6};
  PretrainingTrainer trainer(device, config, store, settings);
  load_checkpoint(path("out/ckpt_3.pt"), store, trainer.optimizer());
  CheckpointState state;
  state.step = 3;
  state.files = {"/ceph/x_training_2.hdf5", "/ceph/x_training_0.hdf5", "/ceph/x_training_1.hdf5"};
  state.file_index = 1;
  state.epoch = 2;
  std::filesystem::create_directories(path("recipe"));
  save_checkpoint(path("recipe/ckpt_3.pt"), store, trainer.optimizer(), state, {});
  PretrainingOptions next = options("recipe");
  next.resume_from_checkpoint = true;
  next.steps_this_run = 4;
  train(next);
  const CheckpointState after = read_checkpoint_state(path("recipe/ckpt_4.pt"));
  // Shards of 7, 9 and 11 rows; the epoch's last two are 0 and 1; a step reads six rows.
  EXPECT_EQ(after.run->rows_consumed, 2 * 27 + 11 + 6);
  EXPECT_EQ(after.epoch, 2);
  EXPECT_EQ(after.files, (std::vector<std::string>{path("data/x_training_2.hdf5"),
                                                   path("data/x_training_0.hdf5"),
                                                   path("data/x_training_1.hdf5")}));
  EXPECT_EQ(after.file_index, 2);
  // The rest of that epoch keeps the order over a stop of ours.
  std::filesystem::copy(path("recipe"), path("stopped"), std::filesystem::copy_options::recursive);
  next.steps_this_run = -1;
  train(next);
  PretrainingOptions stopped = next;
  stopped.output_dir = path("stopped");
  stopped.json_summary = path("stopped/dllogger.json");
  stopped.steps_this_run = 6;
  train(stopped);
  stopped.steps_this_run = -1;
  train(stopped);
  expect_same_end("recipe", "stopped");
}

TEST_F(PretrainingRunTest, FaultyShardEndsTheRunAfterACheckpoint) {
  PretrainingOptions run = options("order");
  run.steps_this_run = 1;
  train(run);
  // The epoch's last shard gets an id past the vocabulary.
  const std::string last = read_checkpoint_state(path("order/ckpt_1.pt")).files.back();
  const dataset::ShardShape shape = dataset::read_shard_shape(last);
  dataset::write_shard(
      last, shape,
      [](int64_t, const dataset::ShardRow& out) {
        out.input_ids[0] = 99;
        out.input_mask[0] = 1;
      },
      1);
  run = options();
  run.num_steps_per_checkpoint = 100;
  const std::string error = error_of(run);
  EXPECT_NE(error.find(last), std::string::npos) << error;
  const int64_t steps = (27 - shape.rows) / 6;  // whole ones before that shard
  ASSERT_EQ(checkpoints(), Numbers{steps});
  const std::string saved = path("out/ckpt_" + std::to_string(steps) + ".pt");
  EXPECT_EQ(read_checkpoint_state(saved).run->rows_consumed, steps * 6);
}

TEST_F(PretrainingRunTest, OneShardSmallerThanAMicroBatchTrains) {
  std::filesystem::remove(path("data/x_training_0.hdf5"));
  std::filesystem::remove(path("data/x_training_2.hdf5"));
  add_shard(1, 3);
  PretrainingOptions run = options();
  run.train_batch_size = 15;  // micro-batches of five rows
  EXPECT_EQ(train(run), RunEnd::kFinished);
  EXPECT_EQ(read_checkpoint_state(path("out/ckpt_8.pt")).run->rows_consumed, 8 * 15);
}

TEST_F(PretrainingRunTest, AccumulationOfPackedRowsIsLogged) {
  const std::vector<std::string> files = dataset::find_shards(path("data"));
  dataset::PackOptions packing_options;
  packing_options.row_length = 16;
  packing_options.max_predictions = 9;
  const dataset::SequenceLengths lengths(files, packing_options.row_length, 1);
  const dataset::Packing packing = dataset::pack_histogram(lengths.histogram(), 3);
  dataset::write_packed(files, lengths, packing, packing_options, path("packed"));
  io::write_file(dataset::packing_metadata_path(path("packed")),
                 dataset::packing_metadata(packing));
  PretrainingOptions run = options();
  run.input_dir = path("packed");
  run.train_batch_size = 12;
  run.gradient_accumulation_steps = 6;
  run.max_predictions_per_seq = packing_options.max_predictions;
  run.max_steps = 1;
  train(run);
  settle_packed(run, *dataset::read_sequences_a_row(run.input_dir));
  ASSERT_LT(run.gradient_accumulation_steps, 6);
  const std::string wanted =
      fmt::format("Namespace(gradient_accumulation_steps={})", run.gradient_accumulation_steps);
  EXPECT_NE(test::read_all(run.json_summary).find(wanted), std::string::npos) << wanted;
}

TEST_F(PretrainingRunTest, RowsWithMoreMaskedTokensThanTheOptionTrain) {
  PretrainingOptions run = options();
  run.max_predictions_per_seq = 1;  // rows with a position 0 are read up to there
  EXPECT_EQ(train(run), RunEnd::kFinished);
}

TEST_F(PretrainingRunTest, HeldOutShardsAreEvaluated) {
  write_tiny_shard(path("data/x_test_0.hdf5"), 5, 32, 9);
  PretrainingOptions run = options();
  run.eval_dir = path("data");
  run.eval_interval = 4;
  EXPECT_EQ(train(run), RunEnd::kFinished);
  const auto losses = logged("out", "eval_mlm_loss");
  ASSERT_EQ(losses.size(), 2U);
  EXPECT_NEAR(losses[0].get<double>(), std::log(40.0), 1.5);
  // Evaluation does not change the training.
  train(options("plain"));
  EXPECT_TRUE(state_of(path("out/ckpt_8.pt")) == state_of(path("plain/ckpt_8.pt")));
}

TEST_F(PretrainingRunTest, Bf16Trains) {
  MeddlingDevice device;
  if (!device.has_bf16()) GTEST_SKIP() << "no bf16 products on this machine";
  PretrainingOptions run = options();
  run.bf16 = true;
  EXPECT_EQ(train(run, device), RunEnd::kFinished);
  train(options("full"));
  const auto rounded = logged("out", "step_loss");
  const auto full = logged("full", "step_loss");
  ASSERT_EQ(rounded.size(), full.size());
  EXPECT_NEAR(rounded[0].get<double>(), full[0].get<double>(), 0.05);
  EXPECT_NE(rounded, full);
}

TEST_F(PretrainingRunTest, Bf16ResumeHasTheSameBits) {
  MeddlingDevice device;
  if (!device.has_bf16()) GTEST_SKIP() << "no bf16 products on this machine";
  PretrainingOptions run = options("whole");
  run.bf16 = true;
  train(run, device);
  PretrainingOptions part = run;
  part.output_dir = path("parts");
  part.json_summary = path("parts/dllogger.json");
  part.steps_this_run = 5;
  train(part);
  part.steps_this_run = -1;
  train(part);
  expect_same_end("whole", "parts");
}

}  // namespace
}  // namespace bertha::train
