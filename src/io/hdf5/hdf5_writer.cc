#include "io/hdf5/hdf5_writer.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "io/byte_order.h"
#include "io/hdf5/hdf5_structure.h"

namespace bertha::io {
namespace {

using io::store;

constexpr uint16_t kGroupLeafK = 8;  // half of the number of names in a node of the root group
constexpr uint16_t kGroupInternalK = 16;
constexpr size_t kChunkEntries =
    64;  // entries of a node of a chunk tree, by the superblock's version
constexpr size_t kAlignment = 8;
constexpr size_t kSuperblockBytes = 96;
constexpr size_t kSymbolBytes = 40;

void pad(std::string& bytes, size_t size_bytes) {
  BERTHA_CHECK(bytes.size() <= size_bytes);
  bytes.resize(size_bytes, '\0');
}

size_t aligned(size_t size_bytes) {
  return (size_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Builds an object header of version 1 (IV.A.1.a).
class Header {
 public:
  void add(Hdf5Message::Type type, std::string data, bool is_constant) {
    pad(data, aligned(data.size()));
    store<uint16_t>(messages_, static_cast<uint16_t>(type));
    store<uint16_t>(messages_, static_cast<uint16_t>(data.size()));
    store<uint8_t>(messages_, is_constant ? 1 : 0);
    messages_.append(3, '\0');
    messages_ += data;
    ++count_;
  }

  std::string bytes() const {
    std::string all;
    store<uint8_t>(all, 1);  // version
    store<uint8_t>(all, 0);
    store<uint16_t>(all, count_);
    store<uint32_t>(all, 1);  // references
    store<uint32_t>(all, static_cast<uint32_t>(messages_.size()));
    store<uint32_t>(all, 0);
    return all + messages_;
  }

 private:
  std::string messages_;
  uint16_t count_ = 0;
};

/// Dataspace message, IV.A.2.b. No extent may grow.
std::string dataspace(std::span<const uint64_t> extent) {
  std::string data;
  store<uint8_t>(data, 1);  // version
  store<uint8_t>(data, static_cast<uint8_t>(extent.size()));
  store<uint8_t>(data, 1);  // maximum extents follow
  data.append(5, '\0');
  for (int twice = 0; twice < 2; ++twice) {
    for (const uint64_t length : extent) store(data, length);
  }
  return data;
}

/// Datatype message, IV.A.2.d, class 0: fixed-point.
std::string datatype(int64_t element_bytes) {
  std::string data;
  store<uint32_t>(data, 0x0810);  // version 1, signed
  store<uint32_t>(data, static_cast<uint32_t>(element_bytes));
  store<uint16_t>(data, 0);  // first bit
  store<uint16_t>(data, static_cast<uint16_t>(8 * element_bytes));
  return data;
}

/// Fill value message, IV.A.2.f, version 2: values that were not written are zero, the default.
std::string fill_value() {
  return {"\2\3\2\1\0\0\0\0", 8};
}

/// Filter pipeline message, IV.A.2.l, version 1. It states the reference's gzip level 4; inflaters
/// accept any level.
std::string deflate_pipeline() {
  std::string data("\1\1\0\0\0\0\0\0", 8);  // version, filters
  store<uint16_t>(data, 1);                 // number of the deflate filter
  store<uint16_t>(data, 8);                 // size of its name
  store<uint16_t>(data, 1);                 // the filter may be skipped
  store<uint16_t>(data, 1);                 // number of parameters
  data.append("deflate\0", 8);
  store<uint32_t>(data, 4);
  return data;
}

/// Data layout message, IV.A.2.i, version 3, class 2: chunked.
std::string chunked_layout(std::span<const uint64_t> chunk, int64_t element_bytes, uint64_t tree) {
  std::string data;
  store<uint8_t>(data, 3);
  store<uint8_t>(data, 2);
  store<uint8_t>(data, static_cast<uint8_t>(chunk.size() + 1));
  store(data, tree);
  for (const uint64_t length : chunk) store<uint32_t>(data, static_cast<uint32_t>(length));
  store<uint32_t>(data, static_cast<uint32_t>(element_bytes));
  return data;
}

/// The header of a node of a version 1 B-tree (III.A.1).
std::string tree_node(Hdf5Tree type, int level, size_t entries, uint64_t left, uint64_t right) {
  std::string node = "TREE";
  store<uint8_t>(node, static_cast<uint8_t>(type));
  store<uint8_t>(node, static_cast<uint8_t>(level));
  store<uint16_t>(node, static_cast<uint16_t>(entries));
  store(node, left);
  store(node, right);
  return node;
}

/// The names of the root group (III.D), the empty name first, and their offsets.
struct Names {
  std::string bytes = std::string(kAlignment, '\0');
  std::vector<uint64_t> offset;

  explicit Names(std::span<const Hdf5ColumnSpec> columns) {
    for (const Hdf5ColumnSpec& column : columns) {
      offset.push_back(bytes.size());
      bytes += column.name;
      pad(bytes, aligned(bytes.size() + 1));
    }
  }
};

}  // namespace

Hdf5Writer::Hdf5Writer(io::AtomicFile& file, std::span<const Hdf5ColumnSpec> columns, int64_t rows,
                       int64_t chunk_rows)
    : file_(file),
      columns_(columns),
      rows_(static_cast<uint64_t>(rows)),
      chunk_rows_(static_cast<uint64_t>(chunk_rows)),
      chunks_(columns.size()) {
  BERTHA_CHECK(rows > 0 && chunk_rows > 0 && columns.size() <= 2 * kGroupLeafK);
  file_.write(std::string(kSuperblockBytes, '\0'));
}

void Hdf5Writer::add_chunk(size_t column, std::span<const std::byte> deflated) {
  BERTHA_CHECK(deflated.size() <= UINT32_MAX);
  std::vector<Place>& chunks = chunks_[column];
  chunks.push_back({chunks.size() * chunk_rows_, static_cast<uint32_t>(deflated.size()),
                    static_cast<uint64_t>(file_.size_bytes())});
  file_.write(deflated);
}

/// Writes `bytes` and returns their address.
uint64_t Hdf5Writer::append(const std::string& bytes) {
  const auto end = static_cast<size_t>(file_.size_bytes());
  file_.write(std::string(aligned(end) - end, '\0'));
  file_.write(bytes);
  return aligned(end);
}

uint64_t Hdf5Writer::write_chunk_tree(size_t column) {
  std::vector<Place> places = write_level(column, 0, chunks_[column]);
  for (int level = 1; places.size() > 1; ++level) places = write_level(column, level, places);
  return places.front().address;
}

/// Writes the nodes above `below`, one after the other.
std::vector<Hdf5Writer::Place> Hdf5Writer::write_level(size_t column, int level,
                                                       std::span<const Place> below) {
  const auto rank = static_cast<size_t>(columns_[column].rank);
  const size_t key_bytes = 8 + 8 * (rank + 1);
  const size_t node_bytes = 24 + kChunkEntries * 8 + (kChunkEntries + 1) * key_bytes;
  const size_t nodes = (below.size() + kChunkEntries - 1) / kChunkEntries;
  const uint64_t begin = aligned(static_cast<size_t>(file_.size_bytes()));
  const auto add_key = [&](std::string& node, uint64_t row, uint32_t bytes) {
    store(node, bytes);
    store<uint32_t>(node, 0);  // mask of skipped filters
    store(node, row);
    for (size_t i = 0; i < rank; ++i) store<uint64_t>(node, 0);
  };
  std::vector<Place> places;
  for (size_t n = 0; n < nodes; ++n) {
    const auto entries = below.subspan(n * kChunkEntries);
    const size_t count = std::min(entries.size(), kChunkEntries);
    const uint64_t address = begin + n * node_bytes;
    std::string node =
        tree_node(Hdf5Tree::kChunks, level, count, n > 0 ? address - node_bytes : kHdf5Undefined,
                  n + 1 < nodes ? address + node_bytes : kHdf5Undefined);
    for (const Place& entry : entries.first(count)) {
      add_key(node, entry.row, entry.bytes);
      store(node, entry.address);
    }
    add_key(node,
            count < entries.size() ? entries[count].row : chunks_[column].size() * chunk_rows_, 0);
    pad(node, node_bytes);
    places.push_back({entries.front().row, entries.front().bytes, append(node)});
  }
  return places;
}

uint64_t Hdf5Writer::write_dataset_header(size_t column, uint64_t chunk_tree) {
  const Hdf5ColumnSpec& c = columns_[column];
  const auto rank = static_cast<size_t>(c.rank);
  const std::array<uint64_t, 2> extent = {rows_, static_cast<uint64_t>(c.width)};
  const std::array<uint64_t, 2> chunk = {chunk_rows_, extent[1]};
  Header header;
  header.add(Hdf5Message::kDataspace, dataspace(std::span(extent).first(rank)), false);
  header.add(Hdf5Message::kDatatype, datatype(c.element_bytes), true);
  header.add(Hdf5Message::kFillValue, fill_value(), true);
  header.add(Hdf5Message::kFilterPipeline, deflate_pipeline(), true);
  header.add(Hdf5Message::kDataLayout,
             chunked_layout(std::span(chunk).first(rank), c.element_bytes, chunk_tree), false);
  return append(header.bytes());
}

void Hdf5Writer::finish() {
  std::vector<uint64_t> headers;
  for (size_t i = 0; i < columns_.size(); ++i) {
    BERTHA_CHECK(chunks_[i].size() == (rows_ + chunk_rows_ - 1) / chunk_rows_);
    headers.push_back(write_dataset_header(i, write_chunk_tree(i)));
  }
  write_root_group(headers);
}

/// A group of the first format: a tree with one symbol node, sorted by name.
void Hdf5Writer::write_root_group(std::span<const uint64_t> headers) {
  const Names names(columns_);
  std::vector<std::pair<std::string_view, size_t>> by_name;
  for (size_t i = 0; i < columns_.size(); ++i) by_name.emplace_back(columns_[i].name, i);
  std::ranges::sort(by_name);

  std::string heap = "HEAP";  // III.D
  store<uint32_t>(heap, 0);   // version
  store<uint64_t>(heap, names.bytes.size());
  store<uint64_t>(heap, 1);  // no free block in the heap
  store<uint64_t>(heap, append(names.bytes));
  const uint64_t heap_address = append(heap);

  std::string symbols = "SNOD";  // III.B
  store<uint16_t>(symbols, 1);   // version
  store<uint16_t>(symbols, static_cast<uint16_t>(by_name.size()));
  for (const auto& [name, column] : by_name) {
    store(symbols, names.offset[column]);
    store(symbols, headers[column]);
    symbols.append(24, '\0');
  }
  pad(symbols, 8 + 2 * kGroupLeafK * kSymbolBytes);

  std::string tree = tree_node(Hdf5Tree::kGroup, 0, 1, kHdf5Undefined, kHdf5Undefined);
  store<uint64_t>(tree, 0);  // the empty name sorts first
  store(tree, append(symbols));
  store(tree, names.offset[by_name.back().second]);
  pad(tree, 24 + 2 * kGroupInternalK * 8 + (2 * kGroupInternalK + 1) * 8);
  const uint64_t tree_address = append(tree);

  std::string table;  // IV.A.2.r
  store(table, tree_address);
  store(table, heap_address);
  Header root;
  root.add(Hdf5Message::kSymbolTable, table, false);
  write_superblock(append(root.bytes()), tree_address, heap_address);
}

/// Superblock, II.A, version 0.
void Hdf5Writer::write_superblock(uint64_t root_header, uint64_t group_tree, uint64_t heap) {
  std::string block = "\x89HDF\r\n\x1a\n";
  block.append(5, '\0');        // versions
  block.append("\x8\x8\0", 3);  // bytes of an address and of a length
  store(block, kGroupLeafK);
  store(block, kGroupInternalK);
  store<uint32_t>(block, 0);
  store<uint64_t>(block, 0);  // base address
  store(block, kHdf5Undefined);
  store(block, static_cast<uint64_t>(file_.size_bytes()));
  store(block, kHdf5Undefined);
  store<uint64_t>(block, 0);  // the root group's name
  store(block, root_header);
  store<uint64_t>(block, 1);  // a group's B-tree and heap follow
  store(block, group_tree);
  store(block, heap);
  BERTHA_CHECK(block.size() == kSuperblockBytes);
  file_.overwrite(0, std::as_bytes(std::span(block)));
}

}  // namespace bertha::io
