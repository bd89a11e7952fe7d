#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"

namespace bertha::optim {
namespace {

struct Point {
  int64_t updates_done;
  double rate;
};

void expect_rates(const Schedule& schedule, const std::vector<Point>& points) {
  check(schedule);
  for (const Point& point : points) {
    EXPECT_EQ(learning_rate(schedule, point.updates_done), point.rate) << point.updates_done;
  }
}

// Rates printed by the recipe's own schedulers.py and optimization.py (float.hex).

TEST(Schedule, PolyRatesEqualTheRecipes) {
  const Schedule ten = {
      .kind = ScheduleKind::kPolyWarmUp, .base_rate = 0.006, .warmup = 0.2843, .total_updates = 10};
  expect_rates(ten, {{0, 0x1.149ed73593c3ep-9},
                     {1, 0x1.149ed73593c3ep-8},
                     {2, 0x1.48fcf4b6047eap-8},
                     {3, 0x1.3095742c0163cp-8},
                     {4, 0x1.160bb2fff6952p-8},
                     {5, 0x1.f1621dea44742p-9},
                     {6, 0x1.aebf1da94402ep-9},
                     {7, 0x1.5fb3fd343878fp-9},
                     {8, 0x1.f1621dea44741p-10},
                     {9, 0}});
  const Schedule phase1 = {.kind = ScheduleKind::kPolyWarmUp,
                           .base_rate = 0.006,
                           .warmup = 0.2843,
                           .total_updates = 7038};
  expect_rates(phase1, {{0, 0x1.9278acdcd45f8p-19},
                        {1, 0x1.9278acdcd45f8p-18},
                        {1999, 0x1.8909d8cfa7655p-8},
                        {2000, 0x1.4ca761425f7b5p-8},
                        {2001, 0x1.4c9eed15f7d7fp-8},
                        {7000, 0x1.c82bb382d42d5p-12},
                        {7036, 0x1.2bf9dbc4b5c7bp-14},
                        {7037, 0}});
  const Schedule phase2 = {.kind = ScheduleKind::kPolyWarmUp,
                           .base_rate = 0.004,
                           .warmup = 0.128,
                           .total_updates = 1563};
  expect_rates(phase2, {{0, 0x1.4f6fddeea375cp-16},
                        {199, 0x1.060f65626fb40p-8},
                        {200, 0x1.e96abb79cd48cp-9},
                        {1561, 0x1.a85da704c15fbp-14},
                        {1562, 0}});
}

TEST(Schedule, PolyRatePastTheEndIsRejected) {
  const Schedule ten = {
      .kind = ScheduleKind::kPolyWarmUp, .base_rate = 0.006, .warmup = 0.2843, .total_updates = 10};
  EXPECT_THROW(learning_rate(ten, 10), Error);
}

TEST(Schedule, LinearRatesEqualSquadFusedAdam) {
  const Schedule squad = {
      .kind = ScheduleKind::kLinearWarmUp, .base_rate = 3e-5, .warmup = 0.1, .total_updates = 7298};
  expect_rates(squad, {{0, 0x1.611b95aaa23a6p-25},
                       {1, 0x1.611b95aaa23a6p-24},
                       {728, 0x1.f6c3c69973fc1p-16},
                       {729, 0x1.f74d187019e5dp-16},
                       {730, 0x1.f7397a7602322p-16},
                       {4000, 0x1.f94b23d682257p-17},
                       {7296, 0x1.39dfa17b3ad89p-28},
                       {7297, 0},
                       {7298, 0},
                       {7387, 0}});
}

TEST(Schedule, LinearRatesFromProgressZeroEqualBertAdam) {
  const Schedule squad = {.kind = ScheduleKind::kLinearWarmUp,
                          .base_rate = 3e-5,
                          .warmup = 0.1,
                          .total_updates = 7298,
                          .offset = 0};
  expect_rates(squad, {{0, 0},
                       {1, 0x1.611b95aaa23a6p-25},
                       {729, 0x1.f6c3c69973fc1p-16},
                       {730, 0x1.f74d187019e5dp-16},
                       {7297, 0x1.39dfa17b3ad89p-28},
                       {7298, 0},
                       {7300, 0}});
}

TEST(Schedule, ConstantAndExtremeWarmupHaveTheirRates) {
  expect_rates({.kind = ScheduleKind::kConstant, .base_rate = 2e-5}, {{0, 2e-5}, {99, 2e-5}});
  const Schedule no_warmup = {
      .kind = ScheduleKind::kLinearWarmUp, .base_rate = 1, .warmup = 0, .total_updates = 4};
  expect_rates(no_warmup, {{0, 0.75}, {3, 0}});
  const Schedule all_warmup = {
      .kind = ScheduleKind::kLinearWarmUp, .base_rate = 1, .warmup = 1, .total_updates = 4};
  expect_rates(all_warmup, {{0, 0.25}, {2, 0.75}, {3, 0}, {9, 0}});
}

TEST(Schedule, InvalidValuesAreRejected) {
  const Schedule good = {.base_rate = 1, .warmup = 0.5, .total_updates = 10};
  check(good);
  Schedule bad = good;
  bad.warmup = 1.5;
  EXPECT_THROW(check(bad), Error);
  bad = good;
  bad.base_rate = -1;
  EXPECT_THROW(check(bad), Error);
  bad = good;
  bad.total_updates = 0;
  EXPECT_THROW(check(bad), Error);
}

}  // namespace
}  // namespace bertha::optim
