#include "io/hdf5/hdf5_file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "core/error.h"
#include "io/hdf5/hdf5_chunk_array.h"
#include "io/hdf5/hdf5_chunk_tree.h"
#include "io/hdf5/hdf5_names.h"
#include "io/hdf5/hdf5_structure.h"

namespace bertha::io {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr std::string_view kRemedy = "`h5repack -l CONTI OLD NEW` rewrites such a file";
constexpr int64_t kMaxDeflateRatio = 1032;         // largest ratio of the deflate format
constexpr int64_t kSlackBytes = int64_t{1} << 20;  // for a last, partly used chunk
constexpr uint64_t kMaxExtent = uint64_t{1} << 31;
constexpr uint64_t kNumberBytes = 8;  // size of addresses and lengths
constexpr uint64_t kLargestSigned = ~uint64_t{0} >> 1;
constexpr int64_t kUnlimited = static_cast<int64_t>(kLargestSigned);

/// The file from its superblock on. A user block before it has 512 bytes, or that times a power of
/// two (II.A). Empty: the file has no superblock.
std::span<const std::byte> without_user_block(const io::MappedFile& file) {
  constexpr size_t kSmallestUserBlock = 512;
  const std::string_view text = file.text();
  for (size_t at = 0; at < text.size(); at = at == 0 ? kSmallestUserBlock : 2 * at) {
    if (text.substr(at).starts_with(kSignature)) return file.bytes().subspan(at);
  }
  return {};
}

/// Returns the address of the root group's object header. Also checks the file's end against the
/// superblock (II.A). As in libhdf5, addresses count from the superblock, wherever it says it is.
uint64_t read_superblock(std::span<const std::byte> bytes, const std::string& path) {
  const std::string owner = path + ": not a whole HDF5 file";
  if (bytes.empty()) fail("{}: no signature", owner);
  Hdf5Parts parts(bytes, owner);
  const uint64_t version = parts.fields(kSignature.size(), 1).number(1);
  if (version > 3) fail("{}: superblock of version {}", owner, version);
  const bool is_first_format = version < 2;
  const uint64_t tree_sizes_bytes = version == 1 ? 4 : 0;
  Hdf5Fields fields =
      is_first_format ? parts.fields(0, 72 + tree_sizes_bytes) : parts.summed_fields(0, 48);
  fields.skip(is_first_format ? 13 : 9);
  if (fields.number(1) != kNumberBytes || fields.number(1) != kNumberBytes) {
    fail("{}: expected addresses and lengths of 8 bytes", owner);
  }
  fields.skip(is_first_format ? 9 + tree_sizes_bytes : 1);
  const uint64_t base = fields.address();
  fields.skip(8);  // free space or extension
  const uint64_t end = fields.address();
  if (end < base || end - base > bytes.size()) {
    fail("{}: {} bytes of {}", owner, bytes.size(), end < base ? end : end - base);
  }
  if (is_first_format) fields.skip(16);  // driver information, the group's name
  return fields.address();
}

/// Follows the links of the root group to the one named `name`.
class LinkSearch {
 public:
  LinkSearch(std::span<const std::byte> file, const std::string& path, std::string_view name)
      : parts_(file, path + ": the root group"), name_(name) {}

  /// The address of the object header, or kHdf5Undefined.
  uint64_t run(uint64_t group_header) {
    visit_hdf5_messages(parts_, group_header, [this](const Hdf5Message& message) {
      Hdf5Fields fields(message.data, parts_.owner());
      if (message.type == Hdf5Message::kSymbolTable) search_symbol_table(fields);
      if (message.type == Hdf5Message::kLink) read_link(fields);
      if (message.type == Hdf5Message::kLinkInfo) check_link_info(fields);
    });
    return found_;
  }

 private:
  /// A group of the first format: a B-tree of symbol nodes, whose names lie in a heap (III.A.1,
  /// III.B, III.D).
  void search_symbol_table(Hdf5Fields fields) {
    const uint64_t tree = fields.address();
    Hdf5Fields heap = parts_.fields(fields.address(), 32);
    heap.expect("HEAP");
    heap.skip(4);
    const uint64_t heap_bytes = heap.number(kNumberBytes);
    heap.skip(kNumberBytes);
    names_ = parts_.bytes(heap.address(), heap_bytes);
    visit_hdf5_tree(parts_, tree, Hdf5Tree::kGroup, kNumberBytes,
                    [this](Hdf5Fields /*key*/, uint64_t node) { search_symbols(node); });
  }

  void search_symbols(uint64_t address) {
    constexpr uint64_t kHeaderBytes = 8;
    constexpr uint64_t kEntryBytes = 40;
    constexpr uint64_t kSoftLink = 2;
    Hdf5Fields header = parts_.fields(address, kHeaderBytes);
    header.expect("SNOD");
    header.skip(2);
    const uint64_t symbols = header.number(2);
    Hdf5Fields entries = parts_.fields(address + kHeaderBytes, symbols * kEntryBytes);
    for (uint64_t i = 0; i < symbols; ++i) {
      const uint64_t name_offset = entries.number(kNumberBytes);
      const uint64_t object = entries.address();
      const bool is_hard = entries.number(4) != kSoftLink;
      entries.skip(20);
      if (is_hard && is_name_at(name_offset)) found_ = object;
    }
  }

  bool is_name_at(uint64_t offset) const {
    if (offset >= names_.size() || names_.size() - offset <= name_.size()) return false;
    const std::byte* name = names_.data() + offset;
    return std::memcmp(name, name_.data(), name_.size()) == 0 && name[name_.size()] == std::byte{0};
  }

  /// Link message, IV.A.2.g.
  void read_link(Hdf5Fields fields) {
    constexpr uint64_t kHard = 0;
    fields.skip(1);
    const uint64_t flags = fields.number(1);
    const uint64_t type = (flags & 8) != 0 ? fields.number(1) : kHard;
    if ((flags & 4) != 0) fields.skip(8);   // creation order
    if ((flags & 16) != 0) fields.skip(1);  // character set
    const std::span<const std::byte> name = fields.bytes(fields.number(size_t{1} << (flags & 3)));
    if (type == kHard && name.size() == name_.size() &&
        std::memcmp(name.data(), name_.data(), name.size()) == 0) {
      found_ = fields.address();
    }
  }

  /// Link info message, IV.A.2.c: groups with many links keep them in a separate heap.
  void check_link_info(Hdf5Fields fields) const {
    fields.skip(1);
    if ((fields.number(1) & 1) != 0) fields.skip(8);  // creation order
    if (fields.address() != kHdf5Undefined) {
      fail("{}: its links are in a fractal heap, which is not supported; {}", parts_.owner(),
           kRemedy);
    }
  }

  Hdf5Parts parts_;
  std::string_view name_;
  std::span<const std::byte> names_;  ///< names of a symbol table
  uint64_t found_ = kHdf5Undefined;
};

/// The description of a dataset, read from its object header.
class DatasetReader {
 public:
  DatasetReader(std::span<const std::byte> file, const std::string& path, std::string_view name)
      : parts_(file, fmt::format("{}: {}", path, name)),
        most_address_(file.size()),
        most_bytes_(std::ssize(file) * kMaxDeflateRatio + kSlackBytes) {}

  Hdf5Dataset read(uint64_t header) {
    std::array<std::span<const std::byte>, Hdf5Message::kFilterPipeline + 1> messages;
    visit_hdf5_messages(parts_, header, [&](const Hdf5Message& message) {
      if (message.type >= messages.size()) return;
      if ((message.flags & Hdf5Message::kShared) != 0) {
        fail_with(
            "its type is committed, that is shared with other objects, which is not supported; "
            "write it anew from h5py");
      }
      messages[message.type] = message.data;
    });
    const auto fields = [&](Hdf5Message::Type type) {
      return Hdf5Fields(messages[type], parts_.owner());
    };
    if (messages[Hdf5Message::kDataLayout].empty()) fail_with("is not a dataset");
    if (!messages[Hdf5Message::kExternalFiles].empty()) fail_with("values lie outside this file");
    read_type(fields(Hdf5Message::kDatatype));
    read_space(fields(Hdf5Message::kDataspace));
    if (!messages[Hdf5Message::kFillValue].empty()) read_fill(fields(Hdf5Message::kFillValue));
    if (!messages[Hdf5Message::kFilterPipeline].empty()) {
      read_filters(fields(Hdf5Message::kFilterPipeline));
    }
    read_layout(fields(Hdf5Message::kDataLayout));
    check_order_of_chunks();
    return std::move(dataset_);
  }

 private:
  template <typename... Args>
  [[noreturn]] void fail_with(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}: {}", parts_.owner(), fmt::format(format, std::forward<Args>(args)...));
  }

  /// Datatype message, IV.A.2.d. Enumerations (h5py's booleans) are read as their integers, bit
  /// fields as unsigned integers.
  void read_type(Hdf5Fields fields) {
    enum : uint64_t { kFixedPoint = 0, kBitField = 4, kEnumeration = 8 };
    constexpr uint64_t kEnumerationHeaderBytes = 7;
    uint64_t type = fields.number(1) & 15;
    if (type == kEnumeration) {
      fields.skip(kEnumerationHeaderBytes);
      type = fields.number(1) & 15;
    }
    if (type != kFixedPoint && type != kBitField) {
      fail_with("expected integers, found {}", describe_hdf5_type(type));
    }
    const uint64_t bits = fields.number(3);
    const uint64_t bytes = fields.number(4);
    const uint64_t first_bit = fields.number(2);
    const uint64_t precision = fields.number(2);
    const bool is_whole = first_bit == 0 && precision == 8 * bytes;
    if (!is_whole || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)) {
      fail_with("expected integers of 1, 2, 4 or 8 whole bytes");
    }
    const bool has_sign = type == kFixedPoint && (bits & 8) != 0;
    dataset_.type = {static_cast<int64_t>(bytes), has_sign, (bits & 1) != 0};
  }

  /// Dataspace message, IV.A.2.b. Extents are limited to what a file of this size can hold with
  /// deflate.
  void read_space(Hdf5Fields fields) {
    const uint64_t version = fields.number(1);
    const uint64_t rank = fields.number(1);
    const bool has_limits = (fields.number(1) & 1) != 0;
    fields.skip(version == 1 ? 5 : 1);
    if (rank != 1 && rank != 2) fail_with("has {} dimensions, expected 1 or 2", rank);
    dataset_.rank = static_cast<int>(rank);
    for (size_t i = 0; i < rank; ++i) {
      const uint64_t extent = fields.number(kNumberBytes);
      if (extent == 0 || extent > kMaxExtent) fail_with("extent {}, expected 1 to 2^31", extent);
      dataset_.extent[i] = static_cast<int64_t>(extent);
    }
    most_extent_ = dataset_.extent;
    for (size_t i = 0; i < rank && has_limits; ++i) {
      most_extent_[i] = static_cast<int64_t>(fields.number(kNumberBytes) & kLargestSigned);
      if (most_extent_[i] < dataset_.extent[i]) fail_with("an extent beyond its limit");
    }
    const auto [rows, width] = dataset_.extent;
    if (rows > most_bytes_ / width / dataset_.type.bytes) {
      fail_with("{} rows of {}, more than a file of its size holds", rows, width);
    }
  }

  /// Fill value message, IV.A.2.f.
  void read_fill(Hdf5Fields fields) {
    const uint64_t version = fields.number(1);
    const uint64_t first = fields.number(1);
    bool is_defined = (first & 32) != 0;
    if (version < 3) {
      fields.skip(1);
      is_defined = fields.number(1) != 0;
    }
    if (!is_defined) return;
    const uint64_t bytes = fields.number(4);
    if (bytes != 0 && bytes != static_cast<uint64_t>(dataset_.type.bytes)) {
      fail_with("a fill value of {} bytes, expected {}", bytes, dataset_.type.bytes);
    }
    dataset_.fill_value = fields.bytes(bytes);
  }

  /// Filter pipeline message, IV.A.2.l.
  void read_filters(Hdf5Fields fields) {
    const uint64_t version = fields.number(1);
    const uint64_t count = fields.number(1);
    if (version == 1) fields.skip(6);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t id = fields.number(2);
      const uint64_t name_bytes = version == 1 || id >= 256 ? fields.number(2) : 0;
      fields.skip(2);
      const uint64_t values = fields.number(2);
      fields.skip(name_bytes);
      add_filter(static_cast<Hdf5Filter>(id), fields, values);
      if (version == 1 && values % 2 == 1) fields.skip(4);
    }
  }

  void add_filter(Hdf5Filter filter, Hdf5Fields& fields, uint64_t values) {
    if (filter != Hdf5Filter::kDeflate && filter != Hdf5Filter::kShuffle &&
        filter != Hdf5Filter::kFletcher32 && filter != Hdf5Filter::kLzf) {
      fail_with(
          "compressed with {}, expected gzip, lzf, shuffle or fletcher32; "
          "`h5repack -f GZIP=4 OLD NEW` rewrites such a file where libhdf5 has the filter",
          describe_hdf5_filter(static_cast<uint16_t>(filter)));
    }
    if (std::ranges::count(dataset_.filters, filter) != 0) {
      fail_with("{} twice", describe_hdf5_filter(static_cast<uint16_t>(filter)));
    }
    Hdf5Fields first(fields.bytes(4 * values), parts_.owner());
    if (filter == Hdf5Filter::kShuffle &&
        first.number(4) != static_cast<uint64_t>(dataset_.type.bytes)) {
      fail_with("shuffled by another size than that of its integers");
    }
    dataset_.filters.push_back(filter);
  }

  /// Data layout message, IV.A.2.i, versions 3 to 5. Version 5 (HDF5 2.0) allows larger chunks; its
  /// fields are those of version 4.
  void read_layout(Hdf5Fields fields) {
    enum : uint64_t { kCompact, kContiguous, kChunked };
    const uint64_t version = fields.number(1);
    const uint64_t layout = fields.number(1);
    if (version < 3 || version > 5) {
      fail_with("a data layout of version {}, expected 3 to 5; {}", version, kRemedy);
    }
    dataset_.chunk_extent = dataset_.extent;
    if (layout == kCompact) {
      add_whole(fields.bytes(fields.number(2)));
    } else if (layout == kContiguous) {
      const uint64_t address = fields.address();
      const uint64_t bytes = fields.number(kNumberBytes);
      if (address != kHdf5Undefined) add_whole(parts_.bytes(address, bytes));
    } else if (layout == kChunked && version == 3) {
      read_chunk_tree(fields);
    } else if (layout == kChunked) {
      read_chunk_index(fields);
    } else {
      fail_with("values lie outside this file");
    }
  }

  void add_whole(std::span<const std::byte> values) {
    if (!dataset_.filters.empty()) fail_with("filters without chunks");
    dataset_.chunks.push_back({0, 0, values});
  }

  /// The sizes of a chunk: its extents and the size of an element, numbers of `width` bytes.
  void read_chunk_extent(Hdf5Fields& fields, uint64_t dimensions, uint64_t width) {
    const auto rank = static_cast<uint64_t>(dataset_.rank);
    if (dimensions != rank + 1) fail_with("chunks of {} dimensions, expected {}", dimensions, rank);
    if (width < 1 || width > 8) fail_with("chunk sizes of {} bytes", width);
    for (size_t i = 0; i < rank; ++i) {
      dataset_.chunk_extent[i] = static_cast<int64_t>(fields.number(width) & kLargestSigned);
    }
    const auto [rows, columns] = dataset_.chunk_extent;
    if (rows == 0 || columns == 0 || rows > most_bytes_ / columns / dataset_.type.bytes) {
      fail_with("chunks of {} by {}, more than a file of its size holds", rows, columns);
    }
    if (fields.number(width) != static_cast<uint64_t>(dataset_.type.bytes)) {
      fail_with("chunks of another size than that of its integers");
    }
  }

  void read_chunk_tree(Hdf5Fields& fields) {
    const uint64_t dimensions = fields.number(1);
    const uint64_t tree = fields.address();
    read_chunk_extent(fields, dimensions, 4);
    if (tree == kHdf5Undefined) return;
    const size_t key_bytes = 8 + dimensions * 8;
    visit_hdf5_tree(parts_, tree, Hdf5Tree::kChunks, key_bytes,
                    [this](Hdf5Fields key, uint64_t address) { add_keyed_chunk(key, address); });
  }

  void add_keyed_chunk(Hdf5Fields key, uint64_t address) {
    const uint64_t bytes = key.number(4);
    const auto skipped_filters = static_cast<uint32_t>(key.number(4));
    std::array<int64_t, 2> place = {0, 0};
    for (size_t i = 0; i < static_cast<size_t>(dataset_.rank); ++i) {
      const uint64_t offset = key.number(8);
      const auto step = static_cast<uint64_t>(dataset_.chunk_extent[i]);
      if (offset >= static_cast<uint64_t>(dataset_.extent[i]) || offset % step != 0) {
        fail_with("a chunk at {}, expected multiples of {} below {}", offset, step,
                  dataset_.extent[i]);
      }
      place[i] = static_cast<int64_t>(offset / step);
    }
    add_chunk(place, skipped_filters, parts_.bytes(address, bytes));
  }

  void add_chunk(const std::array<int64_t, 2>& place, uint32_t skipped_filters,
                 std::span<const std::byte> stored) {
    const int64_t number = place[0] * dataset_.chunks_across() + place[1];
    dataset_.chunks.push_back({number, skipped_filters, stored});
  }

  /// The column searches among the chunks, and no chunk stands in a file twice.
  void check_order_of_chunks() const {
    const auto& chunks = dataset_.chunks;
    if (std::ranges::adjacent_find(chunks, std::greater_equal(), &Hdf5Chunk::number) !=
        chunks.end()) {
      fail_with("chunks out of order");
    }
  }

  /// The chunks of layout versions 4 and 5 (IV.A.2.i, VII): a single chunk, chunks one after the
  /// other, or an index of their addresses.
  void read_chunk_index(Hdf5Fields& fields) {
    enum : uint64_t { kSingle = 1, kImplicit, kFixedArray, kExtensibleArray, kTree };
    constexpr std::array<uint64_t, kTree + 1> kParameterBytes = {0, 0, 0, 1, 5, 6};
    constexpr uint64_t kFilteredSingle = 2;
    const uint64_t flags = fields.number(1);
    plain_edges_ = (flags & 1) != 0;
    const uint64_t dimensions = fields.number(1);
    read_chunk_extent(fields, dimensions, fields.number(1));
    const uint64_t index = fields.number(1);
    if (index < kSingle || index > kTree) fail_with("an index of chunks of kind {}", index);
    Hdf5IndexedChunk single = {.address = 0, .bytes = chunk_bytes(), .skipped_filters = 0};
    if (index == kSingle && (flags & kFilteredSingle) != 0) {
      single.bytes = fields.number(kNumberBytes);
      single.skipped_filters = static_cast<uint32_t>(fields.number(4));
    }
    fields.skip(kParameterBytes[index]);  // which the index repeats
    single.address = fields.address();
    if (single.address == kHdf5Undefined) return;
    if (index == kSingle) add_placed_chunk({0, 0}, single);
    if (index == kImplicit) add_chunks_in_a_row(single);
    if (index == kFixedArray) read_fixed_array(single.address);
    if (index == kExtensibleArray) read_extensible_array(single.address);
    if (index == kTree) {
      visit_hdf5_chunk_tree(parts_, single.address, dataset_.rank, chunk_bytes(),
                            [this](const auto& place, const Hdf5IndexedChunk& chunk) {
                              add_placed_chunk(place, chunk);
                            });
    }
  }

  void add_chunks_in_a_row(Hdf5IndexedChunk chunk) {
    int64_t count = 0;
    if (__builtin_mul_overflow(most_chunks(0), most_chunks(1), &count) ||
        count > most_bytes_ / static_cast<int64_t>(chunk_bytes())) {
      fail_with("more chunks than a file of its size holds");
    }
    if (chunk.address > most_address_) fail_with("chunks at offset {}", chunk.address);
    const uint64_t first = chunk.address;
    for (int64_t row = 0; row < present_chunks(0); ++row) {
      for (int64_t column = 0; column < present_chunks(1); ++column) {
        const int64_t number = row * most_chunks(1) + column;
        chunk.address = first + static_cast<uint64_t>(number) * chunk_bytes();
        add_numbered_chunk(number, chunk);
      }
    }
  }

  void read_fixed_array(uint64_t address) {
    visit_hdf5_fixed_array(parts_, address, chunk_bytes(),
                           [this](int64_t number, const Hdf5IndexedChunk& chunk) {
                             add_numbered_chunk(number, chunk);
                           });
  }

  /// The array counts along the dimension that grows last: where rows become longer, a column of
  /// chunks lies behind the other.
  void read_extensible_array(uint64_t address) {
    const bool by_column = dataset_.rank == 2 && most_extent_[1] == kUnlimited;
    if (!by_column && most_extent_[0] != kUnlimited) fail_with("an index that grows without need");
    const auto across = static_cast<uint64_t>(most_chunks(by_column ? 0 : 1));
    visit_hdf5_extensible_array(parts_, address, chunk_bytes(),
                                [&](int64_t number, const Hdf5IndexedChunk& chunk) {
                                  const auto count = static_cast<uint64_t>(number);
                                  std::array<uint64_t, 2> place = {count / across, count % across};
                                  if (by_column) std::swap(place[0], place[1]);
                                  add_placed_chunk(place, chunk);
                                });
    std::ranges::sort(dataset_.chunks, {}, &Hdf5Chunk::number);
  }

  uint64_t chunk_bytes() const {
    return static_cast<uint64_t>(dataset_.chunk_extent[0] * dataset_.chunk_extent[1] *
                                 dataset_.type.bytes);
  }
  /// Number of chunks along a dimension at the largest extent that the dataset may have.
  int64_t most_chunks(size_t dimension) const {
    return (most_extent_[dimension] - 1) / dataset_.chunk_extent[dimension] + 1;
  }

  /// The same at the present extent.
  int64_t present_chunks(size_t dimension) const {
    return (dataset_.extent[dimension] - 1) / dataset_.chunk_extent[dimension] + 1;
  }

  /// `number` counts the chunks of the largest extent, row by row.
  void add_numbered_chunk(int64_t number, const Hdf5IndexedChunk& chunk) {
    add_placed_chunk({static_cast<uint64_t>(number / most_chunks(1)),
                      static_cast<uint64_t>(number % most_chunks(1))},
                     chunk);
  }

  /// Chunks outside the present extent hold no values.
  void add_placed_chunk(const std::array<uint64_t, 2>& place, const Hdf5IndexedChunk& chunk) {
    bool edge = false;
    for (size_t i = 0; i < place.size(); ++i) {
      const auto last = static_cast<uint64_t>((dataset_.extent[i] - 1) / dataset_.chunk_extent[i]);
      if (place[i] > last) return;
      edge = edge || (place[i] == last && dataset_.extent[i] % dataset_.chunk_extent[i] != 0);
    }
    const bool plain = plain_edges_ && edge;
    add_chunk({static_cast<int64_t>(place[0]), static_cast<int64_t>(place[1])},
              plain ? ~uint32_t{0} : chunk.skipped_filters,
              parts_.bytes(chunk.address, chunk.bytes));
  }

  Hdf5Parts parts_;
  uint64_t most_address_;
  int64_t most_bytes_;  ///< most bytes that a file of this size can hold with deflate
  std::array<int64_t, 2> most_extent_ = {0, 1};  ///< the extent to which the dataset may grow
  bool plain_edges_ = false;  ///< chunks that reach over the extent are not filtered
  Hdf5Dataset dataset_;
};

}  // namespace

bool is_hdf5(const std::string& path) {
  return !without_user_block(io::MappedFile(path)).empty();
}

Hdf5File::Hdf5File(std::string path)
    : file_(std::move(path)),
      bytes_(without_user_block(file_)),
      root_header_(read_superblock(bytes_, file_.path())) {}

uint64_t Hdf5File::find(std::string_view name) const {
  return LinkSearch(bytes_, file_.path(), name).run(root_header_);
}

bool Hdf5File::has(std::string_view name) const {
  return find(name) != kHdf5Undefined;
}

Hdf5Dataset Hdf5File::dataset(std::string_view name) const {
  const uint64_t header = find(name);
  if (header == kHdf5Undefined) fail("{}: dataset '{}' is missing", file_.path(), name);
  return DatasetReader(bytes_, file_.path(), name).read(header);
}

}  // namespace bertha::io
