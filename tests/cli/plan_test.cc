// bertha plan against what it says it is: memory counted from the same buffers as a run's, time
// from operations and the named card's rate.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bert/config.h"
#include "bert/parameters.h"
#include "cli/commands.h"
#include "core/error.h"
#include "train/planned_device.h"
#include "train/pretraining_trainer.h"

namespace bertha::cli {
namespace {

constexpr double kPrinted = 0.0051;  ///< half of the last digit printed

class Plan : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            (std::string("bertha_plan_") +
             testing::UnitTest::GetInstance()->current_test_info()->name() + ".json");
    std::ofstream(path_) << R"({"vocab_size": 30522, "hidden_size": 1024, "num_hidden_layers": 24,
      "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 512,
      "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
      "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02})";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string plan(std::vector<std::string> options) const {
    options.insert(options.begin(), "--config_file=" + path_.string());
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_plan(options), 0);
    return testing::internal::GetCapturedStdout();
  }
  /// The number after `what` in the plan.
  static double number(const std::string& text, const std::string& what) {
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what << " in\n" << text;
    return at == std::string::npos ? NAN : std::stod(text.substr(at + what.size()));
  }
  bert::Config config() const { return bert::load_config(path_.string()).padded(); }

  std::filesystem::path path_;
};

/// What a run with bf16 products, 8 sequences of 128 and 20 predictions takes, the trainer's arena
/// measured by its own dry run.
TEST_F(Plan, MemoryIsTheBuffersOfARun) {
  const std::string text = plan({"--micro_batch=8", "--autocast"});
  train::PlannedDevice device;
  bert::ParameterStore store(device, config(), bert::Heads::for_pretraining(), DType::kBF16, true);
  train::TrainerSettings settings;
  settings.compute = DType::kBF16;
  settings.limits = {.tokens = 8 * 128, .sequences = 8, .masked = 8 * 20};
  const train::PretrainingTrainer trainer(device, config(), store, settings);
  const auto flat = static_cast<double>(store.table().flat_size());
  // f32 weights and gradients, bf16 weights; then two f32 moments.
  EXPECT_NEAR(number(text, "parameters and gradients"), flat * 10e-9, 2 * kPrinted);
  EXPECT_NEAR(number(text, "moments, batch, scalars"), flat * 8e-9, 2 * kPrinted);
  EXPECT_NEAR(number(text, "activations"), static_cast<double>(trainer.arena_bytes()) * 1e-9,
              kPrinted);
  EXPECT_NEAR(number(text, "total"),
              static_cast<double>(device.allocated_bytes()) * 1e-9 +
                  number(text, "library and driver (about)"),
              2 * kPrinted);
}

TEST_F(Plan, TimeIsOperationsOverTheCardsRate) {
  const std::string text = plan({"--micro_batch=64", "--autocast", "--card=h100",
                                 "--rate_share=0.4", "--gradient_accumulation_steps=2"});
  // By hand: six operations a weight and token, attention, and the head on 20 rows.
  const double products = 6.0 * 24 * 12 * 1024 * 1024 * 128;
  const double attention = 12.0 * 24 * 1024 * 128 * 128;
  const double head = 6.0 * 20 * (1024.0 * 1024 + 1024.0 * 30528) + 6.0 * 1024 * 1024;
  const double flops = products + attention + head;
  EXPECT_NEAR(number(text, "operations of a sequence"), flops * 1e-9, 0.1);
  const double rate = 0.4 * 989e12 / flops;
  EXPECT_NEAR(number(text, "sequences a second"), rate, 0.1);
  EXPECT_NEAR(number(text, "an update of 128"), 128 / rate, 0.001);
  EXPECT_NE(text.find("estimated"), std::string::npos);
}

TEST_F(Plan, RunningLayersAgainTakesLessMemoryAndMoreTime) {
  const std::string kept = plan({"--autocast"});
  const std::string again = plan({"--autocast", "--checkpoint_activations"});
  EXPECT_LT(number(again, "activations"), number(kept, "activations") / 3);
  EXPECT_NEAR(number(again, "sequences a second"), number(kept, "sequences a second") * 3 / 4, 0.1);
}

TEST_F(Plan, TheRecipesPhasesFit) {
  for (const char* card : {"h100", "h200"}) {
    for (const auto& [batch, length, predictions] :
         {std::tuple("64", "128", "20"), std::tuple("16", "512", "80")}) {
      const std::string text =
          plan({std::string("--card=") + card, "--autocast", std::string("--micro_batch=") + batch,
                std::string("--max_seq_length=") + length,
                std::string("--max_predictions_per_seq=") + predictions});
      EXPECT_NE(text.find(": fits"), std::string::npos) << text;
    }
  }
  const std::string large = plan({"--card=a100-40", "--autocast", "--micro_batch=1024"});
  EXPECT_NE(large.find("does not fit"), std::string::npos) << large;
}

TEST_F(Plan, RefusesWhatIsNoCard) {
  EXPECT_THROW(plan({"--card=gtx"}), Error);
  testing::internal::GetCapturedStdout();
  EXPECT_THROW(plan({"--max_seq_length=513"}), Error);
  testing::internal::GetCapturedStdout();
}

}  // namespace
}  // namespace bertha::cli
