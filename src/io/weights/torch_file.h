#pragma once

// Files of torch.save. The reader accepts the zip format (PyTorch 1.6 and later) and the older
// format, with any tree of values. Tensors are views into the mapped file, and nothing in the
// pickle is executed (pickle.h). The writer makes the zip format, which
// torch.load(weights_only=True) reads.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/archive/zip.h"
#include "io/atomic_file.h"
#include "io/weights/pickle.h"
#include "io/weights/tensor_source.h"

namespace bertha::io {

/// One open file, for one thread at a time. Tensors are views that must not outlive it.
class TorchFile {
 public:
  /// Opens the file and reads the tree of values. The bytes of tensors are read on demand.
  explicit TorchFile(const std::string& path);

  /// True when the file begins as one of the two formats does.
  static bool matches(std::span<const std::byte> bytes);

  const std::string& path() const { return file_.path(); }
  int64_t size_bytes() const { return file_.size_bytes(); }
  const PickleValue& root() const { return *root_; }
  /// TensorSource::refused_globals().
  std::vector<std::string> refused_globals() const;
  /// Checks the checksum of every entry, even if no tensor uses it. The older format has no
  /// checksums.
  void verify() const;

  /// True for an object that describes a tensor or a numpy array; reading it may still fail.
  static bool is_tensor(const PickleValue& value);
  /// Type and shape of a tensor, without its bytes, under this name.
  TensorInfo info(const PickleValue& value, std::string_view name) const;
  /// The tensor, made contiguous. The CRC of its storage is checked at the first use. Throws Error
  /// that names the kind of `value` when it is not a tensor.
  TensorData tensor(const PickleValue& value, std::string_view name) const;

 private:
  friend class TensorDecoder;
  struct Storage {
    std::span<const std::byte> bytes;  ///< empty until the first use of a deflated entry
    uint64_t size_bytes = 0;
    const ZipEntry* entry = nullptr;  ///< null in the older format, which has no checksums
    bool checked = false;
    std::vector<std::byte> inflated;
  };

  void read_zip();
  void read_note(const ZipEntry& entry, const std::string& prefix) const;
  void read_legacy();
  void read_legacy_storages(const PickleValue& keys, std::string_view rest);
  /// Bytes of a storage, after a check of its checksum.
  std::span<const std::byte> storage_bytes(Storage& storage) const;

  MappedFile file_;
  std::unique_ptr<ZipReader> zip_;
  std::vector<std::byte> pickle_;  ///< data.pkl, if it was deflated
  PickleTree tree_;
  const PickleValue* root_ = nullptr;
  mutable std::map<std::string, Storage, std::less<>> storages_;
};

/// Writes a file of torch.save: build a tree of values with tensors in it, then call save().
class TorchWriter {
 public:
  PickleTree& tree() { return tree_; }

  /// A tensor of row-major data. If the tree uses it twice, the file has one storage under two
  /// names. The data must stay valid until save().
  const PickleValue& tensor(DType dtype, std::span<const int64_t> shape,
                            std::span<const std::byte> data);
  /// The same, but `source` supplies the data at save(), so that not all tensors are in memory at
  /// once.
  const PickleValue& tensor(DType dtype, std::span<const int64_t> shape, ByteSource source);

  /// Writes the file through AtomicFile. Throws Error; an older file then stays.
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
