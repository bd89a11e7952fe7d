#include "io/hdf5/hdf5_chunk_array.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "core/error.h"

namespace bertha::io {
namespace {

constexpr uint64_t kChecksumBytes = 4;
constexpr uint64_t kAddressBytes = 8;
constexpr uint64_t kMaskBytes = 4;

/// Entry `bit` of a map of pages: the highest bit of a byte comes first.
bool is_page_used(std::span<const std::byte> map, uint64_t bit) {
  return (std::to_integer<unsigned>(map[bit / 8]) >> (7 - bit % 8) & 1) != 0;
}

/// The entries of either kind of array: the address of a chunk, with filters also its size and the
/// filters that it skips.
class ChunkEntries {
 public:
  ChunkEntries(Hdf5Parts& parts, uint64_t chunk_bytes, const VisitNumberedChunk& visit)
      : parts_(parts), chunk_bytes_(chunk_bytes), visit_(visit) {}

  uint64_t entry_bytes() const { return entry_bytes_; }

  /// Reads the fields of the array's header that say what an entry is.
  void read_kind(Hdf5Fields& header) {
    filtered_ = header.number(1) == 1;
    entry_bytes_ = header.number(1);
    const uint64_t least = kAddressBytes + (filtered_ ? kMaskBytes + 1 : 0);
    const uint64_t most = kAddressBytes + (filtered_ ? kMaskBytes + 8 : 0);
    if (entry_bytes_ < least || entry_bytes_ > most) {
      fail("{}: an array of chunks with entries of {} bytes", parts_.owner(), entry_bytes_);
    }
  }

  /// Entries `first` to `first + count` of the array.
  void read(Hdf5Fields& fields, uint64_t first, uint64_t count) const {
    for (uint64_t i = 0; i < count; ++i) {
      Hdf5IndexedChunk chunk;
      chunk.address = fields.address();
      chunk.bytes = chunk_bytes_;
      if (filtered_) {
        chunk.bytes = fields.number(entry_bytes_ - kAddressBytes - kMaskBytes);
        chunk.skipped_filters = static_cast<uint32_t>(fields.number(kMaskBytes));
      }
      if (chunk.address != kHdf5Undefined) visit_(static_cast<int64_t>(first + i), chunk);
    }
  }

  /// Entries that have a checksum of their own.
  void read_page(uint64_t address, uint64_t first, uint64_t count) const {
    Hdf5Fields fields = parts_.summed_fields(address, count * entry_bytes_ + kChecksumBytes);
    read(fields, first, count);
  }

 private:
  Hdf5Parts& parts_;
  uint64_t chunk_bytes_;
  const VisitNumberedChunk& visit_;
  bool filtered_ = false;
  uint64_t entry_bytes_ = 0;
};

class FixedArray {
 public:
  FixedArray(Hdf5Parts& parts, uint64_t chunk_bytes, const VisitNumberedChunk& visit)
      : parts_(parts), entries_(parts, chunk_bytes, visit) {}

  void run(uint64_t address) {
    constexpr uint64_t kHeaderBytes = 28;
    Hdf5Fields header = parts_.summed_fields(address, kHeaderBytes);
    header.expect("FAHD");
    header.skip(1);
    entries_.read_kind(header);
    const uint64_t page_bits = header.number(1);
    count_ = header.number(8);
    const uint64_t block = header.address();
    if (page_bits > 32 || count_ > uint64_t{1} << 40) {
      fail("{}: a fixed array of {} entries", parts_.owner(), count_);
    }
    if (block != kHdf5Undefined) read_block(block, uint64_t{1} << page_bits);
  }

 private:
  /// The data block: all entries, or pages of them with a bit for each page that is in use.
  void read_block(uint64_t address, uint64_t page_entries) {
    constexpr uint64_t kPrefixBytes = 14;
    const bool paged = count_ > page_entries;
    const uint64_t pages = paged ? (count_ - 1) / page_entries + 1 : 0;
    const uint64_t map_bytes = (pages + 7) / 8;
    const uint64_t entries_bytes = paged ? 0 : count_ * entries_.entry_bytes();
    const uint64_t block_bytes = kPrefixBytes + map_bytes + entries_bytes + kChecksumBytes;
    Hdf5Fields fields = parts_.summed_fields(address, block_bytes);
    fields.expect("FADB");
    fields.skip(kPrefixBytes - 4);
    const std::span<const std::byte> map = fields.bytes(map_bytes);
    if (!paged) return entries_.read(fields, 0, count_);
    const uint64_t page_bytes = page_entries * entries_.entry_bytes() + kChecksumBytes;
    for (uint64_t page = 0; page < pages; ++page) {
      if (!is_page_used(map, page)) continue;
      const uint64_t first = page * page_entries;
      entries_.read_page(address + block_bytes + page * page_bytes, first,
                         std::min(page_entries, count_ - first));
    }
  }

  Hdf5Parts& parts_;
  ChunkEntries entries_;
  uint64_t count_ = 0;
};

/// The first entries lie in the index block. Data blocks follow, whose sizes grow by powers of two.
/// Those of one or two sizes form a secondary block. The index block has the addresses of the data
/// blocks of the first secondary blocks, and those of the other secondary blocks.
class ExtensibleArray {
 public:
  ExtensibleArray(Hdf5Parts& parts, uint64_t chunk_bytes, const VisitNumberedChunk& visit)
      : parts_(parts), entries_(parts, chunk_bytes, visit) {}

  void run(uint64_t address) {
    constexpr uint64_t kHeaderBytes = 72;
    constexpr uint64_t kStatisticsBytes = 48;
    constexpr uint64_t kMostCountBits = 48;  // libhdf5 writes 32
    Hdf5Fields header = parts_.summed_fields(address, kHeaderBytes);
    header.expect("EAHD");
    header.skip(1);
    entries_.read_kind(header);
    count_bits_ = header.number(1);
    index_entries_ = header.number(1);
    least_entries_ = header.number(1);
    least_blocks_ = header.number(1);
    const uint64_t page_bits = header.number(1);
    if (count_bits_ > kMostCountBits || !std::has_single_bit(least_entries_) ||
        !std::has_single_bit(least_blocks_) || page_bits > 32 ||
        secondary_blocks() < grown_from()) {
      fail("{}: an extensible array of 2^{} entries in blocks of {}", parts_.owner(), count_bits_,
           least_entries_);
    }
    page_entries_ = uint64_t{1} << page_bits;
    header.skip(kStatisticsBytes);
    const uint64_t index = header.address();
    if (index != kHdf5Undefined) read_index_block(index);
  }

 private:
  static uint64_t log2(uint64_t power) { return static_cast<uint64_t>(std::countr_zero(power)); }
  /// Number of secondary blocks that the largest array has.
  uint64_t secondary_blocks() const {
    const uint64_t least_bits = log2(least_entries_);
    return count_bits_ < least_bits ? 0 : 1 + count_bits_ - least_bits;
  }
  /// The first secondary block that is stored as such. The data blocks of those before are listed
  /// in the index block.
  uint64_t grown_from() const { return 2 * log2(least_blocks_); }
  static uint64_t blocks_of(uint64_t secondary) { return uint64_t{1} << (secondary / 2); }
  uint64_t block_entries(uint64_t secondary) const {
    return least_entries_ << ((secondary + 1) / 2);
  }
  /// What the header, index, secondary and data blocks have after their signature: version, client,
  /// the header's address.
  static constexpr uint64_t kPrefixBytes = 10;
  uint64_t offset_bytes() const { return (count_bits_ + 7) / 8; }

  void read_index_block(uint64_t address) {
    const uint64_t blocks = 2 * (least_blocks_ - 1);
    const uint64_t others = secondary_blocks() - grown_from();
    Hdf5Fields fields =
        parts_.summed_fields(address, 4 + kPrefixBytes + index_entries_ * entries_.entry_bytes() +
                                          (blocks + others) * kAddressBytes + kChecksumBytes);
    fields.expect("EAIB");
    fields.skip(kPrefixBytes);
    entries_.read(fields, 0, index_entries_);
    next_ = index_entries_;
    for (uint64_t secondary = 0; secondary < grown_from(); ++secondary) {
      for (uint64_t i = 0; i < blocks_of(secondary); ++i) {
        read_block(fields.address(), block_entries(secondary), {}, 0);
      }
    }
    for (uint64_t secondary = grown_from(); secondary < secondary_blocks(); ++secondary) {
      read_secondary(fields.address(), secondary);
    }
  }

  void read_secondary(uint64_t address, uint64_t secondary) {
    const uint64_t blocks = blocks_of(secondary);
    const uint64_t entries = block_entries(secondary);
    if (address == kHdf5Undefined) return void(next_ += blocks * entries);
    const uint64_t pages = pages_of(entries);
    const uint64_t map_bytes = blocks * ((pages + 7) / 8);
    Hdf5Fields fields =
        parts_.summed_fields(address, 4 + kPrefixBytes + offset_bytes() + map_bytes +
                                          blocks * kAddressBytes + kChecksumBytes);
    fields.expect("EASB");
    fields.skip(kPrefixBytes + offset_bytes());
    const std::span<const std::byte> map = fields.bytes(map_bytes);
    for (uint64_t i = 0; i < blocks; ++i) read_block(fields.address(), entries, map, i * pages);
  }

  /// Number of pages of a data block: zero where it has its entries in itself.
  uint64_t pages_of(uint64_t entries) const {
    return entries > page_entries_ ? entries / page_entries_ : 0;
  }

  /// A data block. Bit `first_bit` of `map` says whether its first page is in use.
  void read_block(uint64_t address, uint64_t entries, std::span<const std::byte> map,
                  uint64_t first_bit) {
    const uint64_t first = next_;
    next_ += entries;
    if (address == kHdf5Undefined) return;
    const uint64_t pages = pages_of(entries);
    const uint64_t own_bytes = pages > 0 ? 0 : entries * entries_.entry_bytes();
    const uint64_t block_bytes = 4 + kPrefixBytes + offset_bytes() + own_bytes + kChecksumBytes;
    Hdf5Fields fields = parts_.summed_fields(address, block_bytes);
    fields.expect("EADB");
    fields.skip(kPrefixBytes + offset_bytes());
    if (pages == 0) return entries_.read(fields, first, entries);
    if (map.empty()) fail("{}: a paged block outside a secondary block", parts_.owner());
    const uint64_t page_bytes = page_entries_ * entries_.entry_bytes() + kChecksumBytes;
    for (uint64_t page = 0; page < pages; ++page) {
      if (!is_page_used(map, first_bit + page)) continue;
      entries_.read_page(address + block_bytes + page * page_bytes, first + page * page_entries_,
                         page_entries_);
    }
  }

  Hdf5Parts& parts_;
  ChunkEntries entries_;
  uint64_t count_bits_ = 0;     ///< the array holds at most 2^count_bits_ entries
  uint64_t index_entries_ = 0;  ///< entries in the index block
  uint64_t least_entries_ = 0;  ///< entries of the first data block, a power of two
  uint64_t least_blocks_ = 0;   ///< data blocks of the first stored secondary block, ditto
  uint64_t page_entries_ = 0;
  uint64_t next_ = 0;  ///< number of the first entry of the next block
};

}  // namespace

void visit_hdf5_fixed_array(Hdf5Parts& parts, uint64_t address, uint64_t chunk_bytes,
                            const VisitNumberedChunk& visit) {
  FixedArray(parts, chunk_bytes, visit).run(address);
}

void visit_hdf5_extensible_array(Hdf5Parts& parts, uint64_t address, uint64_t chunk_bytes,
                                 const VisitNumberedChunk& visit) {
  ExtensibleArray(parts, chunk_bytes, visit).run(address);
}

}  // namespace bertha::io
