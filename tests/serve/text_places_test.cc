// Places in texts of every kind of character, in the three units, against those that are known from
// how the text was made. BERTHA_LONG=1 takes as many texts as docs/evidence/serving.md says.

#include "serve/text_places.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace bertha::serve {
namespace {

/// A code point, as UTF-8, and how many units of UTF-16 it takes.
struct Character {
  std::string_view utf8;
  int64_t utf16 = 1;
};

constexpr auto kCharacters = std::to_array<Character>({
    {"a"},
    {" "},
    {"\r"},
    {"\n"},
    {"\u00e9"},
    {"\u0301"},
    {"\u05d0"},
    {"\u0627"},
    {"\u200d"},
    {"\u200f"},
    {"\u4e2d"},
    {"\uffff"},
    {"\ue000"},
    {"\u0e01"},
    {"\ufe0f"},
    {"\U0001f469", 2},
    {"\U0001f680", 2},
    {"\U00010000", 2},
    {"\U0010ffff", 2},
});

/// A text, and the place of each of its code points and of its end in each unit.
struct MadeText {
  std::string text;
  std::vector<int64_t> bytes = {0};
  std::vector<int64_t> utf16 = {0};
};

MadeText make_text(std::mt19937_64& random) {
  MadeText made;
  for (size_t left = random() % 200; left > 0; --left) {
    const Character& one = kCharacters[random() % kCharacters.size()];
    made.text += one.utf8;
    made.bytes.push_back(std::ssize(made.text));
    made.utf16.push_back(made.utf16.back() + one.utf16);
  }
  return made;
}

TEST(TextPlaces, AreThoseOfTheTextsCharacters) {
  std::mt19937_64 random(3);
  const int texts = std::getenv("BERTHA_LONG") != nullptr ? 10'000 : 500;
  for (int i = 0; i < texts; ++i) {
    const MadeText made = make_text(random);
    TextPlaces characters(made.text, OffsetUnit::kCharacters);
    TextPlaces bytes(made.text, OffsetUnit::kBytes);
    TextPlaces utf16(made.text, OffsetUnit::kUtf16);
    for (int asked = 0; asked < 40; ++asked) {  // in any order
      const size_t at = random() % made.bytes.size();
      const auto index = static_cast<int64_t>(at);
      ASSERT_EQ(characters.place(index), index) << made.text;
      ASSERT_EQ(bytes.place(index), made.bytes[at]) << made.text;
      ASSERT_EQ(utf16.place(index), made.utf16[at]) << made.text;
      ASSERT_EQ(characters.byte(index), made.bytes[at]) << made.text;
    }
  }
}

}  // namespace
}  // namespace bertha::serve
