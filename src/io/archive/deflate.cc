#include "io/archive/deflate.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/error.h"

// Writes one block of dynamic codes, built from the counts of the bytes, or stored blocks when the
// dynamic block would not be smaller. Names of the format are those of RFC 1951.

namespace bertha::io {
namespace {

static_assert(std::endian::native == std::endian::little, "bits are written as 64-bit words");

constexpr size_t kWord = 4;            // bytes
constexpr size_t kWindow = 32768;      // bytes: the longest distance
constexpr size_t kLongestMatch = 256;  // bytes; whole words, below the format's 258
// A match of two words hardly takes fewer bits than the words themselves. Where matches are
// frequent, the processor mispredicts their lengths, and this took most of the time.
constexpr uint32_t kFewestWords = 3;
constexpr int kHashBits = 11;  // a table of 8 KiB: together with the columns it stays in L1
constexpr size_t kStoredBytes = 65535;  // most bytes of a stored block
constexpr size_t kEndOfBlock = 256;
constexpr size_t kFirstLength = 257;
constexpr int kMostBits = 14;  // longest code in bits: four codes and 7 bits fit into 64 bits
constexpr int kMostCodeLengthBits = 7;
constexpr size_t kSlackBytes = 8;  // the last 64-bit store may write past the end

uint64_t load64(const std::byte* from) {
  uint64_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

uint32_t load32(const std::byte* from) {
  uint32_t value = 0;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// The encoding of a length or a distance: a symbol and the extra bits that follow its code.
struct Symbol {
  uint16_t symbol = 0;
  uint8_t extra_bits = 0;
  uint16_t extra = 0;
};

/// Symbol for lengths of 3 to 257.
constexpr Symbol length_symbol(size_t length) {
  const size_t above = length - 3;
  if (above < 8) return {static_cast<uint16_t>(kFirstLength + above), 0, 0};
  const auto extra_bits = static_cast<size_t>(std::bit_width(above)) - 3;
  return {static_cast<uint16_t>(kFirstLength + 4 * extra_bits + (above >> extra_bits)),
          static_cast<uint8_t>(extra_bits),
          static_cast<uint16_t>(above & ((size_t{1} << extra_bits) - 1))};
}
static_assert(length_symbol(11).symbol == 265 && length_symbol(256).symbol == 284);

/// Symbol for distances of 3 to 32768, passed as distance - 1.
constexpr Symbol distance_symbol(uint32_t less_one) {
  const auto extra_bits = static_cast<uint32_t>(std::bit_width(less_one)) - 2;
  return {static_cast<uint16_t>(2 * extra_bits + (less_one >> extra_bits)),
          static_cast<uint8_t>(extra_bits),
          static_cast<uint16_t>(less_one & ((1U << extra_bits) - 1))};
}
static_assert(distance_symbol(3).symbol == 3 && distance_symbol(32767).symbol == 29);

/// Bits to write, lowest first.
struct Bits {
  uint64_t bits = 0;
  unsigned count = 0;

  Bits operator+(const Bits& next) const { return {bits | next.bits << count, count + next.count}; }
};

/// A Huffman code; a symbol that is not used has no bits.
class Code {
 public:
  /// Builds the code for symbols with these counts; no code is longer than `most_bits`. At least
  /// two symbols get a code, because some inflaters reject a code with fewer.
  Code(std::span<const uint32_t> counts, int most_bits) : codes_(counts.size()) {
    std::vector<std::pair<uint64_t, size_t>> used;  // count and symbol, rarest first
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] > 0) used.emplace_back(counts[i], i);
    }
    for (size_t i = 0; used.size() < 2; ++i) {
      if (counts[i] == 0) used.emplace_back(0, i);
    }
    std::ranges::sort(used);
    const std::vector<size_t> of_length = count_lengths(used, static_cast<size_t>(most_bits));
    size_t at = 0;
    for (size_t length = of_length.size() - 1; length > 0; --length) {
      for (size_t n = 0; n < of_length[length]; ++n) {
        codes_[used[at++].second].count = static_cast<unsigned>(length);
      }
    }
    assign(of_length);
  }

  const Bits& operator[](size_t symbol) const { return codes_[symbol]; }
  unsigned length(size_t symbol) const { return codes_[symbol].count; }
  size_t size() const { return codes_.size(); }

 private:
  /// Number of symbols per code length.
  static std::vector<size_t> count_lengths(std::span<const std::pair<uint64_t, size_t>> used,
                                           size_t most_bits);

  /// Codes of one length are consecutive. Their highest bit is written first, hence they are
  /// reversed.
  void assign(const std::vector<size_t>& of_length) {
    std::vector<size_t> next(of_length.size() + 1, 0);
    for (size_t length = 1; length < of_length.size(); ++length) {
      next[length + 1] = (next[length] + of_length[length]) << 1;
    }
    for (Bits& bits : codes_) {
      size_t code = bits.count > 0 ? next[bits.count]++ : 0;
      for (unsigned i = 0; i < bits.count; ++i, code >>= 1) bits.bits = bits.bits << 1 | (code & 1);
    }
  }

  std::vector<Bits> codes_;
};

std::vector<size_t> Code::count_lengths(std::span<const std::pair<uint64_t, size_t>> used,
                                        size_t most_bits) {
  // Leaves come first, rarest first, then inner nodes in the order of their creation; both ascend.
  const size_t leaves = used.size();
  std::vector<uint64_t> weight(2 * leaves - 1);
  std::vector<size_t> parent(2 * leaves - 1);
  for (size_t i = 0; i < leaves; ++i) weight[i] = used[i].first;
  size_t leaf = 0;
  size_t inner = leaves;
  for (size_t node = leaves; node < weight.size(); ++node) {
    for (int child = 0; child < 2; ++child) {
      const bool take_leaf = leaf < leaves && (inner == node || weight[leaf] <= weight[inner]);
      const size_t taken = take_leaf ? leaf++ : inner++;
      weight[node] += weight[taken];
      parent[taken] = node;
    }
  }
  std::vector<size_t> depth(weight.size(), 0);
  std::vector<size_t> of_length(most_bits + 1, 0);
  for (size_t node = weight.size() - 1; node-- > 0;) {
    depth[node] = depth[parent[node]] + 1;
    if (node < leaves) ++of_length[std::min(depth[node], most_bits)];
  }
  // Codes that were too long and are cut use too much of the code space: each step removes one
  // longest code and lengthens a shorter code, which becomes two.
  size_t code_space = 0;  // in units of the longest codes
  for (size_t length = 1; length <= most_bits; ++length) {
    code_space += of_length[length] << (most_bits - length);
  }
  for (; code_space > size_t{1} << most_bits; --code_space) {
    size_t shorter = most_bits - 1;
    while (of_length[shorter] == 0) --shorter;
    --of_length[most_bits];
    --of_length[shorter];
    of_length[shorter + 1] += 2;
  }
  return of_length;
}

/// Writes bits, lowest first. After flush() there is space for 57 more.
class BitWriter {
 public:
  explicit BitWriter(std::byte* at) : at_(at) {}

  void put(uint64_t bits, unsigned count) {
    pending_ |= bits << pending_bits_;
    pending_bits_ += count;
  }
  void flush() {
    std::memcpy(at_, &pending_, sizeof(pending_));
    at_ += pending_bits_ >> 3;
    pending_ >>= pending_bits_ & ~7U;
    pending_bits_ &= 7;
  }
  void put(const Bits& code) { put(code.bits, code.count); }
  /// Pads to a whole byte and returns the end.
  std::byte* finish() {
    flush();
    return at_ + (pending_bits_ > 0 ? 1 : 0);
  }

 private:
  std::byte* at_;
  uint64_t pending_ = 0;
  unsigned pending_bits_ = 0;
};

/// Code lengths as the format encodes them: 16 repeats the last length, 17 and 18 are runs of
/// zeros.
struct PackedLengths {
  std::vector<Symbol> symbols;
  std::array<uint32_t, 19> counts{};

  void add(size_t symbol, size_t extra, size_t extra_bits) {
    symbols.push_back({static_cast<uint16_t>(symbol), static_cast<uint8_t>(extra_bits),
                       static_cast<uint16_t>(extra)});
    ++counts[symbol];
  }
  void add_run(uint8_t length, size_t count) {
    if (length != 0) {
      add(length, 0, 0);
      --count;
    }
    while (count >= 3) {
      const size_t most = length != 0 ? 6 : count <= 10 ? 10 : 138;
      const size_t taken = std::min(count, most);
      if (length != 0) {
        add(16, taken - 3, 2);
      } else if (count <= 10) {
        add(17, taken - 3, 3);
      } else {
        add(18, taken - 11, 7);
      }
      count -= taken;
    }
    for (; count > 0; --count) add(length, 0, 0);
  }
  explicit PackedLengths(const std::vector<uint8_t>& lengths) {
    for (size_t at = 0; at < lengths.size();) {
      size_t end = at;
      while (end < lengths.size() && lengths[end] == lengths[at]) ++end;
      add_run(lengths[at], end - at);
      at = end;
    }
  }
};

/// Symbol counts of a block.
struct Counts {
  std::array<uint32_t, 286> symbols{};  ///< bytes, end of block, lengths
  std::array<uint32_t, 30> distances{};
  size_t extra_bits = 0;
};

/// The codes of a block and the header before its data.
class Block {
 public:
  explicit Block(const Counts& counts)
      : symbols_(counts.symbols, kMostBits),
        distances_(counts.distances, kMostBits),
        lengths_(joined_lengths()),
        length_code_(lengths_.counts, kMostCodeLengthBits) {
    for (size_t i = 0; i < last_of_word_.size(); ++i) {
      last_of_word_[i] = symbols_[i] + symbols_[0] + symbols_[0];
    }
    for (sent_ = kOrder.size(); sent_ > 4 && length_code_.length(kOrder[sent_ - 1]) == 0;) --sent_;
    bits_ = 17 + 3 * sent_ + counts.extra_bits;
    for (const Symbol& symbol : lengths_.symbols) {
      bits_ += length_code_.length(symbol.symbol) + symbol.extra_bits;
    }
    for (size_t i = 0; i < counts.symbols.size(); ++i) {
      bits_ += size_t{counts.symbols[i]} * symbols_.length(i);
    }
    for (size_t i = 0; i < counts.distances.size(); ++i) {
      bits_ += size_t{counts.distances[i]} * distances_.length(i);
    }
  }

  size_t size_bytes() const { return (bits_ + 7) / 8; }

  void write_head(BitWriter& out) const {
    out.put(1, 1);  // this is the last block
    out.put(2, 2);  // with dynamic codes
    out.put(symbols_.size() - 257, 5);
    out.put(distances_.size() - 1, 5);
    out.put(sent_ - 4, 4);
    out.flush();
    for (size_t i = 0; i < sent_; ++i) {
      out.put(length_code_.length(kOrder[i]), 3);
      out.flush();
    }
    for (const Symbol& symbol : lengths_.symbols) {
      out.put(length_code_[symbol.symbol]);
      out.put(symbol.extra, symbol.extra_bits);
      out.flush();
    }
  }

  void write_literals(std::span<const std::byte> bytes, BitWriter& out) const {
    const size_t words = bytes.size() / kWord;
    for (size_t i = 0; i < words; ++i) {
      const uint32_t word = load32(bytes.data() + kWord * i);
      // Builds the code first, so that the encoding of a word does not wait for the previous store.
      Bits code = symbols_[word & 0xff];
      if (word >> 16 == 0) [[likely]] {
        code = code + last_of_word_[word >> 8];
      } else {
        code = code + symbols_[word >> 8 & 0xff] +
               (symbols_[word >> 16 & 0xff] + symbols_[word >> 24]);
      }
      out.put(code);
      out.flush();
    }
    for (const std::byte byte : bytes.subspan(words * kWord)) {
      out.put(symbols_[std::to_integer<size_t>(byte)]);
      out.flush();
    }
  }

  void write_match(size_t length, uint32_t distance_less_one, BitWriter& out) const {
    const Symbol of_length = length_symbol(length);
    const Symbol of_distance = distance_symbol(distance_less_one);
    out.put(symbols_[of_length.symbol]);
    out.put(of_length.extra, of_length.extra_bits);
    out.put(distances_[of_distance.symbol]);
    out.put(of_distance.extra, of_distance.extra_bits);
    out.flush();
  }

  std::byte* finish(BitWriter& out) const {
    out.put(symbols_[kEndOfBlock]);
    return out.finish();
  }

 private:
  static constexpr std::array<uint8_t, 19> kOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                     11, 4,  12, 3, 13, 2, 14, 1, 15};

  std::vector<uint8_t> joined_lengths() const {
    std::vector<uint8_t> joined;
    for (const Code* code : {&symbols_, &distances_}) {
      for (size_t i = 0; i < code->size(); ++i) {
        joined.push_back(static_cast<uint8_t>(code->length(i)));
      }
    }
    return joined;
  }

  Code symbols_;
  Code distances_;
  PackedLengths lengths_;
  Code length_code_;
  std::array<Bits, 256> last_of_word_;  ///< the second byte of a word and its two zero bytes
  size_t sent_ = 0;                     ///< number of lengths of length_code_ to send
  size_t bits_ = 0;
};

/// Counts bytes in two tables, so that the counts of equal neighbours do not wait for each other.
void count_literals(std::span<const std::byte> bytes, std::array<uint32_t, 256>& second,
                    Counts& counts) {
  const size_t words = bytes.size() / kWord;
  uint32_t upper_zeros = 0;
  for (size_t i = 0; i < words; ++i) {
    const uint32_t word = load32(bytes.data() + kWord * i);
    ++counts.symbols[word & 0xff];
    ++second[word >> 8 & 0xff];
    if (word >> 16 == 0) {
      upper_zeros += 2;
    } else {
      ++counts.symbols[word >> 16 & 0xff];
      ++second[word >> 24];
    }
  }
  counts.symbols[0] += upper_zeros;
  for (const std::byte byte : bytes.subspan(words * kWord)) {
    ++counts.symbols[std::to_integer<size_t>(byte)];
  }
}

Counts count(std::span<const std::byte> plain, std::span<const Deflater::Step> steps) {
  Counts counts;
  std::array<uint32_t, 256> second{};
  size_t place = 0;
  for (const Deflater::Step& step : steps) {
    count_literals(plain.subspan(place, step.literals), second, counts);
    place += step.literals + step.length;
    if (step.length == 0) continue;
    const Symbol length = length_symbol(step.length);
    const Symbol distance = distance_symbol(step.distance);
    ++counts.symbols[length.symbol];
    ++counts.distances[distance.symbol];
    counts.extra_bits += length.extra_bits + distance.extra_bits;
  }
  for (size_t i = 0; i < second.size(); ++i) counts.symbols[i] += second[i];
  counts.symbols[kEndOfBlock] = 1;
  return counts;
}

std::byte* write_block(std::span<const std::byte> plain, std::span<const Deflater::Step> steps,
                       const Block& block, std::byte* at) {
  BitWriter out(at);
  block.write_head(out);
  size_t place = 0;
  for (const Deflater::Step& step : steps) {
    block.write_literals(plain.subspan(place, step.literals), out);
    place += step.literals + step.length;
    if (step.length > 0) block.write_match(step.length, step.distance, out);
  }
  return block.finish(out);
}

size_t stored_size(size_t bytes) {
  return bytes + 5 * std::max<size_t>(1, (bytes + kStoredBytes - 1) / kStoredBytes);
}

std::byte* write_stored(std::span<const std::byte> plain, std::byte* at) {
  do {
    const auto count = static_cast<uint16_t>(std::min(plain.size(), kStoredBytes));
    const auto inverse = static_cast<uint16_t>(~count);
    *at++ = std::byte{plain.size() == count};  // this is the last block
    std::memcpy(at, &count, 2);
    std::memcpy(at + 2, &inverse, 2);
    if (count > 0) std::memcpy(at + 4, plain.data(), count);
    at += 4 + count;
    plain = plain.subspan(count);
  } while (!plain.empty());
  return at;
}

/// Writes the Adler-32 checksum that ends a zlib stream, highest byte first.
std::byte* write_sum(std::span<const std::byte> plain, std::byte* at) {
  const uint32_t sum = libdeflate_adler32(1, plain.data(), plain.size());
  for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<std::byte>(sum >> shift);
  return at;
}

}  // namespace

void Deflater::find_matches(std::span<const std::byte> plain) {
  constexpr uint32_t kNowhere = 1U << 31;  // further away from any word than the window
  latest_.assign(size_t{1} << kHashBits, kNowhere);
  steps_.clear();
  const std::byte* const begin = plain.data();
  const auto words = static_cast<uint32_t>(plain.size() / kWord);
  uint32_t done = 0;
  for (uint32_t at = 0; at + kFewestWords <= words;) {
    const std::byte* const here = begin + kWord * at;
    const uint64_t pair = load64(here);
    const uint32_t third = load32(here + 2 * kWord);
    const uint64_t hash = (pair * 0x9e3779b97f4a7c15U) ^ (third * 0xc2b2ae3d27d4eb4fU);
    uint32_t& latest = latest_[hash >> (64 - kHashBits)];
    const uint32_t from = std::exchange(latest, at);
    const bool is_match = at - from <= kWindow / kWord && load64(begin + kWord * from) == pair &&
                          load32(begin + kWord * (from + 2)) == third;
    if (!is_match) {
      ++at;
      continue;
    }
    uint32_t end = at + kFewestWords;
    const uint32_t distance = at - from;
    while (end < words && load32(begin + kWord * end) == load32(begin + kWord * (end - distance))) {
      ++end;
    }
    const auto distance_less_one = static_cast<uint16_t>(kWord * distance - 1);
    uint32_t literals = static_cast<uint32_t>(kWord) * (at - done);
    while (at < end) {
      const auto length = std::min<size_t>(kWord * (end - at), kLongestMatch);
      steps_.push_back(
          {std::exchange(literals, 0U), static_cast<uint16_t>(length), distance_less_one});
      at += static_cast<uint32_t>(length / kWord);
    }
    done = end;
  }
  steps_.push_back({static_cast<uint32_t>(plain.size() - kWord * done), 0, 0});
}

std::span<const std::byte> Deflater::deflate(std::span<const std::byte> plain,
                                             std::vector<std::byte>& buffer) {
  BERTHA_CHECK(plain.size() < uint64_t{1} << 32);
  find_matches(plain);
  const Block block(count(plain, steps_));
  const bool stored = block.size_bytes() >= stored_size(plain.size());
  constexpr size_t kHeadAndSum = 6;
  buffer.resize(std::max(
      buffer.size(),
      kHeadAndSum + kSlackBytes + (stored ? stored_size(plain.size()) : block.size_bytes())));
  buffer[0] = std::byte{0x78};  // deflate with a window of 32 KiB
  buffer[1] = std::byte{0x01};  // level: fast
  std::byte* end = buffer.data() + 2;
  end = stored ? write_stored(plain, end) : write_block(plain, steps_, block, end);
  end = write_sum(plain, end);
  return std::span(buffer).first(static_cast<size_t>(end - buffer.data()));
}

}  // namespace bertha::io
