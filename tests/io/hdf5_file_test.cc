// Compares our reader with libhdf5, which makes the files, and tests it on hostile files.

#include "io/hdf5/hdf5_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "core/error.h"
#include "io/hdf5/hdf5_column.h"
#include "io/raw_hdf5.h"
#include "support/files.h"

namespace bertha::io {
namespace {

/// Rows of `width` numbers that fit every integer type.
test::RawValues numbers(hsize_t rows, hsize_t width) {
  test::RawValues raw{{rows, width}, {}};
  for (hsize_t i = 0; i < rows * width; ++i) {
    raw.values.push_back(static_cast<int32_t>((i * 37 + i / width) % 128));
  }
  return raw;
}

class Hdf5FileTest : public testing::Test {
 protected:
  std::string path() const { return folder_.file("a.hdf5"); }

  /// All values of a dataset, `step` rows at a time.
  std::vector<int32_t> read(const std::string& name, int64_t step, int rank = 2) const {
    const Hdf5File file(path());
    Column column(file, name.c_str(), rank);
    std::vector<int32_t> all;
    std::vector<int32_t> block;
    for (int64_t row = 0; row < column.rows(); row += step) {
      column.read(row, std::min(step, column.rows() - row), block);
      all.insert(all.end(), block.begin(), block.end());
    }
    return all;
  }

  std::string error_of(const std::string& name) const {
    try {
      read(name, 3);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  /// `make` adds the dataset "a" to a file. Checks that reading it fails with a message that names
  /// both.
  void expect_refused(const std::function<void(test::RawFile&)>& make, const std::string& expected,
                      H5F_libver_t format = H5F_LIBVER_EARLIEST) {
    {
      test::RawFile file(path(), format);
      make(file);
    }
    const std::string error = error_of("a");
    EXPECT_EQ(error.find(path()), 0U) << error;
    EXPECT_NE(error.find(expected), std::string::npos) << error;
  }

  /// True if a file of these bytes gives an Error or other values of "a".
  bool is_refused(const std::string& bytes, const std::vector<int32_t>& values) {
    test::write_all(path(), bytes);
    try {
      return read("a", 3) != values;
    } catch (const Error&) {
      return true;
    }
  }

  test::TemporaryFolder folder_;
};

const std::map<std::string, hid_t>& integer_types() {
  static const std::map<std::string, hid_t> types = {
      {"i1", H5T_STD_I8LE},      {"u1", H5T_STD_U8BE},  {"i2 big", H5T_STD_I16BE},
      {"u2", H5T_STD_U16LE},     {"i4", H5T_STD_I32LE}, {"u4 big", H5T_STD_U32BE},
      {"i8 big", H5T_STD_I64BE}, {"u8", H5T_STD_U64LE}};
  return types;
}

TEST_F(Hdf5FileTest, EveryStorageHoldsTheSameValues) {
  const std::map<std::string, test::RawStorage> storages = {
      {"compact", {.compact = true}},
      {"contiguous", {}},
      {"whole rows", {.chunk = {4, 7}, .deflate = true}},
      {"one chunk", {.chunk = {11, 7}, .deflate = true, .shuffle = true}},
      {"split rows", {.chunk = {3, 2}, .deflate = true, .shuffle = true, .fletcher32 = true}},
      {"plain chunks", {.chunk = {2, 3}}},
      {"odd checksums", {.chunk = {1, 1}, .fletcher32 = true}},
      {"shuffled", {.chunk = {5, 4}, .shuffle = true}}};
  const test::RawValues raw = numbers(11, 7);
  for (const H5F_libver_t format :
       {H5F_LIBVER_EARLIEST, H5F_LIBVER_V18, H5F_LIBVER_V110, H5F_LIBVER_LATEST}) {
    for (const auto& [storage_name, storage] : storages) {
      {
        test::RawFile file(path(), format);
        for (const auto& [name, type] : integer_types()) {
          test::RawStorage typed = storage;
          typed.type = type;
          file.add(name, raw, typed);
        }
      }
      for (const auto& [name, type] : integer_types()) {
        for (const int64_t step : {1, 3, 11}) {
          EXPECT_EQ(read(name, step), raw.values) << storage_name << ", " << name << ", " << step;
        }
      }
    }
  }
}

TEST_F(Hdf5FileTest, OneDimensionReadsAsWidthOne) {
  {
    test::RawFile file(path());
    file.add("a", {{5}, {5, 4, 3, 2, 1}}, {.chunk = {2}, .deflate = true});
    file.add("b", {{5}, {5, 4, 3, 2, 1}});
  }
  EXPECT_EQ(read("a", 2, 1), (std::vector<int32_t>{5, 4, 3, 2, 1}));
  EXPECT_EQ(read("b", 5, 1), (std::vector<int32_t>{5, 4, 3, 2, 1}));
}

// 65 chunks fill a leaf of the chunk tree, and 9 names one of the name tree: both get several
// levels.
TEST_F(Hdf5FileTest, TreesOfSeveralLevelsAreRead) {
  const test::RawValues raw = numbers(100, 60);
  {
    test::RawFile file(path());
    for (int i = 0; i < 200; ++i) {
      file.add("name" + std::to_string(i), {{1, 1}, {i}});
    }
    file.add("a", raw, {.chunk = {1, 1}});
  }
  EXPECT_EQ(read("a", 7), raw.values);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(read("name" + std::to_string(i), 1), std::vector<int32_t>{i});
  }
  EXPECT_FALSE(Hdf5File(path()).has("name"));
  EXPECT_FALSE(Hdf5File(path()).has("name200"));
}

// A fixed array of more than 1024 chunks is divided into pages.
TEST_F(Hdf5FileTest, ArraysOfChunksAreReadInPages) {
  const test::RawValues raw = numbers(100, 40);
  for (const bool deflate : {false, true}) {
    {
      test::RawFile file(path(), H5F_LIBVER_LATEST);
      file.add("a", raw, {.chunk = {1, 1}, .deflate = deflate});
      file.add("b", raw, {.chunk = {1, 1}, .deflate = deflate, .fill = 9}, 60);
    }
    EXPECT_EQ(read("a", 7), raw.values);
    test::RawValues part = raw;
    std::fill(part.values.begin() + 60 * 40, part.values.end(), 9);
    EXPECT_EQ(read("b", 7), part.values);
  }
}

// Rows or columns that grow are in an extensible array, both in a B-tree of version 2. Of 90000
// chunks the array has pages, and the tree several levels.
TEST_F(Hdf5FileTest, GrowingDatasetsAreReadWhateverTheIndexOfTheirChunks) {
  constexpr hsize_t kAny = H5S_UNLIMITED;
  const std::vector<std::vector<hsize_t>> limits = {
      {kAny, 7}, {kAny, 90}, {11, kAny}, {300, kAny}, {kAny, kAny}};
  const test::RawValues raw = numbers(11, 7);
  for (const auto& limit : limits) {
    for (const std::vector<hsize_t>& chunk :
         {std::vector<hsize_t>{1, 1}, {4, 7}, {3, 2}, {11, 7}}) {
      for (const bool deflate : {false, true}) {
        {
          test::RawFile file(path(), H5F_LIBVER_LATEST);
          test::RawStorage storage{.chunk = chunk, .deflate = deflate, .fill = -7, .limit = limit};
          file.add("a", raw, storage);
          file.add("half", raw, storage, 6);
          file.add("none", {raw.extent, {}}, storage);
          storage.limit = {kAny};
          storage.chunk = {chunk[0]};
          file.add("row", {{77}, raw.values}, storage);
        }
        test::RawValues half = raw;
        std::fill(half.values.begin() + 42, half.values.end(), -7);
        EXPECT_EQ(read("a", 4), raw.values);
        EXPECT_EQ(read("half", 4), half.values);
        EXPECT_EQ(read("none", 4), std::vector<int32_t>(77, -7));
        EXPECT_EQ(read("row", 4, 1), raw.values);
      }
    }
  }
}

TEST_F(Hdf5FileTest, LargeIndexesOfGrowingDatasetsAreRead) {
  constexpr hsize_t kAny = H5S_UNLIMITED;
  const test::RawValues raw = numbers(300, 300);
  const test::RawValues tree_values = numbers(150, 120);
  for (const bool deflate : {false, true}) {
    {
      test::RawFile file(path(), H5F_LIBVER_LATEST);
      const test::RawStorage array{
          .chunk = {1, 1}, .deflate = deflate, .fill = 9, .limit = {kAny, 300}};
      file.add("a", raw, array);
      file.add("part", raw, array, 250);
      test::RawStorage tree = array;
      tree.limit = {kAny, kAny};
      file.add("tree", tree_values, tree);
    }
    EXPECT_EQ(read("a", 70), raw.values);
    test::RawValues part = raw;
    std::fill(part.values.begin() + 250 * 300, part.values.end(), 9);
    EXPECT_EQ(read("part", 70), part.values);
    EXPECT_EQ(read("tree", 70), tree_values.values);
  }
}

TEST_F(Hdf5FileTest, EnumerationsAndBitFieldsAreReadAsIntegers) {
  const test::RawValues raw{{2, 2}, {0, 1, 1, 0}};
  {
    test::RawFile file(path());
    const hid_t truth = H5Tenum_create(H5T_STD_I8LE);
    const int8_t no = 0;
    const int8_t yes = 1;
    H5Tenum_insert(truth, "FALSE", &no);
    H5Tenum_insert(truth, "TRUE", &yes);
    const std::array<int8_t, 4> values = {0, 1, 1, 0};
    const std::array<hsize_t, 2> extent = {2, 2};
    const hid_t space = H5Screate_simple(2, extent.data(), nullptr);
    for (const auto& [name, type] :
         std::map<std::string, hid_t>{{"enumeration", truth}, {"bits", H5T_STD_B8LE}}) {
      const hid_t set =
          H5Dcreate2(file.id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      EXPECT_GE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
      H5Dclose(set);
    }
    H5Sclose(space);
    H5Tclose(truth);
  }
  EXPECT_EQ(read("enumeration", 1), raw.values);
  EXPECT_EQ(read("bits", 1), raw.values);
}

TEST_F(Hdf5FileTest, UserBlockIsPassedOver) {
  const test::RawValues raw = numbers(8, 6);
  {
    test::RawFile file(path());
    file.add("a", raw, {.chunk = {4, 6}, .deflate = true});
  }
  const std::string whole = test::read_all(path());
  // Bytes put in front of a finished file: its superblock says that it begins at byte 0.
  for (const size_t bytes : {512U, 1024U, 4096U}) {
    test::write_all(path(), std::string(bytes, 'x') + whole);
    EXPECT_TRUE(is_hdf5(path()));
    EXPECT_EQ(read("a", 3), raw.values);
  }
  test::write_all(path(), std::string(513, 'x') + whole);
  EXPECT_FALSE(is_hdf5(path()));
  EXPECT_NE(error_of("a").find("no signature"), std::string::npos);
}

TEST_F(Hdf5FileTest, MissingValuesAreTheFillValue) {
  test::RawValues raw = numbers(10, 4);
  for (const H5F_libver_t format : {H5F_LIBVER_EARLIEST, H5F_LIBVER_V18, H5F_LIBVER_LATEST}) {
    {
      test::RawFile file(path(), format);
      const test::RawStorage storage{.chunk = {3, 2}, .deflate = true, .fill = -7};
      file.add("half", raw, storage, 6);
      file.add("none", {raw.extent, {}}, storage);
      file.add("contiguous", {raw.extent, {}}, {.type = H5T_STD_I16BE, .fill = -7});
    }
    test::RawValues half = raw;
    std::fill(half.values.begin() + 24, half.values.end(), -7);
    EXPECT_EQ(read("half", 4), half.values);
    EXPECT_EQ(read("none", 4), std::vector<int32_t>(40, -7));
    EXPECT_EQ(read("contiguous", 4), std::vector<int32_t>(40, -7));
  }
}

TEST_F(Hdf5FileTest, NumbersOutOfRangeBecomeTheNearest) {
  {
    test::RawFile file(path());
    const std::array<hsize_t, 2> extent = {1, 4};
    const hid_t space = H5Screate_simple(2, extent.data(), nullptr);
    const std::array<int64_t, 4> values = {int64_t{1} << 40, -(int64_t{1} << 40), -1, 5};
    for (const auto& [name, type] :
         std::map<std::string, hid_t>{{"i8", H5T_STD_I64BE}, {"u4", H5T_STD_U32LE}}) {
      const hid_t dataset =
          H5Dcreate2(file.id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
      H5Dclose(dataset);
    }
    H5Sclose(space);
  }
  const int32_t least = std::numeric_limits<int32_t>::min();
  const int32_t most = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(read("i8", 1), (std::vector<int32_t>{most, least, -1, 5}));
  EXPECT_EQ(read("u4", 1), (std::vector<int32_t>{most, 0, 0, 5}));
}

TEST_F(Hdf5FileTest, SkippedFiltersOfAChunkAreNotReversed) {
  const test::RawValues raw = numbers(6, 5);
  {
    test::RawFile file(path());
    file.add("a", raw, {.chunk = {6, 5}, .deflate = true});
  }
  test::store_plain_chunk(path(), "a", raw);
  EXPECT_EQ(read("a", 4), raw.values);
}

TEST_F(Hdf5FileTest, SoftAndExternalLinksAreIgnored) {
  {
    test::RawFile file(path());
    file.add("a", numbers(2, 2));
    H5Lcreate_soft("/a", file.id(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/other.hdf5", "/a", file.id(), "external", H5P_DEFAULT, H5P_DEFAULT);
  }
  const Hdf5File file(path());
  EXPECT_TRUE(file.has("a"));
  EXPECT_FALSE(file.has("soft"));
  EXPECT_FALSE(file.has("external"));
}

TEST_F(Hdf5FileTest, UnsupportedStorageIsNamed) {
  const test::RawValues raw = numbers(4, 3);
  expect_refused([&](auto& file) { file.add("b", raw); }, "dataset 'a' is missing");
  expect_refused([&](auto& file) { file.add("a", raw, {.type = H5T_IEEE_F32LE}); },
                 "a: expected integers");
  expect_refused(
      [&](auto& file) {
        file.add("a", {{12}, raw.values});
      },
      "a: has 1 dimensions, expected 2");
  expect_refused(
      [&](auto& file) {
        file.add("a", {{2, 3, 2}, raw.values});
      },
      "a: has 3 dimensions, expected 1 or 2");
  expect_refused(
      [&](auto& file) {
        H5Gclose(H5Gcreate2(file.id(), "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      },
      "a: is not a dataset");
  expect_refused(
      [&](auto& file) {
        const hid_t type = H5Tcopy(H5T_STD_I32LE);
        H5Tcommit2(file.id(), "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        file.add("a", raw, {.type = type});
        H5Tclose(type);
      },
      "a: its type is committed");
  expect_refused(
      [&](auto& file) {
        const hid_t type = H5Tcopy(H5T_STD_I32LE);
        H5Tset_precision(type, 24);
        file.add("a", raw, {.type = type});
        H5Tclose(type);
      },
      "a: expected integers of 1, 2, 4 or 8 whole bytes");
  expect_refused(
      [&](auto& file) {
        for (int i = 0; i < 9; ++i) file.add("b" + std::to_string(i), raw);
        file.add("a", raw);
      },
      "fractal heap", H5F_LIBVER_V18);
}

TEST_F(Hdf5FileTest, ExternalValuesAndUnknownFiltersAreNamed) {
  const auto add = [](const test::RawFile& file, const std::function<void(hid_t)>& set) {
    const std::array<hsize_t, 2> extent = {4, 3};
    const hid_t space = H5Screate_simple(2, extent.data(), nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    set(creation);
    H5Dclose(H5Dcreate2(file.id(), "a", H5T_STD_I32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  };
  expect_refused(
      [&](auto& file) {
        add(file, [](hid_t creation) { H5Pset_external(creation, "/etc/passwd", 0, 48); });
      },
      "a: values lie outside this file");
  expect_refused(
      [&](auto& file) {
        const std::array<hsize_t, 2> chunk = {2, 3};
        add(file, [&](hid_t creation) {
          H5Pset_chunk(creation, 2, chunk.data());
          H5Pset_scaleoffset(creation, H5Z_SO_INT, 0);
        });
      },
      "a: compressed with scale-offset (filter 6), expected gzip, lzf, shuffle or fletcher32; "
      "`h5repack");
}

TEST_F(Hdf5FileTest, TruncatedFileIsRejected) {
  {
    test::RawFile file(path());
    file.add("a", numbers(8, 6), {.chunk = {4, 6}, .deflate = true});
  }
  const std::string whole = test::read_all(path());
  for (size_t bytes = 0; bytes < whole.size(); bytes += bytes < 200 ? 1 : 97) {
    test::write_all(path(), whole.substr(0, bytes));
    EXPECT_EQ(error_of("a").find(path() + ": not a whole HDF5 file"), 0U) << error_of("a");
  }
}

// The indexes of chunks in HDF5 1.10 have checksums, too; only the chunks have none.
TEST_F(Hdf5FileTest, DamagedIndexOfChunksNeverLeadsOutOfTheFile) {
  constexpr hsize_t kAny = H5S_UNLIMITED;
  const std::vector<std::vector<hsize_t>> limits = {{}, {kAny, 6}, {8, kAny}, {kAny, kAny}};
  for (const auto& limit : limits) {
    {
      test::RawFile file(path(), H5F_LIBVER_LATEST);
      file.add("a", numbers(8, 6), {.chunk = {1, 2}, .fletcher32 = true, .limit = limit});
    }
    const std::string whole = test::read_all(path());
    const std::vector<int32_t> values = read("a", 3);
    int refused = 0;
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x5a);
      refused += is_refused(bytes, values) ? 1 : 0;
    }
    EXPECT_GT(refused, 400);
  }
}

// HDF5 1.8 has checksums over all metadata, which includes the data of a compact dataset.
TEST_F(Hdf5FileTest, EveryDamagedByteOfTheFormatWithChecksumsIsDetected) {
  const test::RawValues raw = numbers(8, 6);
  {
    test::RawFile file(path(), H5F_LIBVER_V18);
    file.add("a", raw, {.compact = true});
  }
  const std::string whole = test::read_all(path());
  ASSERT_FALSE(is_refused(whole, raw.values));
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x5a);
    EXPECT_TRUE(is_refused(bytes, raw.values)) << at;
  }
}

// Replaces every word with the address of another structure, which also makes cycles and shared
// nodes. The reader must end, and must stay within the file.
TEST_F(Hdf5FileTest, WrongAddressesNeverLeadOutOfTheFile) {
  const test::RawValues raw = numbers(70, 2);
  {
    test::RawFile file(path());
    file.add("a", raw, {.chunk = {1, 1}});
  }
  const std::string whole = test::read_all(path());
  std::vector<uint64_t> targets = {0, whole.size() - 1, whole.size(), ~uint64_t{0} - 8};
  for (const char* signature : {"TREE", "SNOD", "HEAP"}) {
    for (size_t at = whole.find(signature); at != std::string::npos;
         at = whole.find(signature, at + 1)) {
      targets.push_back(at);
    }
  }
  ASSERT_GT(targets.size(), 8U);
  size_t refused = 0;
  size_t addresses = 0;
  for (size_t at = 8; at + 8 <= whole.size(); at += 8) {
    uint64_t old = 0;
    std::memcpy(&old, whole.data() + at, sizeof(old));
    if (std::ranges::count(targets, old) == 0 || old == 0) continue;
    for (const uint64_t target : targets) {
      std::string bytes = whole;
      std::memcpy(bytes.data() + at, &target, sizeof(target));
      ++addresses;
      if (is_refused(bytes, raw.values)) ++refused;
    }
  }
  EXPECT_GT(addresses, 50U);
  EXPECT_GT(refused, addresses / 3);  // the others are not followed
}

// A leaf under two parents would multiply the reading time at every level.
TEST_F(Hdf5FileTest, NodesWithTwoParentsAreRejected) {
  {
    test::RawFile file(path());
    file.add("a", numbers(200, 1), {.chunk = {1, 1}});
  }
  std::string bytes = test::read_all(path());
  const size_t root = bytes.find(std::string("TREE\x01\x01", 6));
  ASSERT_NE(root, std::string::npos);
  constexpr size_t kFirstChild = 24 + 32;  // after the node's header and its first key
  constexpr size_t kStep = 32 + 8;
  bytes.replace(root + kFirstChild + kStep, 8, bytes.substr(root + kFirstChild, 8));
  test::write_all(path(), bytes);
  EXPECT_NE(error_of("a").find("a: "), std::string::npos);
  EXPECT_NE(error_of("a"), "no error");
}

}  // namespace
}  // namespace bertha::io
