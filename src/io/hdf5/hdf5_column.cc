#include "io/hdf5/hdf5_column.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "core/error.h"
#include "io/byte_order.h"
#include "io/verify_checksums.h"

namespace bertha::io {
namespace {

constexpr int64_t kMaxDeflateRatio = 1032;  // of the deflate format
constexpr size_t kChecksumBytes = 4;

template <typename Stored>
void convert(const std::byte* from, size_t count, bool is_swapped, int32_t* to) {
  using Limits = std::numeric_limits<int32_t>;
  for (size_t i = 0; i < count; ++i) {
    std::array<std::byte, sizeof(Stored)> bytes;
    std::memcpy(bytes.data(), from + i * sizeof(Stored), sizeof(Stored));
    if (is_swapped) std::ranges::reverse(bytes);
    const auto value = io::load<Stored>(bytes.data());
    to[i] = std::cmp_less(value, Limits::min())      ? Limits::min()
            : std::cmp_greater(value, Limits::max()) ? Limits::max()
                                                     : static_cast<int32_t>(value);
  }
}

void convert(Hdf5Integer type, const std::byte* from, size_t count, int32_t* to) {
  const bool is_swapped = type.big_endian;
  switch (type.bytes * (type.has_sign ? 1 : -1)) {
    case 1:
      return convert<int8_t>(from, count, false, to);
    case -1:
      return convert<uint8_t>(from, count, false, to);
    case 2:
      return convert<int16_t>(from, count, is_swapped, to);
    case -2:
      return convert<uint16_t>(from, count, is_swapped, to);
    case 4:
      if (!is_swapped) return void(std::memcpy(to, from, count * sizeof(int32_t)));
      return convert<int32_t>(from, count, is_swapped, to);
    case -4:
      return convert<uint32_t>(from, count, is_swapped, to);
    case 8:
      return convert<int64_t>(from, count, is_swapped, to);
    default:
      return convert<uint64_t>(from, count, is_swapped, to);
  }
}

/// Fletcher's checksum over big-endian words of 16 bits; the sums are folded to 16 bits. An odd
/// last byte is the high byte of a word.
uint32_t fletcher32(std::span<const std::byte> bytes) {
  uint64_t sum = 0;
  uint64_t sum_of_sums = 0;
  const auto fold = [](uint64_t value) { return (value & 0xffff) + (value >> 16); };
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const auto high = static_cast<uint64_t>(bytes[i]) << 8;
    sum = fold(sum + high + (i + 1 < bytes.size() ? static_cast<uint64_t>(bytes[i + 1]) : 0));
    sum_of_sums = fold(sum_of_sums + sum);
  }
  return static_cast<uint32_t>(fold(sum_of_sums) << 16 | fold(sum));
}

/// Reverses LibLZF's compression: a control byte below 32 precedes that many literal bytes and one
/// more; any other copies bytes from the output before. Returns the number of bytes written, or
/// nothing for damaged data.
std::optional<size_t> expand_lzf(std::span<const std::byte> from, std::span<std::byte> to) {
  size_t read = 0;
  size_t written = 0;
  const auto next = [&] { return std::to_integer<size_t>(from[read++]); };
  while (read < from.size()) {
    const size_t control = next();
    if (control < 32) {
      const size_t count = control + 1;
      if (count > from.size() - read || count > to.size() - written) return std::nullopt;
      std::ranges::copy(from.subspan(read, count), to.data() + written);
      read += count;
      written += count;
      continue;
    }
    size_t count = (control >> 5) + 2;
    if (count == 9 && read < from.size()) count += next();
    if (read == from.size()) return std::nullopt;
    const size_t distance = ((control & 31) << 8) + next() + 1;
    if (distance > written || count > to.size() - written) return std::nullopt;
    for (size_t i = 0; i < count; ++i, ++written) to[written] = to[written - distance];
  }
  return written;
}

/// Reverses the shuffle filter: the input has the first bytes of all elements, then all second
/// bytes, and so on. Bytes left over at the end are not shuffled.
void unshuffle(std::span<const std::byte> from, size_t element_bytes, std::byte* to) {
  const size_t elements = from.size() / element_bytes;
  for (size_t byte = 0; byte < element_bytes; ++byte) {
    for (size_t i = 0; i < elements; ++i) {
      to[i * element_bytes + byte] = from[byte * elements + i];
    }
  }
  const size_t done = elements * element_bytes;
  std::ranges::copy(from.subspan(done), to + done);
}

}  // namespace

Column::Column(const Hdf5File& file, const char* name, int rank)
    : file_(file),
      name_(name),
      dataset_(file.dataset(name)),
      chunk_bytes_(dataset_.chunk_extent[0] * dataset_.chunk_extent[1] * dataset_.type.bytes),
      inflater_(libdeflate_alloc_decompressor(), libdeflate_free_decompressor) {
  const bool is_single_column = rank == 1 && dataset_.rank == 2 && dataset_.extent[1] == 1;
  if (dataset_.rank != rank && !is_single_column) {
    fail("{}: {}: has {} dimensions, expected {}", file.path(), name, dataset_.rank, rank);
  }
  if (!dataset_.fill_value.empty()) {
    convert(dataset_.type, dataset_.fill_value.data(), 1, &fill_value_);
  }
}

void Column::read(int64_t first, int64_t count, std::vector<int32_t>& values) {
  values.resize(static_cast<size_t>(count * width()));
  const int64_t band_rows = dataset_.chunk_extent[0];
  for (int64_t row = first; row < first + count;) {
    const int64_t band = row / band_rows;
    const int64_t end = std::min((band + 1) * band_rows, first + count);
    read_band(band, row - band * band_rows, end - band * band_rows,
              values.data() + (row - first) * width());
    row = end;
  }
}

/// Reads rows [begin, end) of the chunks that lie side by side in row `band` of the chunk grid.
void Column::read_band(int64_t band, int64_t begin, int64_t end, int32_t* values) {
  const int64_t across = dataset_.chunks_across();
  const int64_t chunk_width = dataset_.chunk_extent[1];
  auto chunk = std::ranges::lower_bound(dataset_.chunks, band * across, {}, &Hdf5Chunk::number);
  size_t kept = 0;
  for (int64_t i = 0; i < across; ++i) {
    const std::byte* from = nullptr;
    if (chunk != dataset_.chunks.end() && chunk->number == band * across + i) {
      if (kept == kept_.size()) kept_.emplace_back();
      from = plain(*chunk++, kept_[kept++]);
    }
    const int64_t used = std::min(chunk_width, width() - i * chunk_width);
    const bool whole_rows = chunk_width == width();
    const int64_t pieces = whole_rows ? 1 : end - begin;
    const auto elements = static_cast<size_t>(whole_rows ? (end - begin) * used : used);
    for (int64_t piece = 0; piece < pieces; ++piece) {
      int32_t* to = values + piece * width() + i * chunk_width;
      if (from == nullptr) {
        std::fill_n(to, elements, fill_value_);
      } else {
        const int64_t element = (begin + piece) * chunk_width;
        convert(dataset_.type, from + element * dataset_.type.bytes, elements, to);
      }
    }
  }
}

/// The unfiltered values of a chunk, in `kept` unless the file stores them without filters.
const std::byte* Column::plain(const Hdf5Chunk& chunk, Plain& kept) {
  if (kept.number == chunk.number) return kept.values.data();
  kept.number = -1;
  kept.values = chunk.stored;
  for (size_t i = dataset_.filters.size(); i > 0;) {
    --i;
    if ((chunk.skipped_filters >> i & 1) != 0) continue;
    const std::span<const std::byte> undone = undo(dataset_.filters[i], kept.values);
    if (!scratch_.empty() && undone.data() == scratch_.data()) kept.buffer.swap(scratch_);
    kept.values = undone;
  }
  if (std::ssize(kept.values) < chunk_bytes_) {
    fail("{}: {}: chunk {} has {} bytes of values, expected {}", file_.path(), name_, chunk.number,
         kept.values.size(), chunk_bytes_);
  }
  kept.number = chunk.number;
  return kept.values.data();
}

/// Returns the input of `filter` in scratch_, or a view into `stored`.
std::span<const std::byte> Column::undo(Hdf5Filter filter, std::span<const std::byte> stored) {
  if (filter == Hdf5Filter::kFletcher32) {
    if (stored.size() < kChecksumBytes)
      fail("{}: {}: a chunk is damaged: too short for its checksum", file_.path(), name_);
    const std::span<const std::byte> summed = stored.first(stored.size() - kChecksumBytes);
    const auto stated = io::load<uint32_t>(summed.data() + summed.size());
    if (!kVerifyChecksums || stated == fletcher32(summed)) return summed;
    fail("{}: {}: a chunk is damaged: its checksum differs", file_.path(), name_);
  }
  if (filter == Hdf5Filter::kShuffle) {
    scratch_.resize(std::max(scratch_.size(), stored.size()));
    unshuffle(stored, static_cast<size_t>(dataset_.type.bytes), scratch_.data());
    return std::span(scratch_).first(stored.size());
  }
  const size_t most_bytes = static_cast<size_t>(chunk_bytes_) + kChecksumBytes;
  if (filter == Hdf5Filter::kLzf) {
    scratch_.resize(std::max(scratch_.size(), most_bytes));
    const std::optional<size_t> expanded =
        expand_lzf(stored, std::span(scratch_).first(most_bytes));
    if (!expanded) fail("{}: {}: a chunk is damaged: no data of lzf", file_.path(), name_);
    return std::span(scratch_).first(*expanded);
  }
  if (most_bytes / kMaxDeflateRatio > stored.size()) {
    fail("{}: {}: a deflated chunk has {} bytes, too few for {}", file_.path(), name_,
         stored.size(), chunk_bytes_);
  }
  scratch_.resize(std::max(scratch_.size(), most_bytes));
  size_t inflated_bytes = 0;
  if (libdeflate_zlib_decompress(inflater_.get(), stored.data(), stored.size(), scratch_.data(),
                                 most_bytes, &inflated_bytes) != LIBDEFLATE_SUCCESS) {
    fail("{}: {}: a chunk is damaged: it cannot be inflated", file_.path(), name_);
  }
  return std::span(scratch_).first(inflated_bytes);
}

}  // namespace bertha::io
