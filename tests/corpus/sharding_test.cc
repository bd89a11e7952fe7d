#include "corpus/sharding.h"

#include <algorithm>

#include "core/error.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

TEST(PlanShards, EqualsTheReferencesDistribution) {
  // The distribution that TextSharding.py makes of these lengths over three training shards and two
  // test shards, with 0.1 of the sentences for tests.
  const std::vector<int64_t> lengths = {5, 3, 9, 1, 4, 4, 7, 2, 8, 6, 1, 1, 3, 2};
  const ShardPlan plan = plan_shards(lengths, {3, 2}, 0.1);
  const std::vector<std::vector<int64_t>> training = {{2, 12, 13, 10}, {8, 5, 7, 3}, {6, 4, 1}};
  const std::vector<std::vector<int64_t>> test = {{9}, {0, 11}};
  EXPECT_EQ(plan.training, training);
  EXPECT_EQ(plan.test, test);
}

TEST(PlanShards, EveryArticleIsPlacedOnceAndShardsAreBalanced) {
  std::vector<int64_t> lengths;
  for (uint32_t state = 7; lengths.size() < 20'000;) {
    state = state * 1664525 + 1013904223;
    lengths.push_back(1 + (state >> 20) % 60 * ((state >> 10) % 40));
  }
  const ShardPlan plan = plan_shards(lengths, {32, 16}, 0.1);
  std::vector<int> seen(lengths.size());
  std::vector<int64_t> sums;
  for (const auto* kind : {&plan.training, &plan.test}) {
    for (const auto& shard : *kind) {
      int64_t sum = 0;
      for (const int64_t article : shard) {
        ++seen[static_cast<size_t>(article)];
        sum += lengths[static_cast<size_t>(article)];
      }
      if (kind == &plan.training) sums.push_back(sum);
    }
  }
  EXPECT_EQ(std::ranges::count(seen, 1), 20'000);
  const auto [least, most] = std::ranges::minmax(sums);
  EXPECT_LT(static_cast<double>(most - least), 0.02 * static_cast<double>(most));
}

TEST(FitShards, FewArticlesGiveFewerShards) {
  EXPECT_EQ(fit_shards({256, 256}, 512, 0.1).test, 256);
  const ShardCounts few = fit_shards({256, 256}, 511, 0.1);
  EXPECT_EQ(few.training, 115);  // of 460 articles
  EXPECT_EQ(few.test, 12);       // of 51
  EXPECT_EQ(fit_shards({256, 256}, 9, 0.1).training, 2);
  EXPECT_EQ(fit_shards({256, 256}, 9, 0.1).test, 1);
  EXPECT_EQ(fit_shards({256, 256}, 2, 0.1).training, 1);
  EXPECT_EQ(fit_shards({256, 256}, 2, 0.1).test, 1);
  EXPECT_EQ(fit_shards({256, 256}, 1, 0.1).training, 1);
  EXPECT_EQ(fit_shards({256, 256}, 1, 0.1).test, 0);
  EXPECT_EQ(fit_shards({4, 0}, 2, 0.1).test, 0);
}

TEST(WriteShards, InvalidUtf8IsNamedWithItsByte) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("a.txt"), "A sentence.\n\nAnother one.\n\n");
  test::write_all(folder.file("b.txt"), "Caf\xe9 is Latin-1.\n");
  const std::vector<std::string> inputs = {folder.file("a.txt"), folder.file("b.txt")};
  try {
    write_shards(inputs, {folder.file(""), "d", {1, 1}, 0.1, 2});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("b.txt: byte 3 is not UTF-8"), std::string::npos)
        << error.what();
  }
}

TEST(WriteShards, BytesDoNotDependOnThreads) {
  test::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j <= i; ++j) text += "Sentence " + std::to_string(j) + " is here. ";
    text += "\n\n";
  }
  test::write_all(folder.file("in.txt"), text);
  std::vector<std::string> first;
  for (const int64_t threads : {1, 2, 8}) {
    ShardOptions options{folder.file(std::to_string(threads)), "d", {5, 2}, 0.1, threads};
    std::filesystem::create_directories(options.output_dir);
    const std::vector<std::string> inputs = {folder.file("in.txt")};
    std::vector<int64_t> reported;
    options.progress = [&](int64_t done, int64_t total) {
      EXPECT_EQ(total, 2 * std::ssize(text));
      reported.push_back(done);
    };
    const ShardTotals totals = write_shards(inputs, options);
    EXPECT_TRUE(std::ranges::is_sorted(reported));
    // Line ends between articles are read once.
    EXPECT_EQ(reported.back(), 2 * std::ssize(text) - 40 * 2);
    EXPECT_EQ(totals.articles, 40);
    EXPECT_EQ(totals.sentences, 820);
    ASSERT_EQ(totals.files.size(), 7U);
    std::vector<std::string> contents;
    for (const std::string& file : totals.files) contents.push_back(test::read_all(file));
    if (first.empty()) first = contents;
    EXPECT_EQ(contents, first) << threads;
  }
  EXPECT_TRUE(first[0].starts_with("Sentence 0 is here.\nSentence 1 is here.\n"));
  EXPECT_TRUE(first[0].ends_with(".\n\n"));
}

TEST(WriteShards, TextWithoutSentencesIsRejected) {
  test::TemporaryFolder folder;
  test::write_all(folder.file("in.txt"), "\n \n");
  const std::vector<std::string> inputs = {folder.file("in.txt")};
  EXPECT_THROW(write_shards(inputs, {folder.file(""), "d", {1, 1}, 0.1, 1}), Error);
}

}  // namespace
}  // namespace bertha::corpus
