#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"

namespace bertha::text {

namespace {

using tables::contains;
using tables::Range;

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kCapitalIWithDot =
    0x130;  // the only one whose lower case has two code points: i, dot above
constexpr char32_t kDotAbove = 0x307;

constexpr Range kSpaces[] = {{0x09, 0x0A},     {0x0D, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},
                             {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                             {0x205F, 0x205F}, {0x3000, 0x3000}};
constexpr Range kAsciiDropped[] = {{0x00, 0x08}, {0x0B, 0x0C}, {0x0E, 0x1F}, {0x7F, 0x7F}};
constexpr Range kAsciiPunctuation[] = {{0x21, 0x2F}, {0x3A, 0x40}, {0x5B, 0x60}, {0x7B, 0x7E}};
constexpr Range kRecipeChinese[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                    {0x20000, 0x2A6DF}, {0x2A700, 0x2CEAF}, {0x2F800, 0x2FA1F}};
// Hugging Face's list has 2B920 where BERT's has 2B820.
constexpr Range kHfChinese[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                {0x20000, 0x2A6DF}, {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF},
                                {0x2F800, 0x2FA1F}};
// Code points beyond U+FFFF with a canonical decomposition in Unicode 12, the version of Hugging
// Face.
constexpr Range kHfDecomposed[] = {{0x1109A, 0x1112F},
                                   {0x1134B, 0x1134C},
                                   {0x114BB, 0x115BB},
                                   {0x1D15E, 0x1D1C0},
                                   {0x2F800, 0x2FA1D}};

// Lower case of one code point. The callers handle U+0130 and the final sigma.
char32_t lower(char32_t code_point) {
  if (code_point < 0x80) {
    return code_point >= 'A' && code_point <= 'Z' ? code_point + ('a' - 'A') : code_point;
  }
  const std::span<const tables::LowerRun> runs = tables::lower_runs();
  const auto after =
      std::upper_bound(runs.begin(), runs.end(), code_point,
                       [](char32_t value, const auto& run) { return value < run.first; });
  if (after == runs.begin()) return code_point;
  const tables::LowerRun& run = *std::prev(after);
  if (code_point > run.last || (code_point - run.first) % run.step != 0) return code_point;
  return static_cast<char32_t>(static_cast<int64_t>(code_point) + run.difference);
}

bool is_cased(char32_t c) {
  if (c < 0x80) return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return contains(tables::cased(), c);
}

bool is_case_ignorable(char32_t c) {
  if (c < 0x80) return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`';
  return contains(tables::case_ignorable(), c);
}

// Final_Sigma of the Unicode standard, table 3-17: a cased letter comes before and none comes
// after, ignoring case-ignorable code points. Each run of ignored code points is crossed at most
// twice per word.
bool is_final_sigma(const std::vector<Letter>& word, size_t at) {
  size_t before = at;
  while (before > 0 && is_case_ignorable(word[before - 1].code_point)) --before;
  if (before == 0 || !is_cased(word[before - 1].code_point)) return false;
  size_t after = at + 1;
  while (after < word.size() && is_case_ignorable(word[after].code_point)) ++after;
  return after == word.size() || !is_cased(word[after].code_point);
}

}  // namespace

std::span<const Range> chinese_ranges(TokenRules rules) {
  return rules == TokenRules::kHf ? std::span<const Range>(kHfChinese) : kRecipeChinese;
}

void lower_word(std::vector<Letter>& word, bool sigma) {
  std::vector<size_t> final_sigmas;
  if (sigma) {
    for (size_t i = 0; i < word.size(); ++i) {
      if (word[i].code_point == kCapitalSigma && is_final_sigma(word, i)) final_sigmas.push_back(i);
    }
  }
  size_t dotted = 0;
  for (Letter& letter : word) {
    dotted += letter.code_point == kCapitalIWithDot ? 1U : 0U;
    letter.code_point = lower(letter.code_point);
  }
  for (const size_t i : final_sigmas) word[i].code_point = kFinalSigma;
  if (dotted == 0) return;
  std::vector<Letter> longer;
  longer.reserve(word.size() + dotted);
  for (const Letter& letter : word) {
    const bool two = letter.code_point == kCapitalIWithDot;
    longer.push_back({two ? U'i' : letter.code_point, letter.origin});
    if (two) longer.push_back({kDotAbove, letter.origin});
  }
  word.swap(longer);
}

namespace {

int combining_class(char32_t code_point) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point))->combining_class;
}

// Canonical ordering: a stable sort by class of the marks between two starters.
void order_marks(std::vector<Letter>& word) {
  const auto is_starter = [](const Letter& l) { return combining_class(l.code_point) == 0; };
  for (auto at = word.begin(); at != word.end();) {
    const auto begin = std::find_if_not(at, word.end(), is_starter);
    at = std::find_if(begin, word.end(), is_starter);
    if (at - begin < 2) continue;
    std::stable_sort(begin, at, [](const Letter& a, const Letter& b) {
      return combining_class(a.code_point) < combining_class(b.code_point);
    });
  }
}

}  // namespace

TokenRules parse_token_rules(const std::string& name) {
  if (name == "hf") return TokenRules::kHf;
  if (name == "recipe") return TokenRules::kRecipe;
  fail("token rules \"{}\": expected hf or recipe", name);
}

CharacterRules::CharacterRules(TokenRules rules)
    : rules_(rules),
      dropped_(rules == TokenRules::kHf ? tables::hf_dropped() : tables::recipe_dropped()),
      punctuation_(rules == TokenRules::kHf ? tables::hf_punctuation()
                                            : tables::recipe_punctuation()),
      marks_(rules == TokenRules::kHf ? tables::hf_marks() : tables::recipe_marks()) {
  fill(kAsciiDropped, kDropped);
  fill(kAsciiPunctuation, kPunctuation);
  fill(kSpaces, kSpace);
  fill(chinese_ranges(rules), kChinese);
  fill(dropped_, kDropped);
  fill(punctuation_, kPunctuation);
  fill(marks_, kMark);
  // Cleaning comes first: an unassigned code point in a Chinese range is dropped.
  for (uint8_t& properties : basic_) {
    if ((properties & kDropped) != 0) properties = kDropped;
  }
}

const CharacterRules& CharacterRules::of(TokenRules rules) {
  static const CharacterRules recipe(TokenRules::kRecipe);
  static const CharacterRules hf(TokenRules::kHf);
  return rules == TokenRules::kHf ? hf : recipe;
}

void CharacterRules::fill(std::span<const Range> ranges, uint8_t bit) {
  for (const Range& range : ranges) {
    for (size_t c = range.first; c <= range.last && c < basic_.size(); ++c) {
      basic_[c] = static_cast<uint8_t>(basic_[c] | bit);
    }
  }
}

uint8_t CharacterRules::search(char32_t code_point) const {
  if (contains(dropped_, code_point)) return kDropped;
  if (contains(chinese_ranges(rules_), code_point)) return kChinese;
  if (contains(punctuation_, code_point)) return kPunctuation;
  return contains(marks_, code_point) ? kMark : uint8_t{0};
}

bool CharacterRules::decomposes(char32_t code_point) const {
  if (code_point < 0xC0) return false;
  return rules_ == TokenRules::kRecipe || code_point < 0x10000 ||
         contains(kHfDecomposed, code_point);
}

void CharacterRules::decompose(std::vector<Letter>& word) const {
  constexpr size_t kMaxDecomposition =
      8;  // the longest canonical decomposition has four code points
  std::vector<Letter> result;
  result.reserve(word.size() + 16);
  for (const Letter& letter : word) {
    std::array<utf8proc_int32_t, kMaxDecomposition> parts{};
    utf8proc_ssize_t count = 1;
    parts[0] = static_cast<utf8proc_int32_t>(letter.code_point);
    if (decomposes(letter.code_point)) {
      count = utf8proc_decompose_char(parts[0], parts.data(), kMaxDecomposition, UTF8PROC_DECOMPOSE,
                                      nullptr);
    }
    BERTHA_CHECK(count >= 1 && count <= static_cast<utf8proc_ssize_t>(kMaxDecomposition));
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      result.push_back({static_cast<char32_t>(parts[i]), letter.origin});
    }
  }
  order_marks(result);
  word.swap(result);
}

void CharacterRules::strip_marks(std::vector<Letter>& word) const {
  std::erase_if(
      word, [this](const Letter& letter) { return (properties(letter.code_point) & kMark) != 0; });
}

void CharacterRules::change(std::vector<Letter>& word, bool lower_case, bool strip_accents) const {
  if (lower_case && rules_ == TokenRules::kRecipe) lower_word(word, true);
  if (strip_accents) {
    decompose(word);
    strip_marks(word);
  }
  if (lower_case && rules_ == TokenRules::kHf) lower_word(word, false);
}

std::vector<Letter> letters_of(std::string_view text) {
  std::vector<Letter> letters;
  letters.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const Decoded decoded = decode_utf8(at, end);
    letters.push_back({decoded.code_point, static_cast<int64_t>(letters.size())});
    at += decoded.length;
  }
  return letters;
}

std::string to_utf8(const std::vector<Letter>& letters) {
  std::string text;
  for (const Letter& letter : letters) append_utf8(letter.code_point, text);
  return text;
}

}  // namespace bertha::text
