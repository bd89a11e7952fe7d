#pragma once

// Files of torch.save. Reading: the zip format (PyTorch 1.6 and later) and the one before it, any
// tree of values; tensors are views into the mapped file. Nothing of the pickle is executed
// (pickle.h). Writing: the zip format, as torch.load(weights_only=True) reads it back.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/archive/zip.h"
#include "io/atomic_file.h"
#include "io/weights/pickle.h"
#include "io/weights/tensor_data.h"

namespace bertha::io {

/// One file, for one thread at a time. Tensors are views that must not outlive it.
class TorchFile {
 public:
  /// Opens the file and reads the tree of values; tensors' bytes are read when asked for.
  explicit TorchFile(const std::string& path);

  /// True when the file starts as one of the two formats does.
  static bool matches(std::span<const std::byte> bytes);

  const std::string& path() const { return file_.path(); }
  int64_t size_bytes() const { return file_.size_bytes(); }
  const PickleValue& root() const { return *root_; }
  /// Checks the sum of every entry, whether a tensor uses it or not; the old format has no sums.
  void verify() const;

  /// True for an object that makes a tensor or a numpy array; reading it may still fail.
  static bool is_tensor(const PickleValue& value);
  /// dtype and shape of a tensor, without its bytes. `name` stands in messages.
  TensorData describe(const PickleValue& value, std::string_view name) const;
  /// The tensor, made contiguous. Its storage's CRC is checked at the first use. Throws Error for
  /// a value that is no tensor, naming what it is.
  TensorData tensor(const PickleValue& value, std::string_view name) const;

 private:
  friend class TensorDecoder;
  struct Storage {
    std::span<const std::byte> bytes;  ///< empty until the first use of a deflated entry
    uint64_t size_bytes = 0;
    const ZipEntry* entry = nullptr;  ///< null in the old format, which has no sums
    bool checked = false;
    std::vector<std::byte> inflated;
  };

  void read_zip();
  void read_note(const ZipEntry& entry, const std::string& prefix) const;
  void read_legacy();
  void read_legacy_storages(const PickleValue& keys, std::string_view rest);
  /// Bytes of a storage, after its sum was checked.
  std::span<const std::byte> storage_bytes(Storage& storage) const;

  MappedFile file_;
  std::unique_ptr<ZipReader> zip_;
  std::vector<std::byte> pickle_;  ///< data.pkl, if it was deflated
  PickleTree tree_;
  const PickleValue* root_ = nullptr;
  mutable std::map<std::string, Storage, std::less<>> storages_;
};

/// Makes a file of torch.save: build a tree of values with tensors in it, then save().
class TorchWriter {
 public:
  PickleTree& tree() { return tree_; }

  /// A tensor of row-major data; used twice in the tree it is one storage under two names. The
  /// data must stay until save().
  const PickleValue& tensor(DType dtype, std::span<const int64_t> shape,
                            std::span<const std::byte> data);
  /// The same, its data asked for at save(), so that they need not be in memory at once.
  const PickleValue& tensor(DType dtype, std::span<const int64_t> shape, ByteSource source);

  /// Writes the file aside and gives it its name. Throws Error; an older file then stays.
  void save(const std::string& path, const PickleValue& root) const;

 private:
  struct Storage {
    int64_t size_bytes;
    ByteSource source;
  };
  PickleTree tree_;
  std::vector<Storage> storages_;
};

}  // namespace bertha::io
