#include "corpus/sentence_splitter.h"

#include <algorithm>

#include "support/samples.h"

namespace bertha::corpus {
namespace {

/// Texts whose sentences are separated by '|', which the test replaces with a space.
class Sentences : public testing::TestWithParam<const char*> {};

TEST_P(Sentences, AreSplitAtTheMarks) {
  const std::string marked = GetParam();
  std::string text = marked;
  std::replace(text.begin(), text.end(), '|', ' ');
  std::string found;
  for (const std::string_view sentence : split_sentences(text)) {
    if (!found.empty()) found += '|';
    found += sentence;
  }
  EXPECT_EQ(found, marked);
}

INSTANTIATE_TEST_SUITE_P(
    English, Sentences,
    testing::Values("One.|Two!|Three?|Four", "He met Dr. Smith in Washington.|They spoke.",
                    "J. R. R. Tolkien wrote it.|He was born in 1892.|In 1911 he left.",
                    "It cost $3.50 in the U.S. Navy of old.", "He lived in the U.S.|The city grew.",
                    "\"Stop.\"|\"Why?\" she asked.", "He said (in 1905.)|Then he left.",
                    "Apples, e.g. Granny Smith, are green.", "It ended ... and began.",
                    "Nothing left ...|He went.", "Acme Inc. said so.|Yahoo! is a company? no.",
                    "See Fig. 3 and pp. 5–7.|Done.", "at 5 p.m. on Monday.|Next",
                    "the ship sank at St. Ives.|It rained.", "What?!|Really."));

INSTANTIATE_TEST_SUITE_P(Elsewhere, Sentences,
                         testing::Values("Él vino.|¿Quién?|Nadie.", "Ist das z.B. gut?|Ja.",
                                         "Он пришёл.|Она ушла.", "यह है।|वह था।"));

TEST(SentenceSplitter, ChineseAndJapaneseNeedNoSpaces) {
  const auto sentences = split_sentences("これは本です。「はい。」彼は言った！");
  ASSERT_EQ(sentences.size(), 3U);
  EXPECT_EQ(sentences[1], "「はい。」");
}

TEST(SentenceSplitter, TextWithoutEndMarkIsOneSentence) {
  EXPECT_EQ(split_sentences("no end").size(), 1U);
  EXPECT_EQ(split_sentences(" . ").size(), 1U);
  EXPECT_TRUE(split_sentences("").empty());
  EXPECT_TRUE(split_sentences(" \n\t ").empty());
}

TEST(SentenceSplitter, AllCharactersAreKept) {
  const std::string text = "A b. C d! " + test::noise(50'000) + " E. \"F.\" (G.) h. I... J";
  std::string joined;
  for (const std::string_view sentence : split_sentences(text)) joined += sentence;
  const auto without_blanks = [](std::string s) {
    std::erase(s, ' ');
    return s;
  };
  EXPECT_EQ(without_blanks(joined), without_blanks(text));
}

}  // namespace
}  // namespace bertha::corpus
