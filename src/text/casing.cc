#include "text/casing.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode.h"

namespace bertha::text {
namespace {

/// A vocabulary is cased when so many of its pieces with letters have a capital, or when half of
/// the alphabet's capitals are pieces of their own. Few capitals prove nothing.
constexpr double kCasedShare = 0.2;
constexpr int64_t kCasedCapitals = 13;

struct PieceCounts {
  int64_t with_letters = 0;
  int64_t with_capitals = 0;
  int64_t single_capitals = 0;  ///< "A" to "Z"
};

/// Special tokens, such as [CLS] and <s>, prove nothing.
bool is_special(std::string_view piece) {
  return (piece.starts_with('[') && piece.ends_with(']')) ||
         (piece.starts_with('<') && piece.ends_with('>'));
}

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

/// Whether lower case changes the piece. Most pieces are ASCII, which is quick to check.
bool has_capital(std::string_view piece) {
  if (std::ranges::any_of(piece, is_capital)) return true;
  if (std::ranges::none_of(piece, [](char c) { return c < 0; })) return false;
  const std::vector<Letter> letters = letters_of(piece);
  std::vector<Letter> lower = letters;
  lower_word(lower, false);
  return !std::equal(letters.begin(), letters.end(), lower.begin(), lower.end(),
                     [](const Letter& a, const Letter& b) { return a.code_point == b.code_point; });
}

bool has_letter(std::string_view piece) {
  return std::ranges::any_of(
      piece, [](char c) { return c < 0 || is_capital(c) || (c >= 'a' && c <= 'z'); });
}

PieceCounts count_pieces(const Vocabulary& vocabulary) {
  PieceCounts counts;
  for (const int32_t id : vocabulary.distinct_ids()) {
    const std::string_view piece = vocabulary.piece(id);
    if (is_special(piece)) continue;
    counts.with_letters += has_letter(piece) ? 1 : 0;
    counts.with_capitals += has_capital(piece) ? 1 : 0;
    counts.single_capitals += piece.size() == 1 && is_capital(piece[0]) ? 1 : 0;
  }
  return counts;
}

const char* name_of(bool lower_case) {
  return lower_case ? "uncased" : "cased";
}

}  // namespace

std::optional<bool> lower_case_of(const Vocabulary& vocabulary) {
  const PieceCounts counts = count_pieces(vocabulary);
  if (counts.with_letters == 0) return std::nullopt;
  if (counts.with_capitals == 0) return true;
  const double share =
      static_cast<double>(counts.with_capitals) / static_cast<double>(counts.with_letters);
  const bool cased = share >= kCasedShare || counts.single_capitals >= kCasedCapitals;
  return cased ? std::optional(false) : std::nullopt;
}

Casing choose_casing(const TokenizerFile& file, std::optional<bool> option, bool otherwise) {
  const std::optional<bool> shown = lower_case_of(file.vocabulary);
  const std::string& name = file.vocabulary.name();
  Casing casing{.lower_case = file.lower_case.value_or(shown.value_or(option.value_or(otherwise)))};
  const char* chosen = name_of(casing.lower_case);
  if (file.lower_case && shown && *shown != casing.lower_case) {
    casing.warning = fmt::format(
        "{}: its folder says {}, but {} of its pieces have capital letters; the folder holds", name,
        chosen, *shown ? "none" : "many");
  } else if (option && *option != casing.lower_case) {
    casing.warning =
        fmt::format("{}: {} says {}, so the option for {} text is not followed", name,
                    file.lower_case ? "its folder" : "the vocabulary's use of capital letters",
                    chosen, name_of(*option));
  } else if (!option && !file.lower_case && casing.lower_case != otherwise) {
    casing.warning =
        fmt::format("{}: {} of its pieces have capital letters, so text is treated as {}", name,
                    casing.lower_case ? "none" : "many", chosen);
  }
  return casing;
}

}  // namespace bertha::text
