// Reads the files of our writer with libhdf5 and with our reader.

#include "io/hdf5/hdf5_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "io/archive/deflate.h"
#include "io/hdf5/hdf5_column.h"
#include "io/raw_hdf5.h"
#include "support/files.h"

namespace bertha::io {
namespace {

int32_t value_at(size_t column, int64_t row, int64_t place, int64_t element_bytes) {
  const auto value = static_cast<int32_t>(7 * row + 3 * place + 100 * static_cast<int64_t>(column));
  return element_bytes == 1 ? value % 100 - 50 : value - 50;
}

class Hdf5WriterTest : public testing::Test {
 protected:
  /// The values of a column, without the rows after the last one in the last chunk.
  static test::RawValues values(const Hdf5ColumnSpec& column, size_t number, int64_t rows) {
    test::RawValues raw{{static_cast<hsize_t>(rows)}, {}};
    if (column.rank == 2) raw.extent.push_back(static_cast<hsize_t>(column.width));
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t i = 0; i < column.width; ++i) {
        raw.values.push_back(value_at(number, row, i, column.element_bytes));
      }
    }
    return raw;
  }

  static std::vector<std::byte> chunk(const Hdf5ColumnSpec& column, size_t number, int64_t first,
                                      int64_t rows) {
    std::vector<std::byte> bytes;
    for (int64_t row = first; row < first + rows; ++row) {
      for (int64_t i = 0; i < column.width; ++i) {
        const int32_t value = value_at(number, row, i, column.element_bytes);
        const auto* first_byte = reinterpret_cast<const std::byte*>(&value);  // little-endian
        bytes.insert(bytes.end(), first_byte, first_byte + column.element_bytes);
      }
    }
    return bytes;
  }

  void write(const std::vector<Hdf5ColumnSpec>& columns, int64_t rows, int64_t chunk_rows) {
    io::AtomicFile file(path_);
    Hdf5Writer writer(file, columns, rows, chunk_rows);
    Deflater deflater;
    std::vector<std::byte> room;
    for (int64_t row = 0; row < rows; row += chunk_rows) {
      for (size_t i = 0; i < columns.size(); ++i) {
        writer.add_chunk(i, deflater.deflate(chunk(columns[i], i, row, chunk_rows), room));
      }
    }
    writer.finish();
    file.commit();
  }

  void expect_read_back(const std::vector<Hdf5ColumnSpec>& columns, int64_t rows) {
    const Hdf5File file(path_);
    for (size_t i = 0; i < columns.size(); ++i) {
      SCOPED_TRACE(columns[i].name);
      const test::RawValues expected = values(columns[i], i, rows);
      EXPECT_EQ(test::read_raw(path_, columns[i].name), expected) << "libhdf5";
      Column column(file, columns[i].name.c_str(), columns[i].rank);
      std::vector<int32_t> read;
      column.read(0, rows, read);
      EXPECT_EQ(read, expected.values) << "ours";
    }
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.file("a.hdf5");
};

TEST_F(Hdf5WriterTest, AnyWidthRankAndNumberOfDatasetsRoundTrip) {
  std::vector<Hdf5ColumnSpec> columns = {{"one", 1, 1, 1}, {"i4", 4, 5}, {"i1", 1, 3}};
  for (size_t i = 0; i < 13; ++i) columns.push_back({"z" + std::string(20 - i, 'z'), 4, 2});
  for (const int64_t rows : {1, 7, 12}) {
    write(columns, rows, 4);
    expect_read_back(columns, rows);
  }
}

// A node holds 64 chunks: these are trees of one, two and three levels.
TEST_F(Hdf5WriterTest, ManyChunksRoundTrip) {
  const std::vector<Hdf5ColumnSpec> columns = {{"flat", 1, 1, 1}, {"a", 4, 2}};
  for (const int64_t rows : {64, 65, 4096, 4097, 8200}) {
    write(columns, rows, 1);
    expect_read_back(columns, rows);
  }
}

TEST_F(Hdf5WriterTest, LibraryFindsDatasetsByIndexAndCanChangeTheFile) {
  const std::vector<Hdf5ColumnSpec> columns = {{"b", 4, 2}, {"c", 4, 2}, {"a", 4, 2}};
  write(columns, 3, 2);
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5G_info_t info{};
  ASSERT_GE(H5Gget_info(file, &info), 0);
  EXPECT_EQ(info.nlinks, 3U);
  std::array<char, 8> name{};
  H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, 0, name.data(), name.size(),
                     H5P_DEFAULT);
  EXPECT_STREQ(name.data(), "a");
  EXPECT_GE(H5Ldelete(file, "b", H5P_DEFAULT), 0);
  const hid_t group = H5Gcreate2(file, "more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(group, 0);
  H5Gclose(group);
  ASSERT_GE(H5Fclose(file), 0);
  EXPECT_FALSE(Hdf5File(path_).has("b"));
  EXPECT_EQ(test::read_raw(path_, "c"), values(columns[1], 1, 3));
}

}  // namespace
}  // namespace bertha::io
