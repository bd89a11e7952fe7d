#include "text/normalizer.h"

#include <algorithm>

#include "core/error.h"
#include "text/hf_characters.h"

namespace bertha::text {
namespace {

void clean(std::vector<Letter>& letters) {
  std::erase_if(letters, [](const Letter& l) { return hf::is_dropped(l.code_point); });
  for (Letter& letter : letters) {
    if (hf::is_white_space(letter.code_point)) letter.code_point = ' ';
  }
}

void set_apart_chinese(std::vector<Letter>& letters) {
  const auto is_chinese = [](const Letter& l) { return hf::is_chinese(l.code_point); };
  if (std::none_of(letters.begin(), letters.end(), is_chinese)) return;
  std::vector<Letter> result;
  result.reserve(letters.size() * 3);
  for (const Letter& letter : letters) {
    const bool apart = is_chinese(letter);
    if (apart) result.push_back({' ', letter.origin});
    result.push_back(letter);
    if (apart) result.push_back({' ', letter.origin});
  }
  letters.swap(result);
}

void run(const BertNormalizer& step, std::vector<Letter>& letters) {
  if (step.clean_text) clean(letters);
  if (step.handle_chinese_chars) set_apart_chinese(letters);
  if (step.strip_accents.value_or(step.lowercase)) {
    to_unicode_form({}, letters);
    std::erase_if(letters, [](const Letter& l) { return hf::is_accent(l.code_point); });
  }
  if (step.lowercase) lower_word(letters, false);
}

void run(const UnicodeForm& step, std::vector<Letter>& letters) {
  to_unicode_form(step, letters);
}

void run(const LowercaseNormalizer&, std::vector<Letter>& letters) {
  lower_word(letters, false);
}

void run(const StripAccentsNormalizer&, std::vector<Letter>& letters) {
  std::erase_if(letters, [](const Letter& l) { return hf::is_combining(l.code_point); });
}

void run(const StripNormalizer& step, std::vector<Letter>& letters) {
  const auto is_text = [](const Letter& l) { return !hf::is_white_space(l.code_point); };
  if (step.right) {
    letters.erase(std::find_if(letters.rbegin(), letters.rend(), is_text).base(), letters.end());
  }
  if (step.left) {
    letters.erase(letters.begin(), std::find_if(letters.begin(), letters.end(), is_text));
  }
}

bool starts_with(std::span<const Letter> letters, std::u32string_view pattern) {
  return letters.size() >= pattern.size() &&
         std::equal(pattern.begin(), pattern.end(), letters.begin(),
                    [](char32_t c, const Letter& l) { return c == l.code_point; });
}

void run(const ReplaceNormalizer& step, std::vector<Letter>& letters) {
  if (step.pattern.empty()) return;
  std::vector<Letter> result;
  result.reserve(letters.size());
  for (size_t at = 0; at < letters.size();) {
    if (!starts_with(std::span(letters).subspan(at), step.pattern)) {
      result.push_back(letters[at++]);
      continue;
    }
    at += step.pattern.size();
    for (const char32_t c : step.content) result.push_back({c, letters[at - 1].origin});
  }
  letters.swap(result);
}

}  // namespace

void normalize(std::span<const Normalizer> normalizers, std::vector<Letter>& letters) {
  const size_t most = kMaxGrowth * (letters.size() + 1);
  for (const Normalizer& normalizer : normalizers) {
    std::visit([&letters](const auto& step) { run(step, letters); }, normalizer);
    if (letters.size() > most) {
      fail("the tokenizer's normalizers make a text more than {} times as long", kMaxGrowth);
    }
  }
}

}  // namespace bertha::text
