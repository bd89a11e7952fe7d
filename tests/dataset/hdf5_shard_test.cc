#include "dataset/hdf5_shard.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>

#include "core/error.h"
#include "io/raw_hdf5.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::dataset {
namespace {

const std::string kFixtures = test::tests_path("dataset/fixtures/");
constexpr ShardLimits kLimits{.vocab_size = 200, .max_position = 64, .max_predictions = 3};

/// Row r has 4 + r % 5 tokens (the first third in segment 0) and r % 4 masked tokens.
void fill_small(int64_t row, const ShardRow& out) {
  const auto length = static_cast<size_t>(4 + row % 5);
  for (size_t i = 0; i < length; ++i) {
    out.input_ids[i] = static_cast<int32_t>((row * 7 + static_cast<int64_t>(i)) % 200);
    out.input_mask[i] = 1;
    out.segment_ids[i] = i < length / 3 ? 0 : 1;
  }
  for (size_t i = 0; i < static_cast<size_t>(row % 4); ++i) {
    out.masked_lm_positions[i] = static_cast<int32_t>(i + 1);
    out.masked_lm_ids[i] = static_cast<int32_t>(100 + row % 50);
  }
  out.next_sentence_label = row % 2 == 0 ? 1 : 0;
}

class ShardTest : public testing::Test {
 protected:
  std::string small(const std::string& name, int64_t rows, int64_t threads = 1) {
    const std::string path = folder_.file(name);
    write_shard(path, {rows, 12, 3}, fill_small, threads);
    return path;
  }

  using Columns = std::map<std::string, test::RawValues>;

  /// The datasets of small(), for a test to change.
  Columns columns(int64_t rows) {
    const std::string path = small("columns.hdf5", rows);
    Columns all;
    for (const char* name : {"input_ids", "input_mask", "segment_ids", "masked_lm_positions",
                             "masked_lm_ids", "next_sentence_labels"}) {
      all[name] = test::read_raw(path, name);
    }
    return all;
  }

  /// A chunk width of 0 means whole rows.
  std::string write(const Columns& all, hsize_t chunk_rows = 0, hsize_t chunk_width = 1) {
    const std::string path = folder_.file("raw.hdf5");
    test::RawFile file(path);
    for (const auto& [name, raw] : all) {
      std::vector<hsize_t> chunk;
      if (chunk_rows > 0) chunk = {chunk_rows, chunk_width > 0 ? chunk_width : raw.extent.back()};
      chunk.resize(chunk_rows > 0 ? raw.extent.size() : 0);
      const bool narrow = !chunk.empty() && chunk.back() < raw.extent.back();
      file.add(name, raw, {.chunk = chunk, .deflate = chunk_rows > 0, .shuffle = narrow});
    }
    return path;
  }

  static std::string error_of(const std::string& path) {
    try {
      read_shard(path, kLimits);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  /// Checks that reading the rows fails with a message that names the file and holds `expected`.
  void expect_refused(const Columns& all, const std::string& expected) {
    const std::string path = write(all);
    const std::string error = error_of(path);
    EXPECT_EQ(error.find(path + ": " + expected), 0U) << error;
  }

  test::TemporaryFolder folder_;
};

bool same(const RaggedShard& a, const RaggedShard& b) {
  return a.ids == b.ids && a.segments == b.segments && a.sequence_start == b.sequence_start &&
         a.next_sentence == b.next_sentence && a.row_start == b.row_start &&
         a.masked_positions == b.masked_positions && a.masked_labels == b.masked_labels &&
         a.masked_start == b.masked_start;
}

TEST_F(ShardTest, WrittenRowsAreReadWithoutPadding) {
  const std::string path = small("a.hdf5", 9);
  EXPECT_EQ(read_shard_shape(path), (ShardShape{9, 12, 3}));
  const RaggedShard shard = read_shard(path, kLimits);
  ASSERT_EQ(shard.rows(), 9);
  PretrainingBatch batch;
  batch.clear();
  shard.append_row(7, batch);
  shard.append_row(0, batch);
  EXPECT_EQ(batch.ids, (std::vector<int32_t>{49, 50, 51, 52, 53, 54, 0, 1, 2, 3}));
  EXPECT_EQ(batch.segments, (std::vector<int32_t>{0, 0, 1, 1, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(batch.positions, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 0, 1, 2, 3}));
  EXPECT_EQ(batch.seq_start, (std::vector<int32_t>{0, 6, 10}));
  EXPECT_EQ(batch.masked_rows, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(batch.masked_labels, (std::vector<int32_t>{107, 107, 107}));
  EXPECT_EQ(batch.next_sentence, (std::vector<int32_t>{0, 1}));
  shard.append_row(1, batch);
  EXPECT_EQ(batch.masked_rows.back(), 11);
}

TEST_F(ShardTest, FilesOfH5pyAreRead) {
  const RaggedShard shard = read_shard(kFixtures + "harbour_s64.hdf5", {156, 64, 10});
  const auto mask = test::read_raw(kFixtures + "harbour_s64.hdf5", "input_mask").values;
  const auto ids = test::read_raw(kFixtures + "harbour_s64.hdf5", "input_ids").values;
  std::vector<int32_t> expected;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (mask[i] == 1) expected.push_back(ids[i]);
  }
  EXPECT_EQ(shard.rows(), 40);
  EXPECT_EQ(shard.ids, expected);
}

// fixtures/make_h5py_shards.py writes one shard in many forms.
TEST_F(ShardTest, EveryFormOfH5pyHoldsTheSameRows) {
  const ShardLimits limits = {.vocab_size = 30, .max_position = 16, .max_predictions = 3};
  const std::string folder = test::tests_path("dataset/fixtures/h5py/");
  const RaggedShard plain = read_shard(folder + "plain.hdf5", limits);
  EXPECT_EQ(plain.rows(), 5);
  for (const char* form : {"lzf", "lzf_shuffle", "labels_2d", "latest", "latest_contiguous",
                           "latest_chunks", "latest_small_chunks", "latest_limited",
                           "latest_growing", "user_block", "truth_values", "wide_integers"}) {
    const RaggedShard shard = read_shard(fmt::format("{}{}.hdf5", folder, form), limits);
    EXPECT_EQ(shard.ids, plain.ids) << form;
    EXPECT_EQ(shard.segments, plain.segments) << form;
    EXPECT_EQ(shard.sequence_start, plain.sequence_start) << form;
    EXPECT_EQ(shard.next_sentence, plain.next_sentence) << form;
    EXPECT_EQ(shard.masked_positions, plain.masked_positions) << form;
    EXPECT_EQ(shard.masked_labels, plain.masked_labels) << form;
  }
}

TEST_F(ShardTest, FormsOfH5pyThatAreNotReadAreNamed) {
  const std::map<std::string, std::string> reasons = {
      {"variable_length", "input_ids: expected integers, found rows of variable length"},
      {"fractions", "input_ids: expected integers, found numbers with fractions"},
      {"scale_offset", "input_ids: compressed with scale-offset (filter 6), expected gzip"}};
  for (const auto& [form, reason] : reasons) {
    try {
      read_shard_shape(test::tests_path("dataset/fixtures/h5py/refused_" + form + ".hdf5"));
      ADD_FAILURE() << form;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  }
}

TEST_F(ShardTest, LayoutEqualsTheReferences) {
  const std::string path = small("a.hdf5", 30'000);  // several chunks, the last not full
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  for (const auto& [name, type] :
       std::map<std::string, hid_t>{{"input_ids", H5T_STD_I32LE},
                                    {"input_mask", H5T_STD_I8LE},
                                    {"segment_ids", H5T_STD_I8LE},
                                    {"masked_lm_positions", H5T_STD_I32LE},
                                    {"masked_lm_ids", H5T_STD_I32LE},
                                    {"next_sentence_labels", H5T_STD_I8LE}}) {
    SCOPED_TRACE(name);
    const hid_t dataset = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
    ASSERT_GE(dataset, 0);
    const hid_t creation = H5Dget_create_plist(dataset);
    const hid_t stored = H5Dget_type(dataset);
    EXPECT_GT(H5Tequal(stored, type), 0);
    unsigned flags = 0, level = 0, config = 0;
    size_t values = 1;
    EXPECT_EQ(H5Pget_nfilters(creation), 1);
    EXPECT_EQ(H5Pget_filter2(creation, 0, &flags, &values, &level, 0, nullptr, &config),
              H5Z_FILTER_DEFLATE);
    EXPECT_EQ(level, 4U);
    H5O_info_t info{};
    H5Oget_info2(dataset, &info, H5O_INFO_NUM_ATTRS | H5O_INFO_TIME);
    EXPECT_EQ(info.num_attrs, 0U);
    EXPECT_EQ(info.mtime, 0);
    H5Tclose(stored);
    H5Pclose(creation);
    H5Dclose(dataset);
  }
  H5Fclose(file);
  H5Pclose(access);
  EXPECT_EQ(read_shard(path, kLimits).rows(), 30'000);
}

TEST_F(ShardTest, BytesDoNotDependOnThreads) {
  const std::string one = test::read_all(small("one.hdf5", 30'000, 1));
  EXPECT_EQ(one, test::read_all(small("three.hdf5", 30'000, 3)));
}

TEST_F(ShardTest, ValuesDoNotDependOnChunkShapes) {
  const Columns all = columns(100);
  const RaggedShard expected = read_shard(folder_.file("columns.hdf5"), kLimits);
  EXPECT_TRUE(same(read_shard(write(all), kLimits), expected)) << "contiguous";
  EXPECT_TRUE(same(read_shard(write(all, 7, 2), kLimits), expected)) << "7 by 2, shuffled";
  EXPECT_TRUE(same(read_shard(write(all, 1, 1), kLimits), expected)) << "1 by 1";
  EXPECT_TRUE(same(read_shard(write(all, 7, 0), kLimits), expected)) << "7 rows";
}

TEST_F(ShardTest, UncompressedAndMissingChunksAreRead) {
  const std::string path = small("plain.hdf5", 40);
  const RaggedShard expected = read_shard(path, kLimits);
  const test::RawValues ids = test::read_raw(path, "input_ids");
  test::store_plain_chunk(path, "input_ids", ids);
  EXPECT_EQ(test::read_raw(path, "input_ids"), ids);
  EXPECT_TRUE(same(read_shard(path, kLimits), expected));

  Columns all = columns(40);
  all["segment_ids"].values.clear();
  const RaggedShard without = read_shard(write(all, 7, 0), kLimits);
  EXPECT_EQ(without.ids, expected.ids);
  EXPECT_EQ(without.segments, std::vector<uint8_t>(expected.segments.size(), 0));
}

TEST_F(ShardTest, MaskedEntriesEndAtPositionZeroElseAtTheLimit) {
  Columns all = columns(4);  // row 3 has three masked ones and no 0
  EXPECT_EQ(read_shard(write(all), {200, 64, 2}).masked_start,
            (std::vector<int64_t>{0, 0, 1, 3, 5}));
  all["masked_lm_positions"].values[3 * 3 + 1] = 0;
  EXPECT_EQ(read_shard(write(all), {200, 64, 3}).masked_start,
            (std::vector<int64_t>{0, 0, 1, 3, 4}));
}

TEST_F(ShardTest, FaultyRowsAreNamed) {
  const auto with = [&](const std::string& name, size_t index, int32_t value) {
    Columns all = columns(6);
    all[name].values.at(index) = value;
    return all;
  };
  expect_refused(with("input_ids", 2 * 12 + 1, 200), "input_ids: row 2: id 200");
  expect_refused(with("input_ids", 2 * 12 + 1, -1), "input_ids: row 2: id -1");
  expect_refused(with("input_mask", 3 * 12 + 1, 0), "input_mask: row 3: expected ones");
  expect_refused(with("input_mask", 3 * 12 + 1, 2), "input_mask: row 3: expected ones");
  expect_refused(with("input_mask", 3 * 12 + 11, 1), "input_mask: row 3: expected ones");
  expect_refused(with("segment_ids", 1 * 12, 2), "segment_ids: row 1: 2");
  expect_refused(with("masked_lm_positions", 3 * 3, 8), "masked_lm_positions: row 3: position 8");
  expect_refused(with("masked_lm_positions", 3 * 3, -2), "masked_lm_positions: row 3: position -2");
  expect_refused(with("masked_lm_positions", 3 * 3, 2),
                 "masked_lm_positions: row 3: position 2 occurs twice");
  expect_refused(with("masked_lm_ids", 3 * 3, 200), "masked_lm_ids: row 3: id 200");
  expect_refused(with("next_sentence_labels", 5, -1), "next_sentence_labels: row 5: -1");
  // Padding may hold any value, because it is not read.
  EXPECT_EQ(error_of(write(with("input_ids", 2 * 12 + 11, -5))), "no error");

  Columns empty_row = columns(2);
  std::fill_n(empty_row["input_mask"].values.begin(), 12, 0);
  expect_refused(empty_row, "input_mask: row 0");
  const std::string path = small("long.hdf5", 6);
  EXPECT_THROW(read_shard(path, {200, 7, 3}), Error) << "a row of 8 tokens";
}

TEST_F(ShardTest, FaultyDatasetsAreNamed) {
  Columns all = columns(6);
  all.erase("masked_lm_ids");
  expect_refused(all,
                 "not a pre-training shard: missing masked_lm_ids of the datasets input_ids, ");
  all = columns(6);
  all["segment_ids"].extent = {12, 6};
  expect_refused(all, "segment_ids: extent 12 by 6, expected 6 by 12");
  all = columns(6);
  all["input_mask"].extent = {72};
  expect_refused(all, "input_mask: has 1 dimensions, expected 2");
  all = columns(6);
  all["next_sentence_labels"].extent = {3, 2};
  expect_refused(all, "next_sentence_labels: has 2 dimensions, expected 1");
  all = columns(6);
  all["positions"] = all["input_ids"];
  expect_refused(all, "next_sentence_labels: has 1 dimensions, expected 2");
}

TEST_F(ShardTest, FloatDatasetsAreRejected) {
  const Columns all = columns(6);
  const std::string path = folder_.file("float.hdf5");
  {
    test::RawFile file(path);
    for (const auto& [name, raw] : all) {
      file.add(name, raw, {.type = name == "input_ids" ? H5T_IEEE_F32LE : H5T_STD_I32LE});
    }
  }
  EXPECT_EQ(
      error_of(path),
      path +
          ": input_ids: expected integers, found numbers with fractions (`ds[...].astype(\"i4\")` "
          "in h5py converts them)");
}

// A small file can claim any extent, so nothing may be allocated from it.
TEST_F(ShardTest, ExtentsBeyondTheFileAreRejected) {
  const std::string path = folder_.file("huge.hdf5");
  {
    test::RawFile file(path);
    for (const char* name :
         {"input_ids", "input_mask", "segment_ids", "masked_lm_positions", "masked_lm_ids"}) {
      file.add(name, {{1'500'000'000, 128}, {}}, {.chunk = {1024, 128}});
    }
    file.add("next_sentence_labels", {{1'500'000'000}, {}}, {.chunk = {1024}});
  }
  EXPECT_NE(error_of(path).find("more than a file of"), std::string::npos) << error_of(path);
}

TEST_F(ShardTest, TruncatedAndForeignFilesAreRejected) {
  const std::string path = small("a.hdf5", 3000);
  const std::string whole = test::read_all(path);
  const std::string cut = folder_.file("cut.hdf5");
  for (const size_t bytes :
       {size_t{0}, size_t{7}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    test::write_all(cut, whole.substr(0, bytes));
    EXPECT_EQ(error_of(cut).find(cut + ": not a whole HDF5 file"), 0U) << error_of(cut);
  }
  test::write_all(cut, "PK\x03\x04 not HDF5 at all");
  EXPECT_EQ(error_of(cut).find(cut + ": not a whole HDF5 file"), 0U);
  EXPECT_EQ(error_of(folder_.file("none.hdf5")).find(folder_.file("none.hdf5") + ": cannot open"),
            0U);
}

// For every damaged byte, the reader returns the same rows or throws Error; it never crashes.
TEST_F(ShardTest, DamagedBytesGiveTheSameRowsOrAnError) {
  const std::string whole = test::read_all(small("a.hdf5", 50));
  const std::string damaged = folder_.file("damaged.hdf5");
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += 61) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x5a);
    test::write_all(damaged, bytes);
    refused += error_of(damaged) != "no error" ? 1 : 0;
  }
  EXPECT_GT(refused, 3);
}

TEST_F(ShardTest, FolderIsCreatedAndHoldsOnlyTheShard) {
  const std::string path = folder_.file("new/deep/a.hdf5");
  write_shard(path, {5, 12, 3}, fill_small, 2);
  const std::filesystem::path folder = folder_.file("new/deep");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(ShardTest, FailingRowLeavesNoFile) {
  const std::string path = folder_.file("out/a.hdf5");
  EXPECT_THROW(write_shard(
                   path, {5000, 12, 3},
                   [](int64_t row, const ShardRow&) {
                     if (row == 4321) fail("row {}", row);
                   },
                   2),
               Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.file("out")));
}

// A file size limit simulates a full disk. The test runs in a process of its own, because the limit
// cannot be raised again.
TEST_F(ShardTest, FullDiskGivesOneErrorAndLeavesNoFile) {
  const std::string path = folder_.file("full/a.hdf5");
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      write_shard(path, {100'000, 12, 3}, fill_small, 2);
    } catch (const Error& error) {
      const std::string text = error.what();
      const bool good = text.starts_with(path + ": ") && text.ends_with("File too large");
      if (!good) std::fprintf(stderr, "%s\n", text.c_str());
      status = good ? 0 : 2;
    }
    std::exit(status);  // includes libhdf5's own shutdown
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.file("full")));
}

TEST_F(ShardTest, FolderThatCannotBeCreatedIsNamed) {
  test::write_all(folder_.file("file"), "");
  try {
    write_shard(folder_.file("file/a.hdf5"), {5, 12, 3}, fill_small, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(folder_.file("file")), std::string::npos);
  }
}

}  // namespace
}  // namespace bertha::dataset
