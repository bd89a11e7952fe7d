#include "tasks/squad/answer_text.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/utf8.h"
#include "text/tokenizer_settings.h"
#include "text/words.h"

namespace bertha::tasks {
namespace {

using text::Letter;

bool is_special(const std::vector<Letter>& letters) {
  constexpr std::array<std::u32string_view, 5> kSpecials = {U"[UNK]", U"[SEP]", U"[PAD]", U"[CLS]",
                                                            U"[MASK]"};
  return std::any_of(kSpecials.begin(), kSpecials.end(), [&](std::u32string_view special) {
    return std::equal(letters.begin(), letters.end(), special.begin(), special.end(),
                      [](const Letter& letter, char32_t c) { return letter.code_point == c; });
  });
}

std::u32string decode(std::string_view text) {
  std::u32string result;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const Decoded decoded = decode_utf8(at, end);
    result += decoded.code_point;
    at += decoded.length;
  }
  return result;
}

/// Indices of the characters that are not white space.
std::vector<size_t> non_space_positions(std::u32string_view text) {
  std::vector<size_t> places;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != U' ') places.push_back(i);
  }
  return places;
}

}  // namespace

/// What the tokenizer does to the letters of a word.
void AnswerText::change_word(std::vector<Letter>& letters) const {
  const text::BertNormalizer* bert = settings_ ? settings_->bert_normalizer() : nullptr;
  const bool usual = settings_ == nullptr ||
                     (bert != nullptr && bert->strip_accents.value_or(lower_case_) == lower_case_);
  if (!usual) {
    text::normalize(settings_->normalizers, letters);
  } else if (lower_case_) {
    rules_.lower_and_strip(letters);
  }
}

std::u32string AnswerText::basic_tokens(std::string_view text) const {
  std::u32string result;
  const auto append = [&result](const std::vector<Letter>& letters, size_t begin, size_t end) {
    if (!result.empty()) result += U' ';
    for (size_t i = begin; i < end; ++i) result += letters[i].code_point;
  };
  std::vector<Letter> letters;
  text::TextCursor at{text.data(), text.data() + text.size(), 0};
  while (at.p < at.end) {
    const char* const before = at.p;
    text::read_stretch(rules_, at, letters, [](const char*) { return false; });
    if (at.p == before) text::skip_character(at);
    if (letters.empty()) continue;
    if (is_special(letters)) {
      append(letters, 0, letters.size());
      continue;
    }
    change_word(letters);
    text::split_at_punctuation(rules_, letters,
                               [&](size_t begin, size_t end) { append(letters, begin, end); });
  }
  return result;
}

std::string AnswerText::recover(std::string_view predicted, std::string_view original) const {
  const std::u32string wanted = decode(predicted);
  const std::u32string tokens = basic_tokens(original);
  const size_t start = wanted.empty() ? std::u32string::npos : tokens.find(wanted);
  if (start == std::u32string::npos) return std::string(original);
  const std::u32string source = decode(original);
  const std::vector<size_t> source_places = non_space_positions(source);
  const std::vector<size_t> token_places = non_space_positions(tokens);
  if (source_places.size() != token_places.size()) return std::string(original);
  // The n-th non-space character of one text is the n-th of the other.
  const auto place_of = [&](size_t token_place) {
    const auto found = std::lower_bound(token_places.begin(), token_places.end(), token_place);
    return source_places[static_cast<size_t>(found - token_places.begin())];
  };
  const size_t first = place_of(start);
  const size_t last = place_of(start + wanted.size() - 1);
  std::string result;
  for (size_t i = first; i <= last; ++i) append_utf8(source[i], result);
  return result;
}

}  // namespace bertha::tasks
