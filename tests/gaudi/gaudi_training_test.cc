// Training and prediction on the Gaudi backend beside the CPU: a hundred steps, batches of changing
// shapes and how many graphs they take, a run that is stopped and continued, recipes on disk.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "accelerator/tiny_run.h"
#include "accelerator/under_test.h"
#include "backend/cpu/cpu_device.h"
#include "backend/gaudi/gaudi_device.h"
#include "backend/gaudi/recipe_cache.h"
#include "bert/question_answering.h"
#include "infer/predictor.h"
#include "support/compare.h"
#include "support/files.h"

namespace bertha::train {
namespace {

using test::TinyRun;

/// One to three sequences, of lengths that change from batch to batch.
PretrainingBatch make_batch(uint64_t number) {
  return test::ragged_batch(number, 3, 6, 16);
}

const gaudi::RecipeCache& recipes_of(Device& device) {
  return static_cast<gaudi::GaudiDevice&>(device).recipes();
}

TEST(GaudiTraining, HundredStepsFollowTheCpu) {
  constexpr int64_t kSteps = 100;
  cpu::CpuDevice host;
  const std::vector<double> expected = TinyRun(host).train(0, kSteps, make_batch);
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  const std::vector<double> actual = TinyRun(*device).train(0, kSteps, make_batch);
  test::expect_each_close(actual, expected, 0, 2e-3, "losses and norms");
}

/// An epoch of batches of one to eight sequences of 3 to 24 tokens. Hardly two have the same
/// counts of tokens, sequences and masked rows.
TEST(GaudiTraining, AnEpochOfRaggedBatchesTakesFewGraphs) {
  constexpr int64_t kSteps = 60;
  constexpr bert::BatchLimits kLimits = {.tokens = 8 * 24, .sequences = 8, .masked = 8 * 6};
  const auto batch = [](uint64_t number) { return test::ragged_batch(number, 8, 3, 24); };
  std::set<std::tuple<int64_t, int64_t, size_t>> counts;
  for (uint64_t number = 0; number < kSteps; ++number) {
    const PretrainingBatch made = batch(number);
    counts.emplace(made.tokens(), made.sequences(), made.masked_rows.size());
  }
  EXPECT_GT(counts.size(), 55U);
  cpu::CpuDevice host;
  const std::vector<double> expected = TinyRun(host, {}, false, kLimits).train(0, kSteps, batch);
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  const std::vector<double> actual = TinyRun(*device, {}, false, kLimits).train(0, kSteps, batch);
  test::expect_each_close(actual, expected, 0, 2e-3, "losses and norms");
  int64_t of_micro_batches = 0;
  for (const gaudi::Compilation& graph : recipes_of(*device).compilations()) {
    if (graph.name == "first micro-batch") ++of_micro_batches;
  }
  EXPECT_LE(of_micro_batches, 20);
  EXPECT_LE(recipes_of(*device).compiled() - of_micro_batches, 6) << "the update, and zeroing";
}

TEST(GaudiTraining, ActivationsMadeAgainGiveTheSame) {
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  const std::vector<double> kept = TinyRun(*device).train(0, 3, make_batch);
  const std::vector<double> again = TinyRun(*device, {}, true).train(0, 3, make_batch);
  test::expect_each_close(again, kept, 0, 1e-6, "losses and norms");
}

TEST(GaudiTraining, ContinuedRunHasTheSameBits) {
  std::vector<std::vector<float>> expected;
  std::vector<std::vector<float>> halfway;
  {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    TinyRun whole(*device);
    whole.train(0, 3, make_batch);
    halfway = whole.state();
    whole.train(3, 6, make_batch);
    expected = whole.state();
  }
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  TinyRun continued(*device);
  continued.set_state(halfway);
  continued.train(3, 6, make_batch);
  EXPECT_EQ(continued.state(), expected);
}

/// Logits of question answering of a few batches, each of another shape.
std::vector<float> logits_on(Device& device) {
  const bert::Config config = test::tiny_config();
  bert::Heads heads;
  heads.question_answering = true;
  bert::ParameterStore store(device, config, heads, DType::kF32, false);
  store.initialise(bert::InitStyle::kRecipe, config, 4);
  bert::QuestionAnsweringModel model(config, store);
  infer::TaskPass pass("answer", model);
  infer::Predictor predictor(device, DType::kF32, pass, {.tokens = 96, .sequences = 3});
  std::vector<float> logits;
  for (uint64_t number = 0; number < 6; ++number) {
    const std::span<const float> of_batch = predictor.run(make_batch(number));
    logits.insert(logits.end(), of_batch.begin(), of_batch.end());
  }
  return logits;
}

TEST(GaudiPrediction, IsThatOfTheCpu) {
  cpu::CpuDevice host;
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  test::expect_close(logits_on(*device), logits_on(host), 1e-5, "logits");
}

TEST(GaudiPrediction, RecipesOnDiskTakeThePlaceOfCompiling) {
  const test::TemporaryFolder folder;
  setenv("BERTHA_GAUDI_RECIPES", folder.path().c_str(), 1);
  const auto predict = [] {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    const std::vector<float> logits = logits_on(*device);
    const gaudi::RecipeCache& recipes = recipes_of(*device);
    return std::tuple(logits, recipes.compiled(), recipes.loaded());
  };
  const auto [first, first_compiled, first_loaded] = predict();
  EXPECT_GT(first_compiled, 0);
  EXPECT_EQ(first_loaded, 0);
  const auto [second, second_compiled, second_loaded] = predict();
  EXPECT_EQ(second, first);
  EXPECT_EQ(second_compiled, 0);
  EXPECT_EQ(second_loaded, first_compiled);
  // A file that is cut off is no reason to fail.
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    std::filesystem::resize_file(file, 7);
  }
  const auto [third, third_compiled, third_loaded] = predict();
  EXPECT_EQ(third, first);
  EXPECT_EQ(third_compiled, first_compiled);
  setenv("BERTHA_GAUDI_RECIPES", "0", 1);
}

TEST(GaudiPrediction, GraphsAreWrittenAsJson) {
  const test::TemporaryFolder folder;
  setenv("BERTHA_GAUDI_GRAPHS", folder.path().c_str(), 1);
  logits_on(*test::accelerator().open(0));
  unsetenv("BERTHA_GAUDI_GRAPHS");
  int64_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    const std::string json = test::read_all(file.path().string());
    EXPECT_NE(json.find("\"guid\":\"batch_gemm\""), std::string::npos);
    ++files;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace bertha::train
