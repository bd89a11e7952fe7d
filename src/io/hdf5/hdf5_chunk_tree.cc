#include "io/hdf5/hdf5_chunk_tree.h"

#include <bit>
#include <vector>

#include "core/error.h"

namespace bertha::io {
namespace {

constexpr uint64_t kAddressBytes = 8;
constexpr uint64_t kMaskBytes = 4;
constexpr uint64_t kPlaceBytes = 8;
constexpr uint64_t kNodeOverheadBytes = 10;  // signature, version, type, checksum

/// Bytes of a field for numbers up to `most`.
uint64_t width_for(uint64_t most) {
  return (static_cast<uint64_t>(std::bit_width(most | 1)) - 1) / 8 + 1;
}

class ChunkTree {
 public:
  ChunkTree(Hdf5Parts& parts, int rank, uint64_t chunk_bytes, const VisitPlacedChunk& visit)
      : parts_(parts), rank_(static_cast<size_t>(rank)), chunk_bytes_(chunk_bytes), visit_(visit) {}

  void run(uint64_t address) {
    constexpr uint64_t kHeaderBytes = 38;
    Hdf5Fields header = parts_.summed_fields(address, kHeaderBytes);
    header.expect("BTHD");
    header.skip(1);
    type_ = header.number(1);
    const uint64_t node_bytes = header.number(4);
    record_bytes_ = header.number(2);
    const uint64_t depth = header.number(2);
    header.skip(2);
    const uint64_t root = header.address();
    const uint64_t records = header.number(2);
    check_records();
    set_widths(node_bytes, depth);
    if (root != kHdf5Undefined) read_node(root, records, depth);
  }

 private:
  bool is_filtered() const { return type_ == kFilteredChunks; }

  void check_records() const {
    const uint64_t plain_bytes = kAddressBytes + rank_ * kPlaceBytes;
    const uint64_t least = plain_bytes + (is_filtered() ? kMaskBytes + 1 : 0);
    const uint64_t most = plain_bytes + (is_filtered() ? kMaskBytes + 8 : 0);
    if ((type_ != kPlainChunks && !is_filtered()) || record_bytes_ < least ||
        record_bytes_ > most) {
      fail("{}: a B-tree of type {} with records of {} bytes", parts_.owner(), type_,
           record_bytes_);
    }
  }

  /// A pointer to a child has its number of records in as many bytes as the fullest leaf needs,
  /// then, above the lowest inner level, the number of all records below it in as many bytes as the
  /// fullest subtree needs.
  void set_widths(uint64_t node_bytes, uint64_t depth) {
    constexpr uint64_t kMostDepth = 16;  // with two children a node, more chunks than are possible
    if (depth > kMostDepth || node_bytes < kNodeOverheadBytes + record_bytes_) {
      fail("{}: a B-tree of {} levels with nodes of {} bytes", parts_.owner(), depth, node_bytes);
    }
    uint64_t most_below = (node_bytes - kNodeOverheadBytes) / record_bytes_;
    records_width_ = width_for(most_below);
    total_width_.assign(2, 0);
    for (uint64_t level = 1; level < depth; ++level) {
      const uint64_t pointer_bytes = kAddressBytes + records_width_ + total_width_[level];
      const uint64_t fixed_bytes = kNodeOverheadBytes + pointer_bytes;
      const uint64_t most = node_bytes < fixed_bytes
                                ? 0
                                : (node_bytes - fixed_bytes) / (record_bytes_ + pointer_bytes);
      if (__builtin_mul_overflow(most + 1, most_below, &most_below) ||
          __builtin_add_overflow(most, most_below, &most_below)) {
        fail("{}: a B-tree of {} levels with nodes of {} bytes", parts_.owner(), depth, node_bytes);
      }
      total_width_.push_back(width_for(most_below));
    }
  }

  /// The node at `address`, which is `level` levels above the leaves.
  void read_node(uint64_t address, uint64_t records, uint64_t level) {
    const uint64_t pointer_bytes =
        level == 0 ? 0 : kAddressBytes + records_width_ + total_width_[level];
    Hdf5Fields fields = parts_.summed_fields(
        address, kNodeOverheadBytes + records * record_bytes_ + (records + 1) * pointer_bytes);
    fields.expect(level == 0 ? "BTLF" : "BTIN");
    fields.skip(2);
    Hdf5Fields own(fields.bytes(records * record_bytes_), parts_.owner());
    for (uint64_t i = 0; i <= records; ++i) {
      if (level > 0) {
        const uint64_t child = fields.address();
        const uint64_t child_records = fields.number(records_width_);
        fields.skip(total_width_[level]);
        read_node(child, child_records, level - 1);
      }
      if (i < records) read_record(own);
    }
  }

  void read_record(Hdf5Fields& fields) {
    Hdf5IndexedChunk chunk;
    chunk.address = fields.address();
    chunk.bytes = chunk_bytes_;
    if (is_filtered()) {
      chunk.bytes = fields.number(record_bytes_ - kAddressBytes - kMaskBytes - rank_ * kPlaceBytes);
      chunk.skipped_filters = static_cast<uint32_t>(fields.number(kMaskBytes));
    }
    std::array<uint64_t, 2> place = {0, 0};
    for (size_t i = 0; i < rank_; ++i) place[i] = fields.number(kPlaceBytes);
    visit_(place, chunk);
  }

  static constexpr uint64_t kPlainChunks = 10;
  static constexpr uint64_t kFilteredChunks = 11;

  Hdf5Parts& parts_;
  size_t rank_;
  uint64_t chunk_bytes_;
  const VisitPlacedChunk& visit_;
  uint64_t type_ = 0;
  uint64_t record_bytes_ = 0;
  uint64_t records_width_ = 0;         ///< bytes of the number of a child's records
  std::vector<uint64_t> total_width_;  ///< by level: bytes of the number of all records of a child
};

}  // namespace

void visit_hdf5_chunk_tree(Hdf5Parts& parts, uint64_t address, int rank, uint64_t chunk_bytes,
                           const VisitPlacedChunk& visit) {
  ChunkTree(parts, rank, chunk_bytes, visit).run(address);
}

}  // namespace bertha::io
