#include "io/hdf5/hdf5_structure.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "core/error.h"
#include "io/byte_order.h"
#include "io/verify_checksums.h"

namespace bertha::io {
namespace {

constexpr size_t kChecksumBytes = 4;

/// Bob Jenkins' lookup3, hashlittle() with initial value 0: the checksum of all HDF5 metadata.
uint32_t lookup3(std::span<const std::byte> bytes) {
  uint32_t a = 0xdeadbeef + static_cast<uint32_t>(bytes.size());
  uint32_t b = a;
  uint32_t c = a;
  if (bytes.empty()) return c;
  const auto add = [&](std::span<const std::byte> part) {
    std::array<uint32_t, 3> words{};
    std::memcpy(words.data(), part.data(), part.size());
    a += words[0];
    b += words[1];
    c += words[2];
  };
  const auto mix = [](uint32_t& x, uint32_t y, uint32_t& z, int bits) {
    x = (x - z) ^ std::rotl(z, bits);
    z += y;
  };
  for (; bytes.size() > 12; bytes = bytes.subspan(12)) {
    add(bytes.first(12));
    mix(a, b, c, 4);
    mix(b, c, a, 6);
    mix(c, a, b, 8);
    mix(a, b, c, 16);
    mix(b, c, a, 19);
    mix(c, a, b, 4);
  }
  add(bytes);
  const auto end = [](uint32_t& x, uint32_t y, int bits) { x = (x ^ y) - std::rotl(y, bits); };
  end(c, b, 14);
  end(a, c, 11);
  end(b, a, 25);
  end(c, b, 16);
  end(a, c, 4);
  end(b, a, 14);
  end(c, b, 24);
  return c;
}

/// An object header and its continuation blocks.
class ObjectHeader {
 public:
  using Visit = std::function<void(const Hdf5Message&)>;

  ObjectHeader(Hdf5Parts& parts, uint64_t address) : parts_(parts) {
    is_version_2_ = std::memcmp(parts.bytes(address, 4).data(), "OHDR", 4) == 0;
    if (is_version_2_) {
      open_version_2(address);
    } else {
      open_version_1(address);
    }
  }

  void visit(const Visit& visit) {
    for (size_t i = 0; i < blocks_.size(); ++i) visit_block(blocks_[i], visit);
  }

 private:
  void open_version_1(uint64_t address) {
    constexpr uint64_t kPrefixBytes = 16;
    Hdf5Fields fields = parts_.fields(address, kPrefixBytes);
    if (fields.number(1) != 1) fail("{}: no object header at offset {}", parts_.owner(), address);
    fields.skip(7);
    blocks_.push_back(parts_.fields(address + kPrefixBytes, fields.number(4)));
  }

  void open_version_2(uint64_t address) {
    constexpr uint64_t kStartBytes = 6;
    Hdf5Fields start = parts_.fields(address, kStartBytes);
    start.skip(4);
    const uint64_t version = start.number(1);
    if (version != 2) fail("{}: an object header of version {}", parts_.owner(), version);
    const uint64_t flags = start.number(1);
    has_creation_order_ = (flags & 4) != 0;
    const uint64_t optional_bytes = ((flags & 16) != 0 ? 4U : 0U) + ((flags & 32) != 0 ? 16U : 0U);
    const size_t width = size_t{1} << (flags & 3);
    const uint64_t prefix_bytes = kStartBytes + optional_bytes + width;
    const uint64_t message_bytes =
        parts_.fields(address + prefix_bytes - width, width).number(width);
    blocks_.push_back(parts_.summed_fields(
        address, saturating_add(prefix_bytes + kChecksumBytes, message_bytes)));
    blocks_.back().skip(prefix_bytes);
  }

  void visit_block(Hdf5Fields block, const Visit& visit) {
    const size_t prefix_bytes = !is_version_2_ ? 8 : has_creation_order_ ? 6 : 4;
    while (block.left() >= prefix_bytes) {
      Hdf5Message message;
      message.type = block.number(is_version_2_ ? 1 : 2);
      const uint64_t bytes = block.number(2);
      message.flags = block.number(1);
      block.skip(!is_version_2_ ? 3 : has_creation_order_ ? 2 : 0);
      message.data = block.bytes(bytes);
      if (message.type == Hdf5Message::kContinuation) {
        add_block({message.data, parts_.owner()});
      } else {
        visit(message);
      }
    }
  }

  void add_block(Hdf5Fields continuation) {
    const uint64_t address = continuation.address();
    const uint64_t bytes = continuation.number(8);
    if (bytes == 0) fail("{}: an empty part of an object header", parts_.owner());
    blocks_.push_back(is_version_2_ ? parts_.summed_fields(address, bytes)
                                    : parts_.fields(address, bytes));
    if (is_version_2_) blocks_.back().expect("OCHK");
  }

  /// The sum, or the largest number on overflow, which exceeds the size of every file.
  static uint64_t saturating_add(uint64_t a, uint64_t b) { return a + std::min(b, ~a); }

  Hdf5Parts& parts_;
  bool is_version_2_ = false;
  bool has_creation_order_ = false;
  std::vector<Hdf5Fields> blocks_;
};

/// Visits the node at `address`, which is `above` levels above the leaves (nothing for the root).
void visit_node(Hdf5Parts& parts, uint64_t address, Hdf5Tree type, size_t key_bytes,
                std::optional<uint64_t> above,
                const std::function<void(Hdf5Fields key, uint64_t child)>& visit) {
  constexpr uint64_t kHeaderBytes = 24;
  constexpr uint64_t kAddressBytes = 8;
  Hdf5Fields header = parts.fields(address, kHeaderBytes);
  header.expect("TREE");
  const uint64_t node_type = header.number(1);
  const uint64_t level = header.number(1);
  if (node_type != static_cast<uint64_t>(type) || level != above.value_or(level)) {
    fail("{}: a node of type {} and level {} in its B-tree", parts.owner(), node_type, level);
  }
  const uint64_t entries = header.number(2);
  Hdf5Fields fields = parts.fields(address + kHeaderBytes, entries * (key_bytes + kAddressBytes));
  for (uint64_t i = 0; i < entries; ++i) {
    const Hdf5Fields key(fields.bytes(key_bytes), parts.owner());
    const uint64_t child = fields.address();
    if (level == 0) {
      visit(key, child);
    } else {
      visit_node(parts, child, type, key_bytes, level - 1, visit);
    }
  }
}

}  // namespace

uint64_t Hdf5Fields::number(size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, bytes(width).data(), std::min(width, sizeof(value)));
  return value;
}

std::span<const std::byte> Hdf5Fields::bytes(uint64_t count) {
  if (count > bytes_.size()) fail("{}: a structure of the file is cut off", *owner_);
  const std::span<const std::byte> taken = bytes_.first(count);
  bytes_ = bytes_.subspan(count);
  return taken;
}

void Hdf5Fields::expect(std::string_view signature) {
  if (std::memcmp(bytes(signature.size()).data(), signature.data(), signature.size()) != 0) {
    fail("{}: expected {} where the file says it is", *owner_, signature);
  }
}

std::span<const std::byte> Hdf5Parts::bytes(uint64_t address, uint64_t size) {
  const uint64_t file_bytes = file_.size();
  if (address > file_bytes || size > file_bytes - address) {
    fail("{}: {} bytes expected at offset {}, the file has {}", owner_, size, address, file_bytes);
  }
  if (size > left_) fail("{}: its parts overlap", owner_);
  left_ -= size;
  return file_.subspan(address, size);
}

Hdf5Fields Hdf5Parts::summed_fields(uint64_t address, uint64_t size) {
  if (size < kChecksumBytes) fail("{}: a part of {} bytes", owner_, size);
  const std::span<const std::byte> all = bytes(address, size);
  const std::span<const std::byte> summed = all.first(size - kChecksumBytes);
  if (kVerifyChecksums && io::load<uint32_t>(all.data() + summed.size()) != lookup3(summed)) {
    fail("{}: the checksum at offset {} differs", owner_, address + summed.size());
  }
  return {summed, owner_};
}

void visit_hdf5_messages(Hdf5Parts& parts, uint64_t address,
                         const std::function<void(const Hdf5Message&)>& visit) {
  ObjectHeader(parts, address).visit(visit);
}

void visit_hdf5_tree(Hdf5Parts& parts, uint64_t address, Hdf5Tree type, size_t key_bytes,
                     const std::function<void(Hdf5Fields key, uint64_t child)>& visit) {
  visit_node(parts, address, type, key_bytes, std::nullopt, visit);
}

}  // namespace bertha::io
