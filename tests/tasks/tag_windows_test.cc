#include "tasks/tagging/tag_windows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "core/philox.h"
#include "support/paths.h"

namespace bertha::tasks {
namespace {

const text::Vocabulary& vocabulary() {
  static const text::Vocabulary loaded =
      text::Vocabulary::load(test::tests_path("tasks/fixtures/squad/vocab.txt"));
  return loaded;
}

/// Words of these numbers of tokens.
WordTokens words_of(const std::vector<int32_t>& sizes) {
  WordTokens words;
  for (const int32_t size : sizes) {
    for (int32_t i = 0; i < size; ++i)
      words.ids.push_back(10 + static_cast<int32_t>(words.ids.size() % 50));
    words.word_start.push_back(static_cast<int32_t>(words.ids.size()));
  }
  return words;
}

class TagWindowsTest : public testing::Test {
 protected:
  std::vector<TagWindow> cut(const WordTokens& words, int64_t max_tokens) const {
    std::vector<TagWindow> windows;
    TagWindows(tokenizer_, max_tokens).cut(words, 0, windows);
    return windows;
  }

  text::Tokenizer tokenizer_{vocabulary()};
};

TEST_F(TagWindowsTest, ShortSentenceIsOneWindow) {
  const std::vector<TagWindow> windows = cut(words_of({1, 2, 0, 3}), 8);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].first, 0);
  EXPECT_EQ(windows[0].last, 4);
  EXPECT_TRUE(cut(words_of({}), 8).empty());
}

TEST_F(TagWindowsTest, NeighboursShareAQuarterAndEachDecidesHalfOfIt) {
  const std::vector<TagWindow> windows = cut(words_of(std::vector<int32_t>(20, 1)), 10);
  ASSERT_EQ(windows.size(), 3U);  // rooms of 8 tokens, 2 of them shared
  EXPECT_EQ(windows[1].begin, 6);
  EXPECT_EQ(windows[1].end, 14);
  EXPECT_EQ(windows[1].first, 7);
  EXPECT_EQ(windows[1].last, 13);
  EXPECT_EQ(windows[2].end, 20);
}

TEST_F(TagWindowsTest, EachWordIsDecidedOnceWhateverTheirSizes) {
  PhiloxStream random(3, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int32_t> sizes;
    const auto count = random.below(40);
    for (uint64_t i = 0; i < count; ++i) sizes.push_back(static_cast<int32_t>(random.below(12)));
    const WordTokens words = words_of(sizes);
    const auto max_tokens = static_cast<int64_t>(3 + random.below(20));
    int32_t decided = 0;
    for (const TagWindow& window : cut(words, max_tokens)) {
      EXPECT_EQ(window.first, decided);
      EXPECT_LE(window.begin, window.first);
      EXPECT_LE(window.first, window.last);
      EXPECT_LE(window.last, window.end);
      decided = window.last;
      RaggedBatch batch;
      batch.clear();
      const std::vector<int32_t> places =
          TagWindows(tokenizer_, max_tokens).append(words, window, batch);
      EXPECT_LE(batch.tokens(), max_tokens);
      ASSERT_EQ(std::ssize(places), window.last - window.first);
      for (int32_t word = window.first; word < window.last; ++word) {
        const int32_t place = places[static_cast<size_t>(word - window.first)];
        const auto start = static_cast<size_t>(words.word_start[static_cast<size_t>(word)]);
        EXPECT_EQ(place < 0, sizes[static_cast<size_t>(word)] == 0);
        if (place < 0) continue;
        EXPECT_EQ(batch.ids[static_cast<size_t>(place)], words.ids[start]);
      }
    }
    EXPECT_EQ(decided, std::ssize(sizes));
  }
}

TEST_F(TagWindowsTest, LengthWithoutRoomForAWordIsAnError) {
  EXPECT_THROW(TagWindows(tokenizer_, 2), Error);
}

TEST_F(TagWindowsTest, WordsOfATextAreThoseOfTheTokenizer) {
  std::vector<text::TokenOffset> places;
  const std::string text = "The houses, stand";
  const WordTokens words = tokens_of_text(text, tokenizer_, places);
  ASSERT_EQ(words.words(), 4);
  EXPECT_EQ(places, (std::vector<text::TokenOffset>{{0, 3}, {4, 10}, {10, 11}, {12, 17}}));
  const std::vector<std::string> split = {"The", "houses", ",", "stand"};
  const WordTokens same = tokens_of_words(split, tokenizer_);
  EXPECT_EQ(words.ids, same.ids);
  EXPECT_EQ(words.word_start, same.word_start);
  EXPECT_EQ(tokens_of_text(" \t", tokenizer_, places).words(), 0);
}

}  // namespace
}  // namespace bertha::tasks
