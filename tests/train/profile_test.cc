#include "core/profile.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>

#include "runlog/profile_table.h"
#include "train/tiny_run.h"

namespace bertha::train {
namespace {

using Clock = std::chrono::steady_clock;

void spend(double seconds) {
  const auto start = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - start).count() < seconds) {
  }
}

TEST(Profile, CountsTimeInsideAnotherOpOnce) {
  cpu::CpuDevice device;
  Profile profile;
  device.set_profile(&profile);
  const auto start = Clock::now();
  for (int i = 0; i < 2; ++i) {
    const Timed outer(device, "outer", [] { return Cost{.flops = 6, .bytes = 4}; });
    const Timed inner(device, "inner", [] { return Cost{}; });
    spend(0.003);
  }
  const double passed = std::chrono::duration<double>(Clock::now() - start).count();
  ASSERT_EQ(profile.entries().size(), 2U);
  const Profile::Entry& inner = profile.entries()[0];
  const Profile::Entry& outer = profile.entries()[1];
  EXPECT_EQ(inner.name, "inner");
  EXPECT_EQ(inner.calls, 2);
  EXPECT_GE(inner.seconds, 0.006);
  EXPECT_EQ(outer.name, "outer");
  EXPECT_EQ(outer.flops, 12);
  EXPECT_EQ(outer.bytes, 8);
  EXPECT_LE(profile.seconds(), passed);
}

TEST(Profile, AsksNothingOfOpsWithoutOne) {
  const cpu::CpuDevice device;
  bool asked = false;
  {
    const Timed timed(device, "op", [&] {
      asked = true;
      return Cost{};
    });
  }
  EXPECT_FALSE(asked);
}

using ProfileTest = TinyRun;

TEST_F(ProfileTest, KnowsTheOpsOfAStepAndChangesNothing) {
  train(options("without"));
  MeddlingDevice device;
  Profile profile;
  device.set_profile(&profile);
  train(options("with"), device);
  expect_same_end("with", "without");

  std::map<std::string, Profile::Entry> entries;
  for (const Profile::Entry& entry : profile.entries()) entries.emplace(entry.name, entry);
  constexpr int64_t kMicroBatches = 8 * 3;
  // Four matrices in each of two layers; transform, decoder, pooler and next sentence.
  EXPECT_EQ(entries["linear"].calls, kMicroBatches * (4 * 2 + 4));
  EXPECT_EQ(entries["linear, d_w"].calls, entries["linear"].calls);
  EXPECT_EQ(entries["attention"].calls, kMicroBatches * 2);
  EXPECT_EQ(entries["attention, backward"].flops, 2.5 * entries["attention"].flops);
  EXPECT_EQ(entries["embedding"].calls, kMicroBatches);
  EXPECT_EQ(entries["cross entropy"].calls, kMicroBatches * 2);
  EXPECT_EQ(entries["LAMB"].calls, 8);
}

TEST(ProfileTable, ListsTheLongestOpFirstWithItsNearestBound) {
  cpu::CpuDevice device;
  Profile profile;
  device.set_profile(&profile);
  {
    const Timed timed(device, "brief", [] { return Cost{.bytes = 1'000}; });
  }
  {
    const Timed timed(device, "long", [] { return Cost{.flops = 1'000'000, .bytes = 8}; });
    spend(0.002);
  }
  const std::string table = runlog::profile_table(profile, 1, {.gflops = 1, .gbytes_per_s = 1});
  const std::string line = table.substr(table.find("\nlong") + 1);
  EXPECT_LT(table.find("\nlong"), table.find("\nbrief")) << table;
  EXPECT_NE(line.substr(0, line.find('\n')).find("FMA "), std::string::npos) << table;
  EXPECT_NE(table.substr(table.find("\nbrief")).find("bytes "), std::string::npos) << table;
  EXPECT_EQ(runlog::profile_table(profile, 1).find("FMA"), std::string::npos);
}

}  // namespace
}  // namespace bertha::train
