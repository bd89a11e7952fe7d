#include "io/hdf5/hdf5_chunk_array.h"

#include <algorithm>

#include "core/error.h"

namespace bertha::io {
namespace {

constexpr uint64_t kChecksumBytes = 4;
constexpr uint64_t kAddressBytes = 8;
constexpr uint64_t kMaskBytes = 4;

class FixedArray {
 public:
  using Visit = std::function<void(int64_t, const Hdf5IndexedChunk&)>;

  FixedArray(Hdf5Parts& parts, uint64_t chunk_bytes, const Visit& visit)
      : parts_(parts), chunk_bytes_(chunk_bytes), visit_(visit) {}

  void run(uint64_t address) {
    constexpr uint64_t kHeaderBytes = 28;
    Hdf5Fields header = parts_.summed_fields(address, kHeaderBytes);
    header.expect("FAHD");
    header.skip(1);
    filtered_ = header.number(1) == 1;
    element_bytes_ = header.number(1);
    const uint64_t page_bits = header.number(1);
    count_ = header.number(8);
    const uint64_t block = header.address();
    const uint64_t least = kAddressBytes + (filtered_ ? kMaskBytes + 1 : 0);
    const uint64_t most = kAddressBytes + (filtered_ ? kMaskBytes + 8 : 0);
    if (element_bytes_ < least || element_bytes_ > most || page_bits > 32 ||
        count_ > uint64_t{1} << 40) {
      fail("{}: a fixed array of {} entries of {} bytes", parts_.owner(), count_, element_bytes_);
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
    const uint64_t entries_bytes = paged ? 0 : count_ * element_bytes_;
    const uint64_t block_bytes = kPrefixBytes + map_bytes + entries_bytes + kChecksumBytes;
    Hdf5Fields fields = parts_.summed_fields(address, block_bytes);
    fields.expect("FADB");
    fields.skip(kPrefixBytes - 4);
    const std::span<const std::byte> map = fields.bytes(map_bytes);
    if (!paged) return read_entries(fields, 0, count_);
    for (uint64_t page = 0; page < pages; ++page) {
      const auto bits = std::to_integer<unsigned>(map[page / 8]);
      if ((bits >> (7 - page % 8) & 1) == 0) continue;
      const uint64_t first = page * page_entries;
      const uint64_t count = std::min(page_entries, count_ - first);
      const uint64_t page_bytes = page_entries * element_bytes_ + kChecksumBytes;
      Hdf5Fields entries = parts_.summed_fields(address + block_bytes + page * page_bytes,
                                                count * element_bytes_ + kChecksumBytes);
      read_entries(entries, first, count);
    }
  }

  void read_entries(Hdf5Fields& fields, uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      Hdf5IndexedChunk chunk;
      chunk.address = fields.address();
      chunk.bytes = chunk_bytes_;
      if (filtered_) {
        chunk.bytes = fields.number(element_bytes_ - kAddressBytes - kMaskBytes);
        chunk.skipped_filters = static_cast<uint32_t>(fields.number(kMaskBytes));
      }
      if (chunk.address != kHdf5Undefined) visit_(static_cast<int64_t>(first + i), chunk);
    }
  }

  Hdf5Parts& parts_;
  uint64_t chunk_bytes_;
  const Visit& visit_;
  bool filtered_ = false;
  uint64_t element_bytes_ = 0;
  uint64_t count_ = 0;
};

}  // namespace

void visit_hdf5_fixed_array(
    Hdf5Parts& parts, uint64_t address, uint64_t chunk_bytes,
    const std::function<void(int64_t number, const Hdf5IndexedChunk& chunk)>& visit) {
  FixedArray(parts, chunk_bytes, visit).run(address);
}

}  // namespace bertha::io
