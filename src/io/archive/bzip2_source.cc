#include "io/archive/bzip2_source.h"

#include <bzlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/ordered_pipeline.h"

namespace bertha::io {
namespace {

constexpr uint64_t kBlockPattern = 0x314159265359;  // pi
constexpr uint64_t kEndPattern = 0x177245385090;    // its square root
constexpr int kPatternBits = 48;
constexpr int kSumBits = 32;
constexpr int kHeaderBits = 32;               // "BZh9"
constexpr uint64_t kHeaderBase = 0x425a6830;  // "BZh0"; a header adds its level, 1 to 9
/// A block holds up to 900,000 bytes; five bytes can encode a run of 259.
constexpr size_t kMaxBlockText = 900'000 / 5 * 259 + 1024;
/// A block has a code of 20 bits at most for each of its bytes, and tables of less than 2^21 bits.
constexpr int64_t kMaxBlockBits = int64_t{900'000} * 20 + (int64_t{1} << 21);
/// The number of consecutive chance patterns that are tolerated.
constexpr size_t kMaxFalseMarks = 3;

/// Reads `count` <= 56 bits from bit `at`. All of them must lie inside `bytes`.
uint64_t read_bits(std::string_view bytes, int64_t at, int count) {
  uint64_t window = 0;
  const auto first = static_cast<size_t>(at / 8);
  for (size_t i = 0; i < 8; ++i) {
    const size_t place = first + i;
    window = window << 8 | (place < bytes.size() ? static_cast<uint8_t>(bytes[place]) : 0);
  }
  return window << (at % 8) >> (64 - count);
}

int64_t bit_size(std::string_view bytes) {
  return static_cast<int64_t>(bytes.size()) * 8;
}

/// For each value of a byte: the shifts at which it is the second byte of a pattern that began
/// `shift` bits into the byte before. Bits 0 to 7 are for blocks, bits 8 to 15 for ends of stream.
constexpr std::array<uint16_t, 256> second_byte_shifts() {
  std::array<uint16_t, 256> shifts{};
  for (int shift = 0; shift < 8; ++shift) {
    const auto of = [shift](uint64_t pattern) { return pattern >> (32 + shift) & 0xff; };
    shifts[of(kBlockPattern)] |= static_cast<uint16_t>(1 << shift);
    shifts[of(kEndPattern)] |= static_cast<uint16_t>(1 << (8 + shift));
  }
  return shifts;
}

/// The mark that begins in the byte before `second`, at bit `from` or later.
std::optional<Bzip2Mark> mark_at(std::string_view bytes, size_t second, uint16_t shifts,
                                 int64_t from) {
  for (int shift = 0; shift < 8; ++shift) {
    if ((shifts >> shift & 0x101) == 0) continue;
    const int64_t bit = static_cast<int64_t>(second - 1) * 8 + shift;
    if (bit < from || bit + kPatternBits > bit_size(bytes)) continue;
    const uint64_t pattern = read_bits(bytes, bit, kPatternBits);
    if (pattern == kBlockPattern || pattern == kEndPattern) {
      return Bzip2Mark{bit, pattern == kEndPattern};
    }
  }
  return std::nullopt;
}

class BitWriter {
 public:
  void put(uint64_t bits, int count) {
    for (int done = 0; done < count;) {
      const int step = std::min(count - done, 8 - used_);
      const auto part = static_cast<unsigned>(bits >> (count - done - step)) & ((1U << step) - 1);
      last_ = static_cast<unsigned>(last_ << step | part);
      used_ += step;
      done += step;
      if (used_ == 8) flush();
    }
  }
  void copy(std::string_view bytes, int64_t begin, int64_t end) {
    constexpr int kStep = 48;
    for (; begin + kStep <= end; begin += kStep) put(read_bits(bytes, begin, kStep), kStep);
    if (begin < end)
      put(read_bits(bytes, begin, static_cast<int>(end - begin)), static_cast<int>(end - begin));
  }
  std::string finish() {
    if (used_ > 0) put(0, 8 - used_);
    return std::move(bytes_);
  }

 private:
  void flush() {
    bytes_.push_back(static_cast<char>(last_));
    last_ = 0;
    used_ = 0;
  }
  std::string bytes_;
  unsigned last_ = 0;
  int used_ = 0;
};

/// Decompresses one whole stream of one block. Returns nothing when the stream is damaged.
std::optional<std::string> expand_stream(std::string& stream) {
  bz_stream state{};
  if (BZ2_bzDecompressInit(&state, 0, 0) != BZ_OK) fail("bzip2: out of memory");
  // The size that most blocks of text need: 200 kB expand to 900 kB.
  std::string text(std::clamp(6 * stream.size(), size_t{1} << 12, size_t{1} << 20), '\0');
  size_t filled = 0;
  state.next_in = stream.data();
  state.avail_in = static_cast<unsigned>(stream.size());
  int status = BZ_OK;
  while (status == BZ_OK && filled < kMaxBlockText) {
    if (filled == text.size()) text.resize(2 * text.size());
    state.next_out = text.data() + filled;
    state.avail_out = static_cast<unsigned>(text.size() - filled);
    status = BZ2_bzDecompress(&state);
    const size_t now = text.size() - state.avail_out;
    if (status == BZ_OK && now == filled && state.avail_in == 0) status = BZ_UNEXPECTED_EOF;
    filled = now;
  }
  BZ2_bzDecompressEnd(&state);
  if (status != BZ_STREAM_END) return std::nullopt;
  text.resize(filled);
  return text;
}

/// The level of the header at bit `at`, or 0 when there is none.
uint64_t level_at(std::string_view bytes, int64_t at) {
  if (at < 0 || at % 8 != 0 || at + kHeaderBits > bit_size(bytes)) return 0;
  const uint64_t level = read_bits(bytes, at, kHeaderBits) - kHeaderBase;
  return level >= 1 && level <= 9 ? level : 0;
}

/// Expands the block at bits [begin, end), wrapped as a stream of its own with the level of its
/// stream, which limits the size of the block. The checksum of a stream with one block is the
/// block's checksum.
std::optional<std::string> expand_block(std::string_view bytes, int64_t begin, int64_t end,
                                        uint64_t level) {
  if (end - begin < kPatternBits + kSumBits || end - begin > kMaxBlockBits) return std::nullopt;
  BitWriter writer;
  writer.put(kHeaderBase + level, kHeaderBits);
  writer.copy(bytes, begin, end);
  writer.put(kEndPattern, kPatternBits);
  writer.put(read_bits(bytes, begin + kPatternBits, kSumBits), kSumBits);
  std::string stream = writer.finish();
  return expand_stream(stream);
}

/// A mark and the marks after it, one of which ends its block.
struct Job {
  Bzip2Mark mark;
  uint64_t level = 0;
  std::vector<int64_t> ends;
};

struct Block {
  Bzip2Mark mark;
  int64_t end = 0;  ///< one past the block's last bit
  uint32_t sum = 0;
  bool last = false;                ///< no mark follows
  std::optional<std::string> text;  ///< nothing: the block is damaged
};

class Bzip2Source : public ByteSource {
 public:
  Bzip2Source(std::string_view bytes, int64_t threads)
      : bytes_(bytes),
        workers_(
            threads, [this] { return next_job(); }, [this](Job&& job) { return expand(job); }) {}

  std::string_view next() override {
    while (!finished_) {
      std::optional<Block> block = workers_.next();
      if (!block) {
        if (in_stream_ || expected_mark() >= 0 || ends_within_header()) {
          damage_ = fmt::format("the bzip2 data is cut off after byte {}", position_ / 8);
        }
        finished_ = true;
      } else if (block->mark.bit >= position_) {
        if (!accept(*block)) break;
        read_bytes_ = position_ / 8;
        if (block->text && !block->text->empty()) {
          text_ = std::move(*block->text);
          return text_;
        }
      }  // else: a chance pattern inside the previous block
    }
    finished_ = true;
    return {};
  }

 private:
  std::optional<Job> next_job() {
    while (marks_.size() <= kMaxFalseMarks + 1 && !scanned_) {
      const auto mark = find_bzip2_mark(bytes_, scan_);
      scanned_ = !mark.has_value();
      if (!mark) break;
      marks_.push_back(*mark);
      scan_ = mark->bit + 1;
    }
    if (marks_.empty()) return std::nullopt;
    Job job{marks_.front(), 0, {}};
    marks_.pop_front();
    // Only at the start of a stream: four bytes in a block may look like a header by chance.
    if (between_streams_) {
      if (const uint64_t level = level_at(bytes_, job.mark.bit - kHeaderBits)) level_ = level;
    }
    between_streams_ = job.mark.ends_stream;
    job.level = level_;
    for (const Bzip2Mark& mark : marks_) job.ends.push_back(mark.bit);
    return job;
  }

  Block expand(const Job& job) const {
    Block block{job.mark, 0, 0, job.ends.empty(), std::nullopt};
    const int64_t sum_at = job.mark.bit + kPatternBits;
    if (sum_at + kSumBits > bit_size(bytes_)) return block;
    block.sum = static_cast<uint32_t>(read_bits(bytes_, sum_at, kSumBits));
    block.end = sum_at + kSumBits;
    if (job.mark.ends_stream) return block;
    for (const int64_t end : job.ends) {
      block.end = end;
      block.text = expand_block(bytes_, job.mark.bit, end, job.level);
      if (block.text) break;
    }
    return block;
  }

  /// Checks that the block or stream end continues the accepted data. False ends the data.
  bool accept(const Block& block) {
    if (block.mark.bit != expected_mark()) return refuse(block);
    in_stream_ = true;
    if (block.end == 0 || (!block.mark.ends_stream && !block.text)) return refuse(block);
    position_ = block.end;
    if (!block.mark.ends_stream) {
      stream_sum_ = std::rotl(stream_sum_, 1) ^ block.sum;
      return true;
    }
    if (block.sum != stream_sum_) return refuse(block);
    stream_sum_ = 0;
    in_stream_ = false;
    position_ = (position_ + 7) / 8 * 8;
    return true;
  }

  /// The position of the next mark: immediately inside a stream, or after a header between streams.
  int64_t expected_mark() const {
    if (in_stream_) return position_;
    return level_at(bytes_, position_) > 0 ? position_ + kHeaderBits : -1;
  }

  /// Whether the file ends with one to three bytes of another stream's header.
  bool ends_within_header() const {
    const std::string_view rest = bytes_.substr(static_cast<size_t>(position_ / 8));
    return !rest.empty() && std::string_view("BZh").starts_with(rest);
  }

  bool refuse(const Block& block) {
    damage_ = fmt::format("the bzip2 data is {} at byte {}", block.last ? "cut off" : "damaged",
                          block.mark.bit / 8);
    return false;
  }

  std::string_view bytes_;
  // State of the producer:
  int64_t scan_ = kHeaderBits;
  bool scanned_ = false;
  bool between_streams_ = true;
  uint64_t level_ = 9;  ///< of the stream of the mark given out last
  std::deque<Bzip2Mark> marks_;
  // State of the consumer:
  int64_t position_ = 0;  ///< one past the last accepted bit
  bool in_stream_ = false;
  uint32_t stream_sum_ = 0;
  bool finished_ = false;
  std::string text_;
  OrderedPipeline<Job, Block> workers_;  // last member: its threads use the members above
};

}  // namespace

std::optional<Bzip2Mark> find_bzip2_mark(std::string_view bytes, int64_t from) {
  static constexpr std::array<uint16_t, 256> kShifts = second_byte_shifts();
  for (auto second = static_cast<size_t>(from / 8) + 1; second < bytes.size(); ++second) {
    const uint16_t shifts = kShifts[static_cast<uint8_t>(bytes[second])];
    if (shifts == 0) [[likely]]
      continue;
    if (const auto mark = mark_at(bytes, second, shifts, from)) return mark;
  }
  return std::nullopt;
}

std::unique_ptr<ByteSource> open_bzip2(std::string_view bytes, int64_t threads) {
  return std::make_unique<Bzip2Source>(bytes, threads);
}

}  // namespace bertha::io
