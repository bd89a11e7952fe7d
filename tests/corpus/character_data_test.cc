#include "corpus/character_data.h"

#include <gtest/gtest.h>

namespace bertha::corpus {
namespace {

struct Taken {
  explicit Taken(std::string_view xml, size_t limit = 1000)
      : bytes(append_character_data(xml, limit, text)) {}
  std::string text;
  size_t bytes;
};

TEST(CharacterData, StopsBeforeATag) {
  const Taken taken("a [[b]] 日本 &lt;ref&gt;]]&quot;&apos;&amp;amp;]]</text>&gt;");
  EXPECT_EQ(taken.text, "a [[b]] 日本 <ref>]]\"'&amp;]]");
  EXPECT_EQ(taken.bytes,
            std::string_view("a [[b]] 日本 &lt;ref&gt;]]&quot;&apos;&amp;amp;]]").size());
}

TEST(CharacterData, StopsBeforeInputThatNeedsAParser) {
  for (const std::string_view rest : {"&#160;", "&nbsp;", "&l", "\r\n", "]]>", "]", "]]]", "\x01",
                                      "\x80", "\xE6\x97", "\xEF\xBF\xBF", "\xC0\x80", "\xF5"}) {
    const Taken taken(std::string("a\n> \t\x7F") + std::string(rest));
    EXPECT_EQ(taken.text, "a\n> \t\x7F") << rest;
    EXPECT_EQ(taken.bytes, 6U) << rest;
  }
}

TEST(CharacterData, StopsAtTheLimit) {
  const Taken taken("ab&lt;cd<", 3);
  EXPECT_EQ(taken.text, "ab<");
  EXPECT_EQ(taken.bytes, 8U);
}

}  // namespace
}  // namespace bertha::corpus
