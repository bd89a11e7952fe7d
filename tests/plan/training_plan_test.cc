// Plans as typed calls: the numbers behind what `bertha plan` prints.

#include "plan/training_plan.h"

#include <gtest/gtest.h>

#include <string>

#include "bert/parameters.h"
#include "core/error.h"
#include "plan/plan_report.h"
#include "plan/planned_device.h"
#include "plan/scaling_svg.h"
#include "train/pretraining_trainer.h"

namespace bertha::plan {
namespace {

PlanRequest small_request() {
  PlanRequest request;
  request.job.config_file = "config.json";
  request.job.config.vocab_size = 1000;
  request.job.config.hidden_size = 64;
  request.job.config.num_hidden_layers = 3;
  request.job.config.num_attention_heads = 4;
  request.job.config.intermediate_size = 256;
  request.job.config.max_position_embeddings = 64;
  request.job.config = request.job.config.padded();
  request.job.shape = {.sequences = 4, .length = 64, .predictions = 10};
  request.scaling.ranks = {1, 8};
  return request;
}

TEST(TrainingPlan, MemoryIsWhatTheTrainerAllocates) {
  const TrainingJob job = small_request().job;
  PlannedDevice device;
  bert::ParameterStore store(device, job.config, bert::Heads::for_pretraining(), DType::kF32, true);
  train::TrainerSettings settings;
  settings.limits = {.tokens = 4 * 64, .sequences = 4, .masked = 4 * 10};
  const train::PretrainingTrainer trainer(device, job.config, store, settings);
  const MemoryEstimate memory = estimate_memory(job, find_datasheet("h100"), 1);
  EXPECT_NEAR(memory.parameters + memory.optimizer + memory.activations,
              1e-9 * static_cast<double>(device.allocated_bytes()), 1e-12);
  EXPECT_EQ(memory.activations, 1e-9 * static_cast<double>(trainer.arena_bytes()));
  EXPECT_EQ(memory.communication, 0);
  EXPECT_GT(memory.graphs, 0);
  EXPECT_NEAR(memory.total(),
              memory.parameters + memory.optimizer + memory.activations + memory.library +
                  memory.driver + memory.graphs,
              1e-12);
  EXPECT_GT(estimate_memory(job, find_datasheet("h100"), 2).communication, 0);
}

TEST(TrainingPlan, FlopsGrowWithTheSquareOfTheLengthInAttentionOnly) {
  const bert::Config config = small_request().job.config;
  const double once = count_flops(config, 100, 0).encoder;
  const double twice = count_flops(config, 200, 0).encoder;
  EXPECT_NEAR(twice - 2 * once, 12.0 * 3 * 64 * (200.0 * 200 - 2 * 100.0 * 100), 1);
  EXPECT_EQ(count_flops(config, 100, 0).heads, 6.0 * 64 * 64);
}

TEST(TrainingPlan, OneRankHasNoReductionsAndFullEfficiency) {
  const TrainingPlan plan = plan_training(small_request());
  ASSERT_EQ(plan.scaling.rows.size(), 2U);
  const ScalingRow& alone = plan.scaling.rows[0];
  EXPECT_EQ(alone.time.reduction_seconds, 0);
  EXPECT_EQ(alone.efficiency, 1);
  EXPECT_EQ(alone.memory_gb, plan.memory->total());
  EXPECT_LT(plan.scaling.rows[1].efficiency, 1);
  EXPECT_GE(plan.scaling.last_second(), plan.scaling.rows[1].time.buckets.back().end);
  for (const NetworkCurve& curve : plan.scaling.curves) EXPECT_EQ(curve.efficiencies.size(), 2U);
}

TEST(TrainingPlan, ANumberOutOfRangeIsNamed) {
  const auto refused = [](const std::string& part, auto change) {
    PlanRequest request = small_request();
    change(request);
    try {
      plan_training(request);
      ADD_FAILURE() << "not refused: " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused("--micro-batch 0", [](PlanRequest& r) { r.job.shape.sequences = 0; });
  refused("config.json allows 64", [](PlanRequest& r) { r.job.shape.length = 65; });
  refused("--rate-share 1.5", [](PlanRequest& r) { r.assumptions.rate_share = 1.5; });
  refused("--card x", [](PlanRequest& r) { r.gpu = "x"; });
  refused("--within x", [](PlanRequest& r) { r.scaling.within = "x"; });
  refused("--global-batch 5", [](PlanRequest& r) { r.scaling.global_batch = 5; });
}

TEST(TrainingPlan, RankCountsAreNumbersSeparatedByCommas) {
  EXPECT_EQ(parse_rank_counts("1,8,32"), (std::vector<int64_t>{1, 8, 32}));
  for (const char* wrong : {"", "x", "8,x", "0", "8 ", "1.5", "99999999"}) {
    EXPECT_THROW(parse_rank_counts(wrong), Error) << wrong;
  }
}

TEST(TrainingPlan, ReportsShowEveryRow) {
  const TrainingPlan plan = plan_training(small_request());
  const std::string text = plan_text(plan, false);
  EXPECT_EQ(text.find("█"), std::string::npos);
  EXPECT_NE(plan_text(plan, true).find("█"), std::string::npos);
  EXPECT_NE(text.find("8 ranks |"), std::string::npos) << text;
  EXPECT_NE(scaling_svg(plan.scaling).find("8 ranks"), std::string::npos);
  EXPECT_NE(plan_json(plan).find("\"ranks\": 8"), std::string::npos);
}

}  // namespace
}  // namespace bertha::plan
