#include "text/tokenizer.h"

#include <emmintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/utf8.h"
#include "text/piece_trie.h"
#include "text/tokenizer_pipeline.h"
#include "text/tokenizer_settings.h"
#include "text/word_table.h"
#include "text/words.h"

// The tokenizer splits text at white space. A segment of printable ASCII takes the fast path: it
// measures and lower-cases runs of letters and digits sixteen bytes at a time and looks whole words
// up. Only words that are not a piece use the trie. If anything else is in a segment, the whole
// segment takes the general path from its first byte, because the rules for sigma and for the order
// of accents need all of it.

namespace bertha::text {

namespace {

constexpr std::array<std::string_view, 5> kSpecials = {"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                                       "[MASK]"};

enum class Byte : uint8_t { kOther, kAlphanumeric, kPunctuation, kSpace };

constexpr std::array<Byte, 256> kBytes = [] {
  std::array<Byte, 256> bytes{};
  for (size_t c = 0x21; c < 0x7F; ++c) bytes[c] = Byte::kPunctuation;
  for (size_t c = '0'; c <= '9'; ++c) bytes[c] = Byte::kAlphanumeric;
  for (size_t c = 'A'; c <= 'Z'; ++c) bytes[c] = bytes[c + 32] = Byte::kAlphanumeric;
  for (const size_t c : {0x09U, 0x0AU, 0x0DU, 0x20U}) bytes[c] = Byte::kSpace;
  return bytes;
}();

Byte kind_of(char c) {
  return kBytes[static_cast<uint8_t>(c)];
}

// Sixteen bytes of 0xFF, then sixteen zeros: a load from 16 - n keeps n bytes.
constexpr std::array<uint8_t, 32> kKeep = [] {
  std::array<uint8_t, 32> keep{};
  for (size_t i = 0; i < 16; ++i) keep[i] = 0xFF;
  return keep;
}();

__m128i load(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

// Sets one bit for each byte that is not an ASCII letter or digit. The compares are signed: adding
// 127 - last moves the characters of the range, and no others, above 127 - count.
uint32_t not_alphanumeric(__m128i bytes) {
  const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
  const __m128i letters =
      _mm_cmpgt_epi8(_mm_add_epi8(folded, _mm_set1_epi8(127 - 'z')), _mm_set1_epi8(127 - 26));
  const __m128i digits =
      _mm_cmpgt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(127 - '9')), _mm_set1_epi8(127 - 10));
  return ~static_cast<uint32_t>(_mm_movemask_epi8(_mm_or_si128(letters, digits))) & 0xFFFFU;
}

/// Output of tokens: the id, and the origin when the caller asked for it.
template <bool kOffsets>
class Sink {
 public:
  Sink(std::vector<int32_t>& ids, std::vector<TokenOffset>* offsets)
      : ids_(ids), offsets_(offsets) {}
  void add(int32_t id, int64_t begin, int64_t end) {
    ids_.push_back(id);
    if constexpr (kOffsets) offsets_->push_back({begin, end});
  }
  size_t size() const { return ids_.size(); }
  /// Removes what was added since size() was `size`.
  void rewind(size_t size) {
    if constexpr (kOffsets) offsets_->resize(offsets_->size() - (ids_.size() - size));
    ids_.resize(size);
  }

 private:
  std::vector<int32_t>& ids_;
  std::vector<TokenOffset>* offsets_;
};

}  // namespace

class Tokenizer::Impl {
 public:
  Impl(const Vocabulary& vocabulary, const TokenizerOptions& options);

  template <bool kOffsets>
  void encode(std::string_view text, Sink<kOffsets>& sink) const;

  const Vocabulary& vocabulary;
  const TokenizerOptions options;

 private:
  // The buffers are reused for every segment.
  struct Cursor : TextCursor {
    std::vector<Letter> letters;
    std::string bytes;           // a word in UTF-8
    std::vector<size_t> starts;  // for each byte of `bytes`, the index of its letter
  };

  template <bool kOffsets>
  bool encode_ascii(Cursor& at, Sink<kOffsets>& sink) const;
  template <bool kOffsets>
  const char* encode_alphanumeric(const char* p, const char* end, int64_t index,
                                  Sink<kOffsets>& sink) const;
  template <bool kOffsets>
  void cut_alphanumeric(const char* begin, const char* end, int64_t index,
                        Sink<kOffsets>& sink) const;
  template <bool kOffsets>
  void encode_general(Cursor& at, Sink<kOffsets>& sink) const;
  template <bool kOffsets>
  void encode_letters(Cursor& at, Sink<kOffsets>& sink) const;
  template <bool kOffsets>
  void encode_word(Cursor& at, size_t begin, size_t end, Sink<kOffsets>& sink) const;
  template <typename Emit>
  bool cut(const char* begin, const char* end, const Emit& emit) const;

  const std::string_view* special_at(const char* p, const char* end) const;
  bool is_special(const std::vector<Letter>& letters) const;
  int64_t max_word() const { return options.max_input_chars_per_word; }

  const CharacterRules& rules_;
  PieceTrie trie_;
  WordTable words_;
  int32_t unk_;
  std::array<int32_t, 128> ascii_ids_{};                 // one ASCII character as a word
  std::array<int32_t, kSpecials.size()> special_ids_{};  // -1: not in the vocabulary
};

Tokenizer::Impl::Impl(const Vocabulary& vocab, const TokenizerOptions& opts)
    : vocabulary(vocab),
      options(opts),
      rules_(CharacterRules::of(opts.rules)),
      trie_(vocab),
      words_(vocab),
      unk_(vocab.id(opts.settings->names.unk)) {
  if (max_word() < 1) {
    fail("max_input_chars_per_word is {}; expected 1 or more", max_word());
  }
  for (size_t c = 0; c < ascii_ids_.size(); ++c) {
    const char character = static_cast<char>(c);
    ascii_ids_[c] = vocabulary.find(std::string_view(&character, 1)).value_or(unk_);
  }
  for (size_t i = 0; i < kSpecials.size(); ++i) {
    special_ids_[i] = vocabulary.find(kSpecials[i]).value_or(-1);
  }
}

// Greedy longest match. Calls emit(id, begin, end) for each piece; returns false when a rest
// matches no piece.
template <typename Emit>
bool Tokenizer::Impl::cut(const char* begin, const char* end, const Emit& emit) const {
  for (const char* p = begin; p < end;) {
    const PieceTrie::Match match = trie_.longest(p, end, p != begin);
    if (match.id < 0) return false;
    emit(match.id, p, p + match.bytes);
    p += match.bytes;
  }
  return true;
}

// Encodes a run of ASCII letters and digits from p on; returns its end.
template <bool kOffsets>
const char* Tokenizer::Impl::encode_alphanumeric(const char* p, const char* end, int64_t index,
                                                 Sink<kOffsets>& sink) const {
  alignas(16) std::array<char, 16> head{};
  const bool whole = end - p >= 16;
  if (!whole) std::memcpy(head.data(), p, static_cast<size_t>(end - p));
  __m128i bytes = load(whole ? p : head.data());
  const int64_t length = std::countr_zero(not_alphanumeric(bytes) | 0x10000U);
  if (options.lower_case) bytes = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
  if (length <= WordTable::kMaxBytes && length <= max_word()) {
    bytes = _mm_and_si128(bytes, load(kKeep.data() + 16 - length));
    const WordTable::Key key = {
        static_cast<uint64_t>(_mm_cvtsi128_si64(bytes)),
        static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes)))};
    if (const int32_t id = words_.find(key); id >= 0) {
      sink.add(id, index, index + length);
      return p + length;
    }
  }
  const char* stop = p + length;
  while (stop < end && kind_of(*stop) == Byte::kAlphanumeric) ++stop;
  cut_alphanumeric(p, stop, index, sink);
  return stop;
}

template <bool kOffsets>
void Tokenizer::Impl::cut_alphanumeric(const char* begin, const char* end, int64_t index,
                                       Sink<kOffsets>& sink) const {
  const int64_t length = end - begin;
  const size_t mark = sink.size();
  if (length <= max_word()) {
    std::array<char, 128> short_word;
    std::string long_word;
    char* word = short_word.data();
    if (length > static_cast<int64_t>(short_word.size())) {
      long_word.resize(static_cast<size_t>(length));
      word = long_word.data();
    }
    // Bit 5 makes letters lower case and is already set in digits.
    const int fold = options.lower_case ? 0x20 : 0;
    for (int64_t i = 0; i < length; ++i) word[i] = static_cast<char>(begin[i] | fold);
    const auto emit = [&](int32_t id, const char* from, const char* to) {
      sink.add(id, index + (from - word), index + (to - word));
    };
    if (cut(word, word + length, emit)) return;
  }
  sink.rewind(mark);
  sink.add(unk_, index, index + length);
}

// Encodes a segment of printable ASCII up to the next white space. Returns false, without output
// and with the cursor unmoved, when the segment contains something else.
template <bool kOffsets>
bool Tokenizer::Impl::encode_ascii(Cursor& at, Sink<kOffsets>& sink) const {
  const size_t mark = sink.size();
  const char* p = at.p;
  while (p < at.end) {
    const Byte kind = kind_of(*p);
    const int64_t index = at.index + (p - at.p);
    if (kind == Byte::kAlphanumeric) {
      p = encode_alphanumeric(p, at.end, index, sink);
    } else if (kind == Byte::kPunctuation && (*p != '[' || special_at(p, at.end) == nullptr)) {
      sink.add(ascii_ids_[static_cast<uint8_t>(*p)], index, index + 1);
      ++p;
    } else if (kind == Byte::kSpace) {
      break;
    } else {
      sink.rewind(mark);
      return false;
    }
  }
  at.index += p - at.p;
  at.p = p;
  return true;
}

const std::string_view* Tokenizer::Impl::special_at(const char* p, const char* end) const {
  const std::string_view rest(p, static_cast<size_t>(end - p));
  for (size_t i = 0; i < kSpecials.size(); ++i) {
    const bool special = special_ids_[i] >= 0 || options.rules == TokenRules::kRecipe;
    if (special && rest.starts_with(kSpecials[i])) return &kSpecials[i];
  }
  return nullptr;
}

bool Tokenizer::Impl::is_special(const std::vector<Letter>& letters) const {
  return std::any_of(kSpecials.begin(), kSpecials.end(), [&](std::string_view special) {
    return std::equal(
        letters.begin(), letters.end(), special.begin(), special.end(),
        [](const Letter& letter, char c) { return letter.code_point == static_cast<char32_t>(c); });
  });
}

template <bool kOffsets>
void Tokenizer::Impl::encode_general(Cursor& at, Sink<kOffsets>& sink) const {
  const bool hf = options.rules == TokenRules::kHf;
  const auto special = [&](const char* p) {
    return hf && *p == '[' ? special_at(p, at.end) : nullptr;
  };
  const char* const before = at.p;
  read_stretch(rules_, at, at.letters, special);
  if (!at.letters.empty()) encode_letters(at, sink);
  if (at.p != before) return;
  if (const std::string_view* found = special(at.p)) {
    const auto length = static_cast<int64_t>(found->size());
    sink.add(special_ids_[static_cast<size_t>(found - kSpecials.data())], at.index,
             at.index + length);
    at.p += length;
    at.index += length;
  } else {
    skip_character(at);  // white space beyond ASCII
  }
}

template <bool kOffsets>
void Tokenizer::Impl::encode_letters(Cursor& at, Sink<kOffsets>& sink) const {
  if (options.rules == TokenRules::kRecipe && is_special(at.letters)) {
    encode_word(at, 0, at.letters.size(), sink);
    return;
  }
  if (options.lower_case) rules_.lower_and_strip(at.letters);
  split_at_punctuation(rules_, at.letters,
                       [&](size_t begin, size_t end) { encode_word(at, begin, end, sink); });
}

template <bool kOffsets>
void Tokenizer::Impl::encode_word(Cursor& at, size_t begin, size_t end,
                                  Sink<kOffsets>& sink) const {
  const auto offset = [&at](size_t letter) { return at.letters[letter].origin; };
  const size_t mark = sink.size();
  if (static_cast<int64_t>(end - begin) <= max_word()) {
    at.bytes.clear();
    at.starts.clear();
    for (size_t i = begin; i < end; ++i) {
      append_utf8(at.letters[i].code_point, at.bytes);
      if constexpr (kOffsets) at.starts.resize(at.bytes.size(), i);
    }
    const char* const word = at.bytes.data();
    const auto emit = [&](int32_t id, const char* from, const char* to) {
      if constexpr (kOffsets) {
        const size_t first = at.starts[static_cast<size_t>(from - word)];
        const size_t last = at.starts[static_cast<size_t>(to - word - 1)];
        sink.add(id, offset(first), offset(last) + 1);
      } else {
        sink.add(id, 0, 0);
      }
    };
    if (cut(word, word + at.bytes.size(), emit)) return;
  }
  sink.rewind(mark);
  sink.add(unk_, offset(begin), offset(end - 1) + 1);
}

template <bool kOffsets>
void Tokenizer::Impl::encode(std::string_view text, Sink<kOffsets>& sink) const {
  Cursor at{{text.data(), text.data() + text.size(), 0}, {}, {}, {}};
  while (at.p < at.end) {
    if (kind_of(*at.p) == Byte::kSpace) {
      ++at.p;
      ++at.index;
    } else if (!encode_ascii(at, sink)) {
      encode_general(at, sink);
    }
  }
}

namespace {

/// The options with their settings filled in, and what both say made equal.
TokenizerOptions with_settings(const Vocabulary& vocabulary, TokenizerOptions options) {
  if (options.settings == nullptr) {
    TokenizerSettings plain =
        TokenizerSettings::plain(vocabulary, {.lowercase = options.lower_case});
    plain.max_input_chars_per_word = options.max_input_chars_per_word;
    options.settings = std::make_shared<const TokenizerSettings>(std::move(plain));
  }
  options.lower_case = options.settings->lowers();
  options.max_input_chars_per_word = options.settings->max_input_chars_per_word;
  return options;
}

}  // namespace

Tokenizer::Tokenizer(const Vocabulary& vocabulary, const TokenizerOptions& options)
    : impl_(std::make_unique<const Impl>(vocabulary, with_settings(vocabulary, options))) {
  if (settings().is_plain(vocabulary)) return;
  pipeline_ = std::make_unique<const TokenizerPipeline>(vocabulary, this->options().settings);
}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

void Tokenizer::encode(std::string_view text, std::vector<int32_t>& ids) const {
  if (pipeline_ != nullptr) return pipeline_->encode(text, ids, nullptr);
  Sink<false> sink(ids, nullptr);
  impl_->encode(text, sink);
}

void Tokenizer::encode(std::string_view text, std::vector<int32_t>& ids,
                       std::vector<TokenOffset>& offsets) const {
  if (pipeline_ != nullptr) return pipeline_->encode(text, ids, &offsets);
  Sink<true> sink(ids, &offsets);
  impl_->encode(text, sink);
}

const Vocabulary& Tokenizer::vocabulary() const {
  return impl_->vocabulary;
}

const TokenizerOptions& Tokenizer::options() const {
  return impl_->options;
}

const TokenizerSettings& Tokenizer::settings() const {
  return *impl_->options.settings;
}

SpecialIds Tokenizer::specials() const {
  const Vocabulary& v = vocabulary();
  const SpecialNames& names = settings().names;
  return {v.id(names.pad), v.id(names.unk), v.id(names.cls), v.id(names.sep), v.id(names.mask)};
}

}  // namespace bertha::text
