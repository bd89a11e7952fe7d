#pragma once

// Data sets of HDF5 files without the product's reader and writer: to check what one wrote, and to
// make what the other must read or refuse.

#include <gtest/gtest.h>
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

/// Stores the first chunk of a data set of 4-byte integers, which holds all its values, undeflated.
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

/// A file of data sets as a test wants them.
class RawFile {
 public:
  explicit RawFile(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~RawFile() { H5Fclose(file_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  /// `chunk` empty: contiguous; else chunked and deflated, and shuffled when narrower than a row.
  /// Without values nothing is stored.
  void add(const std::string& name, const RawValues& raw, const std::vector<hsize_t>& chunk = {},
           hid_t type = H5T_STD_I32LE) {
    const hid_t space =
        H5Screate_simple(static_cast<int>(raw.extent.size()), raw.extent.data(), nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) {
      H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      if (chunk.back() < raw.extent.back()) H5Pset_shuffle(creation);
      H5Pset_deflate(creation, 9);
    }
    const hid_t dataset =
        H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (!raw.values.empty()) {
      H5Dwrite(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.values.data());
    }
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
  }

 private:
  hid_t file_;
};

}  // namespace bertha::test
