#pragma once

// The elements of HDF5 files: fields, object headers and B-trees ("HDF5 File Format Specification
// Version 3.0"). For hdf5_*.cc only.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace bertha::io {

inline constexpr uint64_t kHdf5Undefined = ~uint64_t{0};  ///< the undefined address

/// Reads the fields of one structure: consecutive little-endian numbers. Throws Error that names
/// the owner when the structure is too short.
class Hdf5Fields {
 public:
  Hdf5Fields(std::span<const std::byte> bytes, const std::string& owner)
      : bytes_(bytes), owner_(&owner) {}

  size_t left() const { return bytes_.size(); }
  /// An unsigned number of `width` bytes, 1 to 8.
  uint64_t number(size_t width);
  uint64_t address() { return number(8); }
  std::span<const std::byte> bytes(uint64_t count);
  void skip(uint64_t count) { bytes(count); }
  /// Throws Error unless the next bytes are these.
  void expect(std::string_view signature);

 private:
  std::span<const std::byte> bytes_;
  const std::string* owner_;
};

/// The parts of one object in the file, read while addresses are followed. The parts of a valid
/// file do not overlap, so together they are no larger than the file. This limit ends cycles and
/// trees whose nodes share children.
class Hdf5Parts {
 public:
  /// Every error begins with `owner`: the file and the object in it. `file` is the file without its
  /// user block: addresses count from its first byte.
  Hdf5Parts(std::span<const std::byte> file, std::string owner)
      : file_(file), owner_(std::move(owner)), left_(file.size()) {}

  const std::string& owner() const { return owner_; }
  std::span<const std::byte> bytes(uint64_t address, uint64_t size);
  Hdf5Fields fields(uint64_t address, uint64_t size) { return {bytes(address, size), owner_}; }
  /// Fields of a part whose last four bytes are a checksum of the others; the checksum is excluded.
  Hdf5Fields summed_fields(uint64_t address, uint64_t size);

 private:
  std::span<const std::byte> file_;
  std::string owner_;
  uint64_t left_;
};

/// A message of an object header (IV.A.2).
struct Hdf5Message {
  enum Type : uint64_t {
    kDataspace = 0x01,
    kLinkInfo = 0x02,
    kDatatype = 0x03,
    kFillValue = 0x05,
    kLink = 0x06,
    kExternalFiles = 0x07,
    kDataLayout = 0x08,
    kFilterPipeline = 0x0b,
    kContinuation = 0x10,
    kSymbolTable = 0x11,
  };
  static constexpr uint64_t kShared = 2;  ///< flag: the data gives the location of the message

  uint64_t type = 0;
  uint64_t flags = 0;
  std::span<const std::byte> data;
};

/// Visits the messages of the object header at `address`, version 1 or 2 (IV.A.1).
void visit_hdf5_messages(Hdf5Parts& parts, uint64_t address,
                         const std::function<void(const Hdf5Message&)>& visit);

/// The children of a B-tree of version 1 (III.A.1).
enum class Hdf5Tree : uint64_t { kGroup = 0, kChunks = 1 };

/// Visits the keys of all leaves of the tree at `address` in order, each with the child address
/// that follows it.
void visit_hdf5_tree(Hdf5Parts& parts, uint64_t address, Hdf5Tree type, size_t key_bytes,
                     const std::function<void(Hdf5Fields key, uint64_t child)>& visit);

}  // namespace bertha::io
