#include "text/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "core/utf8.h"
#include "text/words.h"

namespace bertha::text {
namespace {

TEST(Utf8, DecodeReversesEncode) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(c, text);
    const Decoded decoded = decode_utf8(text.data(), text.data() + text.size());
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.length, static_cast<int>(text.size()));
    ASSERT_TRUE(decoded.valid);
  }
}

// Lengths of the parts that become U+FFFD, from Python's bytes.decode("utf-8", "replace").
TEST(Utf8, InvalidBytesAreReplacedAsInPython) {
  const struct {
    std::string bytes;
    std::vector<int> lengths;
  } cases[] = {
      {"\x80", {1}},
      {"\xC0\xAF", {1, 1}},
      {"\xC3", {1}},
      {"\xE2\x82", {2}},
      {"\xE2\x82z", {2, 1}},
      {"\xE0\x80\x80", {1, 1, 1}},
      {"\xED\xA0\x80", {1, 1, 1}},
      {"\xF0\x9F\x98", {3}},
      {"\xF0\x80\x80\x80", {1, 1, 1, 1}},
      {"\xF4\x90\x80\x80", {1, 1, 1, 1}},
      {"\xF5", {1}},
      {"\xF1\x80\xC3\xA9", {2, 2}},
  };
  for (const auto& c : cases) {
    std::vector<int> lengths;
    const char* const end = c.bytes.data() + c.bytes.size();
    for (const char* p = c.bytes.data(); p < end; p += lengths.back()) {
      lengths.push_back(decode_utf8(p, end).length);
    }
    EXPECT_EQ(lengths, c.lengths) << testing::PrintToString(c.bytes);
    EXPECT_EQ(find_invalid_utf8("ab" + c.bytes), 2);
  }
  EXPECT_EQ(find_invalid_utf8("a\xC3\xA9\xF0\x9F\x98\x80"), -1);
  const std::string plain(24, 'a');
  EXPECT_EQ(find_invalid_utf8(plain), -1);
  for (size_t at = 0; at < plain.size(); ++at) {
    std::string text = plain;
    text[at] = '\xFF';
    EXPECT_EQ(find_invalid_utf8(text), static_cast<int64_t>(at));
  }
}

// The words of a text after the changes of the rules.
std::vector<std::string> words_of(const std::string& text, TokenRules token_rules, bool lower) {
  const CharacterRules& rules = CharacterRules::of(token_rules);
  TextCursor at{text.data(), text.data() + text.size(), 0};
  std::vector<Letter> letters;
  std::vector<std::string> words;
  while (at.p < at.end) {
    const char* const before = at.p;
    read_stretch(rules, at, letters, [](const char*) { return false; });
    if (at.p == before) skip_character(at);
    if (lower) rules.lower_and_strip(letters);
    split_at_punctuation(rules, letters, [&](size_t begin, size_t end) {
      words.emplace_back();
      for (size_t i = begin; i < end; ++i) append_utf8(letters[i].code_point, words.back());
    });
  }
  return words;
}

// FNV-1a (64 bits) over the words of "A", c, "b", U+0301 for every code point c.
uint64_t digest_of_all_code_points(TokenRules rules, bool lower) {
  uint64_t digest = 0xCBF29CE484222325U;
  const auto feed = [&digest](const std::string& text) {
    for (const char byte : text) digest = (digest ^ static_cast<uint8_t>(byte)) * 0x100000001B3U;
  };
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "A";
    append_utf8(c, text);
    text += "b\xCC\x81";
    const char* separator = "";
    for (const std::string& word : words_of(text, rules, lower)) {
      feed(separator + word);
      separator = "\x1F";
    }
    feed("\n");
  }
  return digest;
}

// Expected values come from fixtures/make_fixtures.py, which runs Hugging Face and the reference.
TEST(Unicode, EveryCodePointIsTreatedAsByHuggingFace) {
  EXPECT_EQ(digest_of_all_code_points(TokenRules::kHf, true), 0x1289e57d991854bbU);
  EXPECT_EQ(digest_of_all_code_points(TokenRules::kHf, false), 0x3b9bd9862f65935eU);
}

TEST(Unicode, EveryCodePointIsTreatedAsByTheReference) {
  EXPECT_EQ(digest_of_all_code_points(TokenRules::kRecipe, true), 0x41abff424c6304f4U);
  EXPECT_EQ(digest_of_all_code_points(TokenRules::kRecipe, false), 0xa6f85303e1c56845U);
}

TEST(Unicode, NamesOfTokenRulesAreParsed) {
  EXPECT_EQ(parse_token_rules("hf"), TokenRules::kHf);
  EXPECT_EQ(parse_token_rules("recipe"), TokenRules::kRecipe);
  EXPECT_THROW(parse_token_rules("HF"), Error);
}

}  // namespace
}  // namespace bertha::text
