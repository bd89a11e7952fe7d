// bertha plan as a user runs it: the memory must be that of a run's buffers, the time must follow
// from the operations and the rate of the named GPU.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "bert/config.h"
#include "bert/parameters.h"
#include "cli/commands.h"
#include "core/error.h"
#include "plan/planned_device.h"
#include "plan/step_timing.h"
#include "train/pretraining_trainer.h"

namespace bertha::cli {
namespace {

constexpr double kPrinted = 0.0051;  ///< half of the last digit printed

class PlanCommand : public testing::Test {
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
  nlohmann::json plan_json(std::vector<std::string> options) const {
    options.emplace_back("--json");
    const std::string text = plan(std::move(options));
    return nlohmann::json::parse(text.substr(text.find("{\n")));  // what is logged goes before it
  }
  bert::Config config() const { return bert::load_config(path_.string()).padded(); }

  std::filesystem::path path_;
};

/// A run with bf16 products and 8 sequences of 128 tokens and 20 predictions. The trainer measures
/// its arena by a dry run.
TEST_F(PlanCommand, MemoryEqualsTheBuffersOfARun) {
  const std::string text = plan({"--micro_batch=8", "--autocast"});
  plan::PlannedDevice device;
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
                  number(text, "library and driver (about)") + number(text, "graphs (about)"),
              2 * kPrinted);
}

TEST_F(PlanCommand, TimeIsOperationsOverTheRateOfTheGpu) {
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

TEST_F(PlanCommand, RecomputingLayersTakesLessMemoryAndMoreTime) {
  const std::string kept = plan({"--autocast"});
  const std::string again = plan({"--autocast", "--checkpoint_activations"});
  EXPECT_LT(number(again, "activations"), number(kept, "activations") / 3);
  EXPECT_NEAR(number(again, "sequences a second"), number(kept, "sequences a second") * 3 / 4, 0.1);
}

TEST_F(PlanCommand, PhasesOfTheRecipeFitAndALargeMicroBatchDoesNot) {
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

TEST_F(PlanCommand, UnknownGpuAndTooLongSequenceAreRefused) {
  EXPECT_THROW(plan({"--card=gtx"}), Error);
  testing::internal::GetCapturedStdout();
  EXPECT_THROW(plan({"--max_seq_length=513"}), Error);
  testing::internal::GetCapturedStdout();
}

/// By hand: a micro-batch takes half of the GPU's rate, the buckets go over NVLink one after the
/// other, and what ends after the backward pass is exposed.
TEST_F(PlanCommand, ScalingAddsComputationUpdateAndExposedReductions) {
  const auto json =
      plan_json({"--autocast", "--ranks=1,8,1024", "--gradient_accumulation_steps=4"});
  const auto& rows = json["scaling"];
  ASSERT_EQ(rows.size(), 3U);
  const double micro_batch = json["micro_batch_seconds"];
  EXPECT_NEAR(micro_batch, 64 * json["sequence_gflop"].get<double>() * 1e9 / (0.5 * 989e12), 1e-9);
  const double elements = static_cast<double>(
      bert::ParameterTable(config(), bert::Heads::for_pretraining()).flat_size());
  EXPECT_NEAR(rows[1]["sum_seconds"], 1.75 * 4 * elements / 360e9 + 41 * 14 * 3.4e-6, 3e-4);
  for (const auto& row : rows) {
    const double step = row["compute_seconds"].get<double>() + row["update_seconds"].get<double>() +
                        row["sum_seconds"].get<double>() - row["hidden_seconds"].get<double>();
    EXPECT_NEAR(row["step_seconds"], step, 1e-12);
    EXPECT_NEAR(row["compute_seconds"], 4 * micro_batch, 1e-12);
    EXPECT_NEAR(row["sequences_per_second"], 256 * row["ranks"].get<double>() / step, 1e-6);
    EXPECT_LE(row["hidden_seconds"], row["sum_seconds"]);
  }
  EXPECT_EQ(rows[0]["efficiency"], 1);
  EXPECT_LT(rows[2]["efficiency"], rows[1]["efficiency"]);
  EXPECT_GT(rows[2]["efficiency"], json["networks"]["ethernet-10g"][2]);
  EXPECT_EQ(rows[2]["efficiency"], json["networks"]["infiniband-ndr"][2]) << "usual for an h100";
}

TEST_F(PlanCommand, GlobalBatchIsDividedAmongRanks) {
  const auto rows = plan_json({"--ranks=1,8,32", "--global_batch=4096"})["scaling"];
  EXPECT_EQ(rows[0]["gradient_accumulation_steps"], 64);
  EXPECT_EQ(rows[1]["gradient_accumulation_steps"], 8);
  EXPECT_EQ(rows[2]["gradient_accumulation_steps"], 2);
  EXPECT_LT(rows[2]["efficiency"], rows[1]["efficiency"]);
  EXPECT_THROW(plan({"--ranks=3", "--global_batch=4096"}), Error);
  testing::internal::GetCapturedStdout();
}

/// With ZeRO-1 each of 8 ranks has an eighth of the moments. Reductions in bf16 then need a copy of
/// all gradients, and NCCL has buffers of its own.
TEST_F(PlanCommand, MemoryCountsPartitionedStateAndReductions) {
  const auto whole = plan_json({"--ranks=1,8"});
  const auto shared = plan_json({"--ranks=1,8", "--use_zero_optimizer=true"});
  const auto rounded =
      plan_json({"--ranks=1,8", "--use_zero_optimizer=true", "--allreduce-dtype=bf16"});
  const auto memory = [](const nlohmann::json& json, int row) {
    return json["scaling"][static_cast<size_t>(row)]["memory_gb"].get<double>();
  };
  const double elements = static_cast<double>(
      bert::ParameterTable(config(), bert::Heads::for_pretraining()).flat_size());
  EXPECT_EQ(memory(whole, 0), whole["memory"]["total_gb"]);
  EXPECT_GT(memory(whole, 1), memory(whole, 0) + 0.3);
  EXPECT_NEAR(memory(whole, 1) - memory(shared, 1), 8e-9 * elements * 7 / 8, 0.01);
  EXPECT_NEAR(memory(rounded, 1) - memory(shared, 1), 2e-9 * elements, 1e-6);
  EXPECT_EQ(memory(shared, 0), memory(whole, 0)) << "one rank has the whole state";
}

/// Two measurements of an invented machine: the plan finds its links and takes its step times.
TEST_F(PlanCommand, MeasuredFilesReplaceTheEstimates) {
  std::vector<std::string> words = {"--measured"};
  for (const int64_t ranks : {2, 4}) {
    const auto n = static_cast<double>(ranks);
    plan::StepTiming timing;
    timing.device = "made up";
    timing.ranks = ranks;
    timing.shape = {.sequences = 4, .length = 128, .predictions = 20};
    timing.elements = bert::ParameterTable(config(), bert::Heads::for_pretraining()).flat_size();
    timing.bucket_elements = 1 << 20;
    timing.micro_batch_seconds = 2;
    timing.update_seconds = 0.25;
    const auto sum = [n](double bytes) {
      return 2 * (n - 1) * 1e-5 + 2 * (n - 1) / n * bytes / 2e9;
    };
    timing.whole_sum_seconds = sum(4 * static_cast<double>(timing.elements));
    timing.summed_micro_batch_seconds = 2 + timing.whole_sum_seconds;  // nothing hidden
    for (const double bytes : {1e4, 1e6, 1e8}) timing.sums.push_back({ranks, bytes, sum(bytes)});
    words.push_back(path_.string() + std::to_string(ranks));
    std::ofstream(words.back()) << plan::timing_json(timing);
  }
  const std::vector<std::string> files(words.begin() + 1, words.end());
  words.insert(words.end(), {"--ranks=1,4,16", "--ranks_a_node=4"});
  const auto json = plan_json(words);
  EXPECT_NEAR(json["within"]["latency_seconds"], 1e-5, 1e-9);
  EXPECT_NEAR(json["within"]["bytes_per_second"], 2e9, 1e3);
  EXPECT_NEAR(json["within"]["residual"], 0, 1e-6);
  EXPECT_EQ(json["overlap"], 0);
  EXPECT_EQ(json["scaling"][0]["step_seconds"], 2.25);
  EXPECT_EQ(json["scaling"][1]["hidden_seconds"], 0);
  EXPECT_GT(json["scaling"][2]["sum_seconds"], json["scaling"][1]["sum_seconds"]);
  EXPECT_FALSE(json.contains("memory")) << "memory is that of a GPU by its data sheet";

  words.back() = "--svg=" + path_.string() + ".svg";
  const std::string text = plan(words);
  EXPECT_NE(text.find("as measured"), std::string::npos) << text;
  EXPECT_NE(text.find("0 % did"), std::string::npos) << text;
  std::ifstream picture(path_.string() + ".svg");
  const std::string svg{std::istreambuf_iterator<char>(picture), {}};
  EXPECT_TRUE(svg.starts_with("<svg")) << svg.substr(0, 80);
  EXPECT_NE(svg.find("16 ranks"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);

  // A file that is no measurement, and one of another model.
  for (const std::string& file : {path_.string(), files[0]}) {
    std::ofstream(files[1]) << R"({"ranks": 2, "threads": 1, "hosts": 1, "elements": 12})";
    EXPECT_THROW(plan({"--measured", file, files[1]}), Error) << file;
    testing::internal::GetCapturedStdout();
  }
  for (const std::string& file : files) std::filesystem::remove(file);
  std::filesystem::remove(path_.string() + ".svg");
}

TEST_F(PlanCommand, MeasureWritesAFileAndPlansWithIt) {
  std::ofstream(path_) << R"({"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2,
      "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 32,
      "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
      "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02})";
  const std::string file = path_.string() + ".timing";
  const auto json = plan_json({"--measure=" + file, "--micro_batch=2", "--max_seq_length=16",
                               "--max_predictions_per_seq=3", "--measure_steps=2"});
  const plan::StepTiming timing = plan::read_timing(file);
  EXPECT_EQ(timing.ranks, 1);
  EXPECT_EQ(timing.shape, (plan::BatchShape{.sequences = 2, .length = 16, .predictions = 3}));
  EXPECT_GT(timing.micro_batch_seconds, 0);
  EXPECT_GT(timing.update_seconds, 0);
  EXPECT_TRUE(timing.sums.empty()) << "one rank has nothing to reduce";
  EXPECT_EQ(json["micro_batch_seconds"], timing.micro_batch_seconds);
  std::filesystem::remove(file);
}

TEST_F(PlanCommand, TheCpuIsMeasuredAndPlannedFor) {
  std::ofstream(path_) << R"({"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2,
      "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 32,
      "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
      "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02})";
  const std::vector<std::string> options = {"--card=cpu", "--micro_batch=4", "--max_seq_length=16",
                                            "--max_predictions_per_seq=3", "--ranks=1"};
  const auto json = plan_json(options);
  EXPECT_EQ(json["card"], cpu::CpuDevice().description());
  EXPECT_GT(json["micro_batch_seconds"], 0.0);
  EXPECT_LT(json["memory"]["total_gb"], 0.2) << "a small model, and no driver of a GPU";
  EXPECT_NE(plan(options).find("timed on this machine"), std::string::npos);
  EXPECT_THROW(plan({"--card=cpu", "--measure=" + path_.string() + ".timing"}), Error);
  testing::internal::GetCapturedStdout();
}

TEST_F(PlanCommand, UnknownLinksAndWrongNumbersAreRefused) {
  for (const char* wrong : {"--network=string", "--within=string", "--ranks=8,x", "--ranks=0",
                            "--ranks=", "--allreduce-dtype=fp8", "--ranks_a_node=0"}) {
    EXPECT_THROW(plan({wrong}), Error) << wrong;
    testing::internal::GetCapturedStdout();
  }
}

}  // namespace
}  // namespace bertha::cli
