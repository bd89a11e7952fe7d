#include "text/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/error.h"
#include "text/hf_character_tables.h"

namespace bertha::text {
namespace {

constexpr size_t kMaxDecomposition = 32;  // the longest, of U+FDFA, has 18 code points

int combining_class(char32_t c) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

bool is_hangul(char32_t c) {
  return c >= 0xAC00 && c <= 0xD7A3;
}

/// utf8proc knows later versions of Unicode. Its data is stable: what the tables lack is all that
/// differs.
bool decomposes(char32_t c, bool compatible) {
  if (c < 0xA0) return false;
  return is_hangul(c) ||
         tables::contains(compatible ? tables::hf_compatible() : tables::hf_canonical(), c);
}

void decompose(char32_t c, bool compatible, std::vector<LetterChange>& to) {
  if (!decomposes(c, compatible)) {
    to.push_back({c, 0});
    return;
  }
  std::array<utf8proc_int32_t, kMaxDecomposition> parts{};
  const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), kMaxDecomposition,
                              static_cast<utf8proc_option_t>(options), nullptr);
  BERTHA_CHECK(count >= 1 && count <= static_cast<utf8proc_ssize_t>(kMaxDecomposition));
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    to.push_back({static_cast<char32_t>(parts[i]), i > 0 ? 1 : 0});
  }
}

/// Canonical ordering: a stable sort by class of the marks between two starters.
void order_marks(std::vector<LetterChange>& letters) {
  const auto is_starter = [](const LetterChange& l) { return combining_class(l.code_point) == 0; };
  for (auto at = letters.begin(); at != letters.end();) {
    const auto begin = std::find_if_not(at, letters.end(), is_starter);
    at = std::find_if(begin, letters.end(), is_starter);
    std::stable_sort(begin, at, [](const LetterChange& a, const LetterChange& b) {
      return combining_class(a.code_point) < combining_class(b.code_point);
    });
  }
}

/// The character that is canonically equal to the two.
std::optional<char32_t> composition(char32_t first, char32_t second) {
  std::array<utf8proc_int32_t, 2> pair = {static_cast<utf8proc_int32_t>(first),
                                          static_cast<utf8proc_int32_t>(second)};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (utf8proc_normalize_utf32(pair.data(), 2, options) != 1) return std::nullopt;
  const auto composed = static_cast<char32_t>(pair[0]);
  return decomposes(composed, false) ? std::optional(composed) : std::nullopt;
}

/// Canonical composition (annex 15, D117): a mark joins the last starter unless a mark of the same
/// or a higher class stands between.
void compose(std::vector<LetterChange>& letters) {
  std::vector<LetterChange> result;
  result.reserve(letters.size());
  std::optional<size_t> starter;  // index in `result`
  int last_class = 0;             // of the letter before; 0 directly behind the starter
  for (const LetterChange& letter : letters) {
    const int own = combining_class(letter.code_point);
    const bool adjacent = starter && *starter + 1 == result.size();
    if (starter && (adjacent || last_class < own)) {
      LetterChange& base = result[*starter];
      if (const auto composed = composition(base.code_point, letter.code_point)) {
        base = {*composed, base.change + letter.change - 1};
        continue;
      }
    }
    if (own == 0) starter = result.size();
    last_class = own;
    result.push_back(letter);
  }
  letters.swap(result);
}

}  // namespace

void apply_changes(std::span<const LetterChange> changed, std::vector<Letter>& letters) {
  std::vector<Letter> result;
  result.reserve(changed.size());
  size_t next = 0;
  for (const LetterChange& letter : changed) {
    const size_t from = letter.change > 0 && next > 0 ? next - 1 : next;
    BERTHA_CHECK(from < letters.size());
    result.push_back({letter.code_point, letters[from].origin});
    if (letter.change <= 0) next += static_cast<size_t>(1 - letter.change);
  }
  letters.swap(result);
}

void to_unicode_form(UnicodeForm form, std::vector<Letter>& letters) {
  std::vector<LetterChange> changed;
  changed.reserve(letters.size());
  for (const Letter& letter : letters) decompose(letter.code_point, form.compatible, changed);
  order_marks(changed);
  if (form.composed) compose(changed);
  apply_changes(changed, letters);
}

}  // namespace bertha::text
