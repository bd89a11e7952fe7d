#include "text/pre_tokenizer.h"

#include <algorithm>

#include "text/hf_characters.h"

namespace bertha::text {
namespace {

struct Part {
  LetterRange range{};
  bool delimiter = false;
};

/// Each delimiter, one letter, is a part; so is each run of other letters.
template <typename IsDelimiter>
std::vector<Part> parts_at(std::span<const Letter> letters, const IsDelimiter& is_delimiter) {
  std::vector<Part> parts;
  for (size_t i = 0; i < letters.size(); ++i) {
    const bool delimiter = is_delimiter(letters[i].code_point);
    const bool joins = !delimiter && !parts.empty() && !parts.back().delimiter;
    if (joins) {
      parts.back().range.end = i + 1;
    } else {
      parts.push_back({{i, i + 1}, delimiter});
    }
  }
  return parts;
}

enum class Class : uint8_t { kSpace, kWord, kOther };

Class class_of(char32_t c) {
  if (hf::is_word(c)) return Class::kWord;
  return hf::is_white_space(c) ? Class::kSpace : Class::kOther;
}

/// Runs of one class; those of white space are delimiters.
std::vector<Part> parts_by_class(std::span<const Letter> letters) {
  std::vector<Part> parts;
  Class last = Class::kSpace;
  for (size_t i = 0; i < letters.size(); ++i) {
    const Class own = class_of(letters[i].code_point);
    if (parts.empty() || own != last) parts.push_back({{i, i}, own == Class::kSpace});
    parts.back().range.end = i + 1;
    last = own;
  }
  return parts;
}

std::vector<Part> parts_at_pattern(std::span<const Letter> letters, std::u32string_view pattern,
                                   bool inverse) {
  const auto equal = [](const Letter& l, char32_t c) { return l.code_point == c; };
  std::vector<Part> parts;
  size_t begin = 0;
  while (!pattern.empty()) {
    const auto found = std::search(letters.begin() + static_cast<std::ptrdiff_t>(begin),
                                   letters.end(), pattern.begin(), pattern.end(), equal);
    if (found == letters.end()) break;
    const auto at = static_cast<size_t>(found - letters.begin());
    if (at > begin) parts.push_back({{begin, at}, inverse});
    begin = at + pattern.size();
    parts.push_back({{at, begin}, !inverse});
  }
  if (begin < letters.size()) parts.push_back({{begin, letters.size()}, inverse});
  return parts;
}

std::vector<Part> parts_of(const PreTokenizer& step, std::span<const Letter> letters) {
  using Kind = PreTokenizer::Kind;
  switch (step.kind) {
    case Kind::kPunctuation:
      return parts_at(letters, hf::is_punctuation);
    case Kind::kDigits:
      return parts_at(letters, hf::is_numeric);
    case Kind::kNotWords:
      return parts_by_class(letters);
    case Kind::kString:
    case Kind::kStringInverse:
      return parts_at_pattern(letters, step.pattern, step.kind == Kind::kStringInverse);
    case Kind::kWhiteSpace:
      break;
  }
  return parts_at(letters, hf::is_white_space);
}

/// Joins the parts that `joins(part, the part before)` names with the part before.
template <typename Joins>
std::vector<LetterRange> joined(std::span<const Part> parts, const Joins& joins) {
  std::vector<LetterRange> words;
  bool before = false;  // as with a delimiter before the text, which there is not
  for (const Part& part : parts) {
    if (!words.empty() && joins(part.delimiter, before)) {
      words.back().end = part.range.end;
    } else {
      words.push_back(part.range);
    }
    before = part.delimiter;
  }
  return words;
}

/// Each delimiter joins the part behind it, unless that has been joined already.
std::vector<LetterRange> joined_with_next(std::span<const Part> parts) {
  std::vector<LetterRange> words;
  bool behind = false;
  for (size_t i = parts.size(); i > 0;) {
    --i;
    if (parts[i].delimiter && !behind && !words.empty()) {
      words.back().begin = parts[i].range.begin;
    } else {
      words.push_back(parts[i].range);
    }
    behind = parts[i].delimiter;
  }
  std::reverse(words.begin(), words.end());
  return words;
}

std::vector<LetterRange> words_of(SplitBehavior behavior, std::span<const Part> parts) {
  switch (behavior) {
    case SplitBehavior::kIsolated:
      return joined(parts, [](bool, bool) { return false; });
    case SplitBehavior::kMergedWithPrevious:
      return joined(parts, [](bool delimiter, bool before) { return delimiter && !before; });
    case SplitBehavior::kMergedWithNext:
      return joined_with_next(parts);
    case SplitBehavior::kContiguous:
      return joined(parts, [](bool delimiter, bool before) { return delimiter == before; });
    case SplitBehavior::kRemoved:
      break;
  }
  std::vector<LetterRange> words;
  for (const Part& part : parts) {
    if (!part.delimiter) words.push_back(part.range);
  }
  return words;
}

}  // namespace

std::vector<LetterRange> split_words(std::span<const PreTokenizer> pre_tokenizers,
                                     std::span<const Letter> letters) {
  std::vector<LetterRange> words;
  if (!letters.empty()) words.push_back({0, letters.size()});
  for (const PreTokenizer& step : pre_tokenizers) {
    std::vector<LetterRange> finer;
    for (const LetterRange& word : words) {
      const std::span<const Letter> inside = letters.subspan(word.begin, word.end - word.begin);
      for (const LetterRange& range : words_of(step.behavior, parts_of(step, inside))) {
        finer.push_back({word.begin + range.begin, word.begin + range.end});
      }
    }
    words.swap(finer);
  }
  return words;
}

}  // namespace bertha::text
