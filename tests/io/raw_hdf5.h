#pragma once

// Datasets of HDF5 files without the program's reader and writer. Tests use them to check written
// files, and to make files that the reader must accept or reject.

#include <gtest/gtest.h>
// The interface of HDF5 1.10, which later releases keep under this name.
#define H5_USE_110_API
#include <hdf5.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bertha::test {

struct RawValues {
  std::vector<hsize_t> extent;
  std::vector<int32_t> values;
  bool operator==(const RawValues&) const = default;
};

inline RawValues read_raw(const std::string& path, const std::string& name) {
  RawValues raw;
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(access, false, true);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  const hid_t dataset = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  raw.extent.resize(static_cast<size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, raw.extent.data(), nullptr);
  raw.values.resize(static_cast<size_t>(H5Sget_simple_extent_npoints(space)));
  EXPECT_GE(H5Dread(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.values.data()), 0)
      << path << " " << name;
  H5Sclose(space);
  H5Dclose(dataset);
  H5Fclose(file);
  H5Pclose(access);
  return raw;
}

/// Stores the first chunk of a dataset of 4-byte integers without deflate. The chunk must hold all
/// values.
inline void store_plain_chunk(const std::string& path, const std::string& name,
                              const RawValues& raw) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
  const std::vector<hsize_t> offset(raw.extent.size(), 0);
  EXPECT_GE(H5Dwrite_chunk(dataset, H5P_DEFAULT, 1, offset.data(), raw.values.size() * 4,
                           raw.values.data()),
            0);
  H5Dclose(dataset);
  H5Fclose(file);
}

/// How a dataset is stored in its file.
struct RawStorage {
  std::vector<hsize_t> chunk{};  ///< empty: contiguous
  hid_t type = H5T_STD_I32LE;
  bool compact = false;
  bool deflate = false;
  bool shuffle = false;
  bool fletcher32 = false;
  int32_t fill = 0;
  std::vector<hsize_t> limit{};  ///< the extent up to which it may grow; empty: it does not grow
};

/// A file with the datasets that a test needs, by default in the format of HDF5 1.0.
class RawFile {
 public:
  explicit RawFile(const std::string& path, H5F_libver_t format = H5F_LIBVER_EARLIEST) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, format,
                         format == H5F_LIBVER_EARLIEST ? H5F_LIBVER_LATEST : format);
    file_ = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
  }
  ~RawFile() { H5Fclose(file_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  hid_t id() const { return file_; }

  /// Adds a dataset with the first `rows` rows of values, by default all. Stores nothing if there
  /// are no values.
  void add(const std::string& name, const RawValues& raw, const RawStorage& storage = {},
           hsize_t rows = 0) {
    const auto rank = static_cast<int>(raw.extent.size());
    const hid_t space = H5Screate_simple(rank, raw.extent.data(),
                                         storage.limit.empty() ? nullptr : storage.limit.data());
    const hid_t creation = creation_of(storage);
    const hid_t dataset =
        H5Dcreate2(file_, name.c_str(), storage.type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (!raw.values.empty()) {
      const std::vector<hsize_t> start(raw.extent.size(), 0);
      std::vector<hsize_t> count = raw.extent;
      if (rows > 0) count[0] = rows;
      const hid_t memory = H5Screate_simple(rank, count.data(), nullptr);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
      EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, raw.values.data()),
                0)
          << name;
      H5Sclose(memory);
    }
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
  }

 private:
  static hid_t creation_of(const RawStorage& storage) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (storage.compact) H5Pset_layout(creation, H5D_COMPACT);
    if (!storage.chunk.empty()) {
      H5Pset_chunk(creation, static_cast<int>(storage.chunk.size()), storage.chunk.data());
    }
    if (storage.shuffle) H5Pset_shuffle(creation);
    if (storage.deflate) H5Pset_deflate(creation, 9);
    if (storage.fletcher32) H5Pset_fletcher32(creation);
    H5Pset_fill_value(creation, H5T_NATIVE_INT32, &storage.fill);
    return creation;
  }

  hid_t file_ = H5I_INVALID_HID;
};

}  // namespace bertha::test
