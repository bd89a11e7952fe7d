#include "dataset/pretraining_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "core/error.h"
#include "support/files.h"

namespace bertha::dataset {
namespace {

/// Shards whose rows are identified by their number over all shards: the masked label is the
/// number, the tokens are (number % 97) + 1, and the length is 3 + number % 6.
class LoaderTest : public testing::Test {
 protected:
  void SetUp() override {
    for (size_t shard = 0; shard < kRows.size(); ++shard) add_shard(shard);
  }

  void add_shard(size_t shard) {
    const int64_t first =
        std::accumulate(kRows.begin(), kRows.begin() + static_cast<int64_t>(shard), int64_t{0});
    files_.push_back(folder_.file("x_training_" + std::to_string(shard) + ".hdf5"));
    write_shard(
        files_.back(), {kRows[shard], 8, 2},
        [first](int64_t row, const ShardRow& out) {
          const int64_t number = first + row;
          const auto length = static_cast<size_t>(3 + number % 6);
          std::fill_n(out.input_ids.begin(), length, static_cast<int32_t>(1 + number % 97));
          std::fill_n(out.input_mask.begin(), length, int8_t{1});
          out.masked_lm_positions[0] = 1;
          out.masked_lm_ids[0] = static_cast<int32_t>(number);
        },
        1);
  }

  LoaderOptions options(int64_t micro_batch, int64_t rank = 0, int64_t ranks = 1,
                        int64_t prefetch = 3) const {
    LoaderOptions options;
    options.micro_batch = micro_batch;
    options.rank = rank;
    options.ranks = ranks;
    options.prefetch = prefetch;
    options.limits = {2000, 8, 2};
    return options;
  }

  using Numbers = std::vector<int32_t>;
  static Numbers take(PretrainingLoader& loader, int64_t batches) {
    Numbers numbers;
    for (int64_t i = 0; i < batches; ++i) {
      const PretrainingBatch& batch = loader.next();
      EXPECT_EQ(batch.masked_labels.size(), batch.next_sentence.size());
      for (size_t n = 0; n < batch.masked_labels.size(); ++n) {
        const int32_t number = batch.masked_labels[n];
        const auto begin = static_cast<size_t>(batch.seq_start[n]);
        EXPECT_EQ(batch.seq_start[n + 1] - batch.seq_start[n], 3 + number % 6);
        EXPECT_EQ(batch.ids[begin], 1 + number % 97);
        EXPECT_EQ(batch.masked_rows[n], batch.seq_start[n] + 1);
        numbers.push_back(number);
      }
    }
    return numbers;
  }

  const std::vector<int64_t> kRows = {23, 1, 40, 7,
                                      1100};  // one shard of one row, one of two chunks
  static constexpr int64_t kAll = 1171;
  test::TemporaryFolder folder_;
  std::vector<std::string> files_;
};

TEST_F(LoaderTest, EpochHoldsEveryRowOnce) {
  PretrainingLoader loader(files_, options(1));
  EXPECT_EQ(loader.rows(), kAll);
  EXPECT_EQ(loader.max_seq_length(), 8);
  Numbers identity(static_cast<size_t>(kAll));
  std::iota(identity.begin(), identity.end(), 0);
  const Numbers first = take(loader, kAll);
  const Numbers second = take(loader, kAll);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), identity.begin()));
  EXPECT_TRUE(std::is_permutation(second.begin(), second.end(), identity.begin()));
  EXPECT_NE(first, second);
}

TEST_F(LoaderTest, MicroBatchesContinueAcrossShardsAndEpochs) {
  PretrainingLoader single(files_, options(1));
  const Numbers stream = take(single, 2400);
  PretrainingLoader loader(files_, options(48));  // longer than most shards
  EXPECT_EQ(take(loader, 50), stream);
  EXPECT_EQ(loader.position(), 2400);
}

TEST_F(LoaderTest, BatchesDoNotDependOnPrefetch) {
  PretrainingLoader ahead(files_, options(13, 0, 1, 4));
  PretrainingLoader plain(files_, options(13, 0, 1, 0));
  EXPECT_EQ(take(ahead, 200), take(plain, 200));
}

TEST_F(LoaderTest, DifferentSeedsGiveDifferentOrders) {
  LoaderOptions other = options(10);
  other.seed = 43;
  PretrainingLoader a(files_, options(10));
  PretrainingLoader b(files_, options(10));
  PretrainingLoader c(files_, other);
  const Numbers numbers = take(a, 20);
  EXPECT_EQ(numbers, take(b, 20));
  EXPECT_NE(numbers, take(c, 20));
}

// The order is part of the promise of a checkpoint: it must not change between versions.
TEST_F(LoaderTest, OrderEqualsTheRecordedOrder) {
  PretrainingLoader loader(files_, options(6));
  EXPECT_EQ(take(loader, 1), (Numbers{26, 35, 47, 43, 53, 37}));
}

TEST_F(LoaderTest, RanksTogetherReadTheSameStreamAsOneRank) {
  constexpr int64_t kBatch = 11;
  PretrainingLoader one(files_, options(kBatch));
  const Numbers stream = take(one, 240);
  for (const int64_t ranks : {2, 4}) {
    Numbers joined(stream.size());
    for (int64_t rank = 0; rank < ranks; ++rank) {
      PretrainingLoader loader(files_, options(kBatch, rank, ranks));
      for (int64_t m = 0; m < 240 / ranks; ++m) {
        const Numbers batch = take(loader, 1);
        std::copy(batch.begin(), batch.end(), joined.begin() + (m * ranks + rank) * kBatch);
      }
      EXPECT_EQ(loader.position(), one.position());
    }
    EXPECT_EQ(joined, stream) << ranks << " ranks";
  }
}

TEST_F(LoaderTest, SeekEqualsReadingUpToThePosition) {
  constexpr int64_t kBatch = 17;
  PretrainingLoader runner(files_, options(kBatch));
  std::map<int64_t, Numbers> seen;
  for (int i = 0; i < 160; ++i) {
    const int64_t position = runner.position();
    seen[position] = take(runner, 1);
  }
  PretrainingLoader seeker(files_, options(kBatch));
  for (const int64_t batch : {0, 159, 3, 69, 70, 68, 1}) {
    seeker.seek(batch * kBatch);
    EXPECT_EQ(take(seeker, 1), seen[batch * kBatch]) << "at batch " << batch;
    EXPECT_EQ(seeker.position(), (batch + 1) * kBatch);
  }
}

// Half of the run has two ranks, the rest one: every row must still occur once.
TEST_F(LoaderTest, RankCountMayChangeDuringAnEpoch) {
  PretrainingLoader one(files_, options(10));
  const Numbers stream = take(one, 40);
  PretrainingLoader left(files_, options(10, 0, 2));
  PretrainingLoader right(files_, options(10, 1, 2));
  Numbers numbers;
  for (int i = 0; i < 10; ++i) {
    for (PretrainingLoader* loader : {&left, &right}) {
      const Numbers batch = take(*loader, 1);
      numbers.insert(numbers.end(), batch.begin(), batch.end());
    }
  }
  PretrainingLoader rest(files_, options(10));
  rest.seek(left.position());
  const Numbers last = take(rest, 20);
  numbers.insert(numbers.end(), last.begin(), last.end());
  EXPECT_EQ(numbers, stream);
}

TEST_F(LoaderTest, ShardSmallerThanAMicroBatchIsRepeated) {
  PretrainingLoader loader({files_[3]}, options(16));
  const Numbers numbers = take(loader, 7);  // 112 rows: 16 epochs of 7
  std::map<int32_t, int> counts;
  for (const int32_t number : numbers) ++counts[number];
  EXPECT_EQ(counts.size(), 7U);
  for (const auto& [number, count] : counts) EXPECT_EQ(count, 16) << number;
  PretrainingLoader plain({files_[3]}, options(16, 0, 1, 0));
  EXPECT_EQ(take(plain, 7), numbers);
}

TEST_F(LoaderTest, StateNamesEpochAndShards) {
  PretrainingLoader loader(files_, options(1));
  loader.seek(kAll + 5);
  const LoaderState state = loader.state();
  EXPECT_EQ(state.position, kAll + 5);
  EXPECT_EQ(state.epoch, 1);
  EXPECT_TRUE(
      std::is_permutation(state.files.begin(), state.files.end(), files_.begin(), files_.end()));
  // The next row is in the file that the state names.
  const int32_t number = take(loader, 1).front();
  const auto shard = static_cast<size_t>(
      std::ranges::find(files_, state.files[static_cast<size_t>(state.file_index)]) -
      files_.begin());
  int64_t first =
      std::accumulate(kRows.begin(), kRows.begin() + static_cast<int64_t>(shard), int64_t{0});
  EXPECT_GE(number, first);
  EXPECT_LT(number, first + kRows[shard]);
}

// In the steady state a batch is made in memory that was allocated before.
TEST_F(LoaderTest, BatchesReuseTheirMemory) {
  PretrainingLoader loader(files_, options(16, 0, 1, 2));
  std::map<const void*, const void*> storage;
  for (int i = 0; i < 100; ++i) {
    const PretrainingBatch& batch = loader.next();
    const auto [known, fresh] = storage.try_emplace(&batch, batch.ids.data());
    EXPECT_TRUE(fresh || known->second == batch.ids.data());
  }
  EXPECT_EQ(storage.size(), 3U);
}

TEST_F(LoaderTest, FaultyShardIsReportedByNext) {
  write_shard(
      files_[4], {1100, 8, 2},
      [](int64_t, const ShardRow& out) {
        out.input_mask[0] = 1;
        out.input_ids[0] = 5000;  // outside the vocabulary
      },
      1);
  for (const int64_t prefetch : {0, 3}) {
    PretrainingLoader loader(files_, options(8, 0, 1, prefetch));
    EXPECT_THROW(take(loader, kAll), Error);
    EXPECT_THROW(loader.next(), Error) << "again";
  }
}

TEST_F(LoaderTest, DestructionDuringPrefetchIsSafe) {
  for (int i = 0; i < 20; ++i) {
    PretrainingLoader loader(files_, options(8));
    take(loader, i % 3);
    if (i % 2 == 0) loader.seek(i * 8);
  }
}

TEST_F(LoaderTest, ShardsAreFoundByName) {
  for (const char* name : {"x_test_0.hdf5", "x_test_10.hdf5", "notes.txt", "x_training_0.txt"}) {
    test::write_all(folder_.file(name), "");
  }
  EXPECT_EQ(find_shards(folder_.path()), files_);
  EXPECT_EQ(find_test_shards(folder_.path()),
            (std::vector{folder_.file("x_test_0.hdf5"), folder_.file("x_test_10.hdf5")}));
  const test::TemporaryFolder empty;
  EXPECT_THROW(find_shards(empty.path()), Error);
  EXPECT_THROW(find_shards(empty.file("none")), Error);
  EXPECT_THROW(PretrainingLoader({}, options(1)), Error);
  const test::TemporaryFolder above;
  std::filesystem::create_directory(above.file("training"));
  std::filesystem::copy(files_[0], above.file("training/a_training_0.hdf5"));
  try {
    find_shards(above.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("; there are some in " + above.file("training")),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace bertha::dataset
