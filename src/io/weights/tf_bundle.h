#pragma once

// TensorFlow's checkpoint bundle, the format in which Google published BERT. <prefix>.index is a
// LevelDB table (name → BundleEntryProto; blocks are plain or Snappy, each with a CRC-32C), and
// <prefix>.data-i-of-n hold the bytes (tensorflow/core/util/tensor_bundle,
// leveldb/doc/table_format.md).

#include <string>
#include <string_view>
#include <vector>

#include "io/atomic_file.h"
#include "io/weights/tensor_data.h"

namespace bertha::io {

class TfBundle {
 public:
  struct Entry {
    std::string name;
    DType dtype = DType::kF32;
    std::vector<int64_t> shape;
    int64_t shard = 0;
    uint64_t offset = 0;
    uint64_t size_bytes = 0;
    uint32_t masked_crc = 0;
  };

  /// `prefix` is the path without ".index". Checks the whole index. Throws Error.
  explicit TfBundle(const std::string& prefix);

  const std::string& prefix() const { return prefix_; }
  /// Entries by name, including optimizer slots.
  const std::vector<Entry>& entries() const { return entries_; }
  /// Names of entries that are not numeric tensors: strings, resources.
  const std::vector<std::string>& skipped() const { return skipped_; }
  /// A view that must not outlive the bundle. Its CRC is checked.
  TensorData tensor(const Entry& entry) const;

 private:
  void read_index(const MappedFile& index);
  void read_header(std::string_view proto);
  void read_entry(std::string_view name, std::string_view proto);
  void open_shards();

  std::string prefix_;
  std::string index_path_;
  int64_t shard_count_ = 0;
  std::vector<MappedFile> shards_;
  std::vector<Entry> entries_;
  std::vector<std::string> skipped_;
};

}  // namespace bertha::io
