#include "dataset/packing/packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "core/philox.h"
#include "dataset/hdf5_shard.h"
#include "dataset/packing/nnls.h"
#include "dataset/packing/pack_shards.h"
#include "dataset/pretraining_loader.h"
#include "dataset/shard_survey.h"
#include "io/raw_hdf5.h"
#include "support/files.h"

namespace bertha::dataset {
namespace {

/// Lengths as in a corpus: many full rows, the others of any length.
std::vector<int64_t> corpus_histogram(size_t row_length, int64_t sequences, uint64_t stream) {
  PhiloxStream random(7, stream);
  std::vector<int64_t> histogram(row_length + 1, 0);
  for (int64_t i = 0; i < sequences; ++i) {
    const bool full = random.below(3) == 0;
    ++histogram[full ? row_length : 5 + random.below(row_length - 5)];
  }
  return histogram;
}

std::vector<int64_t> lengths_of(const Packing& packing) {
  std::vector<int64_t> histogram(static_cast<size_t>(packing.row_length) + 1, 0);
  for (const Pack& pack : packing.packs) {
    for (const int32_t length : pack.lengths) histogram[static_cast<size_t>(length)] += pack.rows;
  }
  return histogram;
}

// All strategies in the reference's order, by plain recursion.
void list_strategies(int32_t left, int32_t least, int64_t slots, Strategy& begun,
                     std::vector<Strategy>& all) {
  if (slots == 0) return;
  for (int32_t slot = least; slot <= left; ++slot) {
    begun.push_back(slot);
    if (slot == left) all.push_back(begun);
    if (slot < left) list_strategies(left - slot, slot, slots - 1, begun, all);
    begun.pop_back();
  }
}

// The Karush-Kuhn-Tucker conditions characterize the minimum: the gradient is 0 for strategies in
// use and at most 0 for all others.
TEST(Mixture, IsTheMinimumOverAllStrategies) {
  for (const int64_t slots : {1, 2, 3, 4}) {
    PhiloxStream random(3, static_cast<uint64_t>(slots));
    std::vector<double> wanted(41, 0);
    std::vector<double> weights(41, 1);
    for (size_t l = 1; l <= 40; ++l) wanted[l] = static_cast<double>(random.below(1000));
    for (size_t l = 1; l <= 8; ++l) weights[l] = 0.1;
    const auto mixture = solve_mixture(wanted, weights, slots);
    std::vector<double> left = wanted;
    for (const auto& [strategy, rows] : mixture) {
      EXPECT_GT(rows, 0);
      for (const int32_t slot : strategy) left[static_cast<size_t>(slot)] -= rows;
    }
    const auto gradient = [&](const Strategy& strategy) {
      double sum = 0;
      for (const int32_t slot : strategy) {
        sum += weights[static_cast<size_t>(slot)] * left[static_cast<size_t>(slot)];
      }
      return sum;
    };
    for (const auto& [strategy, rows] : mixture) EXPECT_NEAR(gradient(strategy), 0, 1e-6);
    std::vector<Strategy> all;
    Strategy begun;
    list_strategies(40, 1, slots, begun, all);
    for (const Strategy& strategy : all) EXPECT_LE(gradient(strategy), 1e-6);
  }
}

TEST(Packing, StrategyIndexEqualsTheReferences) {
  for (const int64_t slots : {1, 2, 3, 5}) {
    std::vector<Strategy> all;
    Strategy begun;
    list_strategies(24, 1, slots, begun, all);
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(strategy_index(all[i], 24, slots), static_cast<int64_t>(i));
    }
  }
  EXPECT_EQ(strategy_index({512}, 512, 3), 22101);  // the last of the reference's 22,102
}

TEST(Packing, EverySequenceIsPackedAndRowsFit) {
  for (const int64_t count : {1, 2, 7, 99, 1000, 60000}) {
    for (const int64_t slots : {1, 2, 3, 5}) {
      const auto histogram = corpus_histogram(64, count, static_cast<uint64_t>(count));
      const Packing packing = pack_histogram(histogram, slots);
      EXPECT_EQ(lengths_of(packing), histogram) << count << " " << slots;
      EXPECT_EQ(packing.sequences, count);
      for (const Pack& pack : packing.packs) {
        EXPECT_LE(std::ssize(pack.lengths), slots);
        EXPECT_LE(std::accumulate(pack.lengths.begin(), pack.lengths.end(), 0), 64);
        EXPECT_TRUE(std::ranges::is_sorted(pack.lengths));
      }
      if (slots == 1) {
        EXPECT_EQ(packing.rows, count);
      }
    }
  }
}

// A third of the rows is full and the rest is uniform: three slots can fill almost everything.
TEST(Packing, LargeCorpusFillsNearlyEveryPlace) {
  const Packing packing = pack_histogram(corpus_histogram(128, 200000, 1), 3);
  EXPECT_GT(packing.efficiency(), 0.995);
  EXPECT_GT(packing.sequences_a_row(), 0.995 * packing.most_sequences_a_row());
}

TEST(Packing, MetadataHasTheReferencesKeys) {
  std::vector<int64_t> histogram(17, 0);
  histogram[16] = 10;
  histogram[8] = 4;
  const auto json = nlohmann::json::parse(packing_metadata(pack_histogram(histogram, 3)));
  EXPECT_EQ(json.size(), 12U);
  EXPECT_EQ(json["number_of_sequences_dropped"], 0);
  EXPECT_EQ(json["number_of_strategies_utilized"], 2);
  EXPECT_EQ(json["new_number_of_samples"], 12);
  EXPECT_EQ(json["original_number_of_samples"], 14);
  EXPECT_DOUBLE_EQ(json["avg_seq_per_sample"], 14.0 / 12);
  EXPECT_DOUBLE_EQ(json["compression_ratio"], 1 - 12.0 / 14);
  EXPECT_DOUBLE_EQ(json["theoretical_speed_up"], 14.0 / 12);
  EXPECT_EQ(json["padding_tokens_original_dataset"], 32);
  EXPECT_EQ(json["padding_tokens_packed_dataset"], 0.0);
  EXPECT_EQ(json["packing_efficiency"], 1.0);
  EXPECT_EQ(json["top_8_strategies"][0], strategy_index({16}, 16, 3));
  EXPECT_EQ(json["top_8_strategies"][1], strategy_index({8, 8}, 16, 3));
  EXPECT_EQ(packing_metadata_path("/a/b"), "/a/b_metadata.json");
  EXPECT_EQ(packing_metadata_path("/a/b//"), "/a/b_metadata.json");
}

constexpr ShardLimits kLimits{
    .vocab_size = 1 << 20, .max_position = 32, .max_predictions = 10, .strict = true};

/// A sequence as a comparable value.
using Sequence = std::vector<int32_t>;

std::vector<std::vector<Sequence>> rows_of(const std::string& path) {
  const RaggedShard shard = read_shard(path, kLimits);
  std::vector<std::vector<Sequence>> rows;
  for (int64_t row = 0; row < shard.rows(); ++row) {
    PretrainingBatch batch;
    batch.clear();
    shard.append_row(row, batch);
    std::vector<Sequence> sequences;
    for (size_t n = 0; n < static_cast<size_t>(batch.sequences()); ++n) {
      Sequence all = {batch.next_sentence[n]};
      for (auto t = batch.seq_start[n]; t < batch.seq_start[n + 1]; ++t) {
        const auto at = static_cast<size_t>(t);
        all.insert(all.end(), {batch.ids[at], batch.segments[at], batch.positions[at]});
        for (size_t m = 0; m < batch.masked_rows.size(); ++m) {
          if (batch.masked_rows[m] == t) all.push_back(-batch.masked_labels[m]);
        }
      }
      sequences.push_back(std::move(all));
    }
    rows.push_back(std::move(sequences));
  }
  return rows;
}

class PackShardsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_.file("in"));
    add("in/a_training_0.hdf5", 6000, 0);
    add("in/a_training_1.hdf5", 3100, 1);
    files_ = find_shards(folder_.file("in"));
  }

  void add(const std::string& name, int64_t rows, uint64_t stream) {
    write_shard(
        folder_.file(name), {rows, 32, 5},
        [stream](int64_t row, const ShardRow& out) {
          PhiloxStream random(stream, static_cast<uint64_t>(row));
          const size_t length = random.below(4) == 0 ? 32 : 4 + random.below(29);
          for (size_t i = 0; i < length; ++i) {
            // Some ids need more than two bytes.
            out.input_ids[i] = static_cast<int32_t>(random.below(row % 7 == 0 ? 1000000 : 30000));
            out.input_mask[i] = 1;
            out.segment_ids[i] = i < length / 2 ? 0 : 1;
          }
          const size_t masked = std::max<size_t>(1, length * 3 / 20);
          for (size_t i = 0; i < masked; ++i) {
            out.masked_lm_positions[i] = static_cast<int32_t>(1 + i * 2);
            out.masked_lm_ids[i] = static_cast<int32_t>(1 + random.below(30000));
          }
          out.next_sentence_label = static_cast<int8_t>(random.below(2));
        },
        1);
  }

  std::vector<std::string> pack(const std::string& name, PackOptions options = {}) {
    options.row_length = 32;
    options.max_predictions = 5;
    const SequenceLengths lengths(files_, 32, options.threads);
    packing_ = pack_histogram(lengths.histogram(), options.sequences_per_row);
    return write_packed(files_, lengths, packing_, options, folder_.file(name),
                        [this](int64_t done, int64_t total) {
                          progress_ = {done, total};
                        });
  }

  test::TemporaryFolder folder_;
  std::vector<std::string> files_;
  Packing packing_;
  std::pair<int64_t, int64_t> progress_;  ///< the last reported progress
};

TEST_F(PackShardsTest, EverySequenceIsFoundOnceAndUnchanged) {
  std::vector<Sequence> expected;
  for (const std::string& file : files_) {
    for (const auto& row : rows_of(file)) expected.push_back(row.front());
  }
  for (const int64_t slots : {3, 5}) {
    const auto written = pack("out" + std::to_string(slots), {.sequences_per_row = slots});
    const int64_t files = std::ssize(files_) + std::ssize(written);
    EXPECT_EQ(progress_, std::pair(files, files)) << "read and written";
    std::vector<Sequence> found;
    for (size_t i = 0; i < written.size(); ++i) {
      const ShardShape shape = read_shard_shape(written[i]);
      EXPECT_EQ(shape.slots, slots);
      EXPECT_EQ(shape.max_predictions, 5 + slots);
      EXPECT_TRUE(shape.rows == kPackedRowsPerFile || i + 1 == written.size());
      for (const auto& row : rows_of(written[i])) {
        EXPECT_TRUE(std::ranges::is_sorted(row, {}, &Sequence::size) || row.size() > 1);
        found.insert(found.end(), row.begin(), row.end());
      }
    }
    std::vector<Sequence> sorted = expected;
    std::ranges::sort(sorted);
    std::ranges::sort(found);
    EXPECT_TRUE(found == sorted);
    EXPECT_LT(packing_.rows, 9100);
  }
}

TEST_F(PackShardsTest, BytesDependOnlyOnTheSeed) {
  const auto one = pack("one");
  const auto many = pack("many", {.threads = 3, .memory_bytes = 1});
  const auto other = pack("other", {.seed = 1});
  ASSERT_GT(one.size(), 1U);
  ASSERT_EQ(one.size(), many.size());
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(test::read_all(one[i]), test::read_all(many[i]));
    EXPECT_NE(test::read_all(one[i]), test::read_all(other[i]));
  }
}

/// As ranks write them. With more parts than files, some parts have no work.
TEST_F(PackShardsTest, PartsTogetherEqualASinglePart) {
  const auto whole = pack("whole");
  for (const int64_t parts : {2, 5}) {
    const std::string folder = "parts" + std::to_string(parts);
    size_t written = 0;
    for (int64_t part = 0; part < parts; ++part) {
      const auto own = pack(folder, {.memory_bytes = 1 << 20, .part = part, .parts = parts});
      EXPECT_LT(own.size(), whole.size());
      written += own.size();
    }
    EXPECT_EQ(written, whole.size());
    const auto files = packed_files(folder_.file(folder));
    ASSERT_EQ(files.size(), whole.size());
    for (size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(test::read_all(files[i]), test::read_all(whole[i]));
    }
  }
}

TEST_F(PackShardsTest, LayoutEqualsTheReferences) {
  const auto written = pack("out");
  EXPECT_EQ(std::filesystem::path(written[1]).filename(), "mixed_strategies_part_1.hdf5");
  const auto rows = static_cast<hsize_t>(kPackedRowsPerFile);
  const std::map<std::string, hsize_t> widths = {
      {"input_ids", 32},           {"input_mask", 32},
      {"segment_ids", 32},         {"positions", 32},
      {"masked_lm_positions", 8},  {"masked_lm_ids", 8},
      {"next_sentence_labels", 3}, {"next_sentence_positions", 3},
      {"next_sentence_weights", 3}};
  for (const auto& [name, width] : widths) {
    EXPECT_EQ(test::read_raw(written[0], name).extent, (std::vector<hsize_t>{rows, width})) << name;
  }
}

TEST_F(PackShardsTest, LoaderReadsPackedFiles) {
  pack("out");
  const auto found = find_shards(folder_.file("out"));
  EXPECT_EQ(found, packed_files(folder_.file("out")));
  LoaderOptions options;
  options.micro_batch = 8;
  options.limits = kLimits;
  PretrainingLoader loader(found, options);
  EXPECT_TRUE(loader.packed());
  EXPECT_EQ(loader.sequences_a_row(), 3);
  EXPECT_EQ(loader.rows(), packing_.rows);
  int64_t sequences = 0;
  for (int64_t i = 0; i < packing_.rows / 8; ++i) sequences += loader.next().sequences();
  EXPECT_NEAR(static_cast<double>(sequences), 9100, 24);
  EXPECT_THROW(PretrainingLoader({found[0], files_[0]}, options), Error);
}

TEST_F(PackShardsTest, RowsThatDoNotFitAreRejected) {
  EXPECT_THROW(SequenceLengths(files_, 16, 1), Error);
  const auto packed = pack("out");
  EXPECT_THROW(SequenceLengths(packed, 32, 1), Error);
}

/// Changes one value in every dataset of a packed file, one at a time.
TEST_F(PackShardsTest, EveryWrongDatasetIsNamed) {
  const std::string source = pack("out").back();
  const int64_t slots = 3;
  std::map<std::string, test::RawValues> columns;
  for (const char* name : {"input_ids", "input_mask", "segment_ids", "positions",
                           "masked_lm_positions", "masked_lm_ids", "next_sentence_positions",
                           "next_sentence_labels", "next_sentence_weights"}) {
    columns[name] = test::read_raw(source, name);
  }
  // A row with two sequences.
  size_t row = 0;
  const auto& weights = columns["next_sentence_weights"].values;
  while (weights[row * slots + 1] != 1 || weights[row * slots + 2] != 0) ++row;
  const auto faults = [&](const std::string& name, size_t in_row, int32_t value) {
    auto changed = columns;
    test::RawValues& raw = changed[name];
    raw.values[row * raw.extent[1] + in_row] = value;
    const std::string path = folder_.file("changed.hdf5");
    {
      test::RawFile file(path);
      for (const auto& [column, values] : changed) file.add(column, values);
    }
    const Survey survey = survey_shards({path}, {.max_predictions = 5});
    return survey.faults.empty() ? "no fault" : survey.faults.front().substr(path.size());
  };
  const std::string at = ": row " + std::to_string(row);
  const auto begins = [](const std::string& text, const std::string& with) {
    return text.starts_with(with);
  };
  EXPECT_EQ(faults("next_sentence_labels", 0, 1 - columns["next_sentence_labels"].values[row * 3]),
            "no fault");
  EXPECT_PRED2(begins, faults("input_ids", 0, -1), ": input_ids" + at);
  EXPECT_PRED2(begins, faults("input_mask", 0, 2), ": input_mask" + at);
  EXPECT_PRED2(begins, faults("input_mask", 0, 0), ": input_mask" + at);
  EXPECT_PRED2(begins, faults("segment_ids", 1, 2), ": segment_ids" + at);
  EXPECT_PRED2(begins, faults("positions", 1, 0), ": positions" + at);
  EXPECT_PRED2(begins, faults("masked_lm_positions", 0, 32), ": masked_lm_positions" + at);
  EXPECT_PRED2(begins, faults("masked_lm_ids", 0, -1), ": masked_lm_ids" + at);
  EXPECT_PRED2(begins, faults("masked_lm_ids", 7, 1), ": masked_lm_ids" + at);
  EXPECT_PRED2(begins, faults("next_sentence_positions", 1, 1), ": next_sentence_positions" + at);
  EXPECT_PRED2(begins, faults("next_sentence_positions", 2, 1), ": next_sentence_positions" + at);
  EXPECT_PRED2(begins, faults("next_sentence_labels", 1, 2), ": next_sentence_labels" + at);
  EXPECT_PRED2(begins, faults("next_sentence_weights", 2, 1), ": next_sentence_weights" + at);
  EXPECT_PRED2(begins, faults("next_sentence_weights", 1, 0), ": next_sentence_weights" + at);
}

TEST_F(PackShardsTest, SurveyCountsEqualTheData) {
  const Survey before = survey_shards(files_, {.max_predictions = 5});
  const Survey after = survey_shards(pack("out"), {.max_predictions = 5});
  EXPECT_TRUE(before.faults.empty());
  EXPECT_TRUE(after.faults.empty());
  EXPECT_EQ(before.rows, 9100);
  EXPECT_EQ(after.rows, packing_.rows);
  EXPECT_EQ(after.sequences, 9100);
  EXPECT_EQ(before.by_length, after.by_length);
  EXPECT_EQ(before.tokens, packing_.tokens);
  EXPECT_EQ(after.tokens, packing_.tokens);
  EXPECT_EQ(before.masked, after.masked);
  EXPECT_EQ(before.random_next, after.random_next);
  EXPECT_EQ(before.places, 9100 * 32);
  EXPECT_EQ(after.places, packing_.rows * 32);
}

}  // namespace
}  // namespace bertha::dataset
