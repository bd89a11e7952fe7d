#include "io/weights/tf_bundle.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "core/error.h"
#include "io/archive/crc32c.h"
#include "io/archive/snappy.h"
#include "io/byte_order.h"
#include "io/verify_checksums.h"
#include "io/weights/varint.h"

namespace bertha::io {
namespace {

constexpr uint64_t kFooterBytes = 48;
constexpr uint64_t kTableMagic = 0xdb4775248b80fb57U;
constexpr uint64_t kTrailerBytes = 5;  // compression, CRC
constexpr uint64_t kMaxBlockBytes = uint64_t{1}
                                    << 24;  // also when expanded; TensorFlow writes 256 KiB
constexpr size_t kMaxSnappyRatio = 32;      // a copy of 64 bytes takes three bytes
constexpr size_t kMaxEntries = 100'000;     // BERT-Large with its optimizer has about 1,200
constexpr size_t kMaxKeyBytes = 1024;
constexpr int64_t kMaxShards = 10000;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The location of a block of the table.
struct BlockHandle {
  uint64_t offset = 0;
  uint64_t size = 0;
};

std::optional<BlockHandle> take_handle(std::string_view& text) {
  const auto offset = take_varint(text);
  const auto size = take_varint(text);
  if (!offset || !size) return std::nullopt;
  return BlockHandle{*offset, *size};
}

/// Reads the blocks of one table.
class Table {
 public:
  using Visitor = std::function<void(std::string_view key, std::string_view value)>;
  explicit Table(const MappedFile& file) : file_(file) {}

  /// Calls `visit` for every entry in order.
  void visit_all(const Visitor& visit) const {
    if (file_.bytes().size() < kFooterBytes) bad("no footer", 0);
    const uint64_t at = file_.bytes().size() - kFooterBytes;
    std::string_view footer = text_of(file_.slice(at, kFooterBytes, "the footer"));
    if (load<uint64_t>(file_.bytes().data() + at + 40) != kTableMagic) bad("no table footer", at);
    take_handle(footer);  // the meta index with filters, unused here
    const auto index = take_handle(footer);
    if (!index) bad("a damaged footer", at);
    uint64_t next = 0;
    visit_block(*index, [&](std::string_view, std::string_view value) {
      const auto data = take_handle(value);
      if (!data || data->offset < next) bad("a damaged index", index->offset);
      visit_block(*data, visit);
      next = data->offset + data->size;  // offsets must ascend, so that no block is read twice
    });
  }

 private:
  [[noreturn]] void bad(std::string_view what, uint64_t offset) const {
    fail("{}: damaged index of a TensorFlow checkpoint: {} at byte {}", file_.path(), what, offset);
  }

  void visit_block(const BlockHandle& handle, const Visitor& visit) const {
    if (handle.size > kMaxBlockBytes) bad("a block that is too large", handle.offset);
    std::string_view block =
        text_of(file_.slice(handle.offset, handle.size + kTrailerBytes, "a block of the index"));
    const auto* trailer = reinterpret_cast<const std::byte*>(block.data()) + handle.size;
    const uint32_t crc = masked_crc32c(crc32c(block.substr(0, handle.size + 1)));
    if (kVerifyChecksums && crc != load<uint32_t>(trailer + 1)) {
      bad("a block with a wrong CRC", handle.offset);
    }
    const auto compression = static_cast<uint8_t>(trailer[0]);
    block = block.substr(0, handle.size);
    std::optional<std::vector<char>> expanded;
    if (compression == 1) {
      expanded = snappy_expand(block, std::min(block.size() * kMaxSnappyRatio, kMaxBlockBytes));
      if (!expanded) bad("a damaged Snappy block", handle.offset);
      block = {expanded->data(), expanded->size()};
    } else if (compression != 0) {
      bad(fmt::format("compression {}, expected none or Snappy", compression), handle.offset);
    }
    visit_entries(block, handle.offset, visit);
  }

  /// An entry shares the start of its key with the previous entry. The restart points at the end of
  /// the block are needed for searches only.
  void visit_entries(std::string_view block, uint64_t offset, const Visitor& visit) const {
    if (block.size() < 4) bad("a block without restart points", offset);
    const auto* end = reinterpret_cast<const std::byte*>(block.data()) + block.size();
    const auto restarts = load<uint32_t>(end - 4);
    if (restarts > (block.size() - 4) / 4) bad("too many restart points", offset);
    block.remove_suffix(4 + size_t{restarts} * 4);
    std::string key;
    while (!block.empty()) {
      const auto shared = take_varint(block);
      const auto fresh = take_varint(block);
      const auto size = take_varint(block);
      if (!shared || !fresh || !size || *shared > key.size() || *fresh > block.size() ||
          *size > block.size() - *fresh) {
        bad("a damaged entry", offset);
      }
      if (*shared + *fresh > kMaxKeyBytes) bad("a name that is too long", offset);
      key.resize(*shared);
      key += block.substr(0, *fresh);
      visit(key, block.substr(*fresh, *size));
      block.remove_prefix(*fresh + *size);
    }
  }

  const MappedFile& file_;
};

/// One field of a protocol buffer: its number and its value or bytes.
struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

/// Removes the next field from the message. Returns nothing when the message is damaged.
std::optional<Field> take_field(std::string_view& message) {
  const auto tag = take_varint(message);
  if (!tag) return std::nullopt;
  Field field;
  field.number = *tag >> 3U;
  uint64_t size = 0;
  switch (*tag & 7U) {
    case 0: {
      const auto value = take_varint(message);
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case 1:
      size = 8;
      break;
    case 2: {
      const auto length = take_varint(message);
      if (!length) return std::nullopt;
      size = *length;
      break;
    }
    case 5:
      size = 4;
      break;
    default:
      return std::nullopt;
  }
  if (size > message.size()) return std::nullopt;
  field.bytes = message.substr(0, size);
  if ((*tag & 7U) == 5)
    field.value = load<uint32_t>(reinterpret_cast<const std::byte*>(field.bytes.data()));
  message.remove_prefix(size);
  return field;
}

/// Calls visit(field) for each field. Returns false when the message is damaged.
template <typename Visit>
bool for_each_field(std::string_view message, const Visit& visit) {
  while (!message.empty()) {
    const auto field = take_field(message);
    if (!field || !visit(*field)) return false;
  }
  return true;
}

/// TensorShapeProto: repeated Dim dim = 2 {int64 size = 1}; bool unknown_rank = 3.
bool parse_shape(std::string_view message, std::vector<int64_t>& shape) {
  return for_each_field(message, [&](const Field& field) {
    if (field.number == 3) return field.value == 0;
    if (field.number != 2) return true;
    shape.push_back(0);
    return shape.size() <= 16 && for_each_field(field.bytes, [&](const Field& dim) {
             if (dim.number == 1) shape.back() = static_cast<int64_t>(dim.value);
             return true;
           });
  });
}

/// tensorflow::DataType (types.proto).
std::optional<DType> dtype_of(uint64_t number) {
  switch (number) {
    case 1:
      return DType::kF32;
    case 2:
      return DType::kF64;
    case 3:
      return DType::kI32;
    case 4:
      return DType::kU8;
    case 6:
      return DType::kI8;
    case 9:
      return DType::kI64;
    case 10:
      return DType::kBool;
    case 14:
      return DType::kBF16;
    case 19:
      return DType::kF16;
    default:
      return std::nullopt;
  }
}

}  // namespace

TfBundle::TfBundle(const std::string& prefix) : prefix_(prefix), index_path_(prefix + ".index") {
  const MappedFile index(index_path_);
  read_index(index);
  open_shards();
}

void TfBundle::read_index(const MappedFile& index) {
  std::string last;
  bool first = true;
  Table(index).visit_all([&](std::string_view key, std::string_view value) {
    if (first != key.empty()) fail("{}: expected the header first", index_path_);
    if (!first && key <= last) fail("{}: entry {} is out of order", index_path_, key);
    if (first) {
      read_header(value);
    } else {
      read_entry(key, value);
    }
    first = false;
    last = key;
    if (entries_.size() + skipped_.size() > kMaxEntries) fail("{}: too many entries", index_path_);
  });
  if (first) fail("{}: the index is empty", index_path_);
}

// BundleHeaderProto: num_shards = 1, endianness = 2 (0 little), version = 3.
void TfBundle::read_header(std::string_view proto) {
  uint64_t shards = 0;
  const bool good = for_each_field(proto, [&](const Field& field) {
    if (field.number == 1) shards = field.value;
    if (field.number == 2 && field.value != 0) {
      fail("{}: saved on a big-endian machine, which is not supported", index_path_);
    }
    return true;
  });
  if (!good || shards == 0 || shards > static_cast<uint64_t>(kMaxShards)) {
    fail("{}: damaged header: {} shards", index_path_, shards);
  }
  shard_count_ = static_cast<int64_t>(shards);
}

// BundleEntryProto: dtype = 1, shape = 2, shard_id = 3, offset = 4, size = 5, crc32c = 6 (masked),
// slices = 7.
void TfBundle::read_entry(std::string_view name, std::string_view proto) {
  Entry entry;
  entry.name = name;
  uint64_t type = 0;
  bool sliced = false;
  const bool good = for_each_field(proto, [&](const Field& field) {
    if (field.number == 1) type = field.value;
    if (field.number == 2) return parse_shape(field.bytes, entry.shape);
    if (field.number == 3) entry.shard = static_cast<int64_t>(field.value);
    if (field.number == 4) entry.offset = field.value;
    if (field.number == 5) entry.size_bytes = field.value;
    if (field.number == 6) entry.masked_crc = static_cast<uint32_t>(field.value);
    sliced = sliced || field.number == 7;
    return true;
  });
  if (!good) fail("{}: damaged entry {}", index_path_, entry.name);
  if (sliced) fail("{}: {} is split over several slices, not supported", index_path_, entry.name);
  const auto dtype = dtype_of(type);
  if (!dtype) {
    skipped_.push_back(entry.name);
    return;
  }
  entry.dtype = *dtype;
  const int64_t count = element_count(entry.shape);
  if (count < 0 || static_cast<uint64_t>(count * size_of(entry.dtype)) != entry.size_bytes) {
    fail("{}: {} of {} {} has {} bytes", index_path_, entry.name, shape_string(entry.shape),
         name_of(entry.dtype), entry.size_bytes);
  }
  if (entry.shard < 0 || entry.shard >= shard_count_) {
    fail("{}: {} is in shard {} of {}", index_path_, entry.name, entry.shard, shard_count_);
  }
  entries_.push_back(std::move(entry));
}

void TfBundle::open_shards() {
  for (int64_t i = 0; i < shard_count_; ++i) {
    shards_.emplace_back(fmt::format("{}.data-{:05}-of-{:05}", prefix_, i, shard_count_));
  }
  for (const Entry& entry : entries_) {
    shards_[static_cast<size_t>(entry.shard)].slice(entry.offset, entry.size_bytes, entry.name);
  }
}

TensorData TfBundle::tensor(const Entry& entry) const {
  const MappedFile& shard = shards_[static_cast<size_t>(entry.shard)];
  const auto bytes = shard.slice(entry.offset, entry.size_bytes, entry.name);
  if (kVerifyChecksums && masked_crc32c(crc32c(text_of(bytes))) != entry.masked_crc) {
    fail("{}: {} is damaged: its CRC-32C differs", shard.path(), entry.name);
  }
  return {entry.dtype, entry.shape, bytes, nullptr};
}

}  // namespace bertha::io
