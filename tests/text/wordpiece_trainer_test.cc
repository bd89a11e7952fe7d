#include "text/wordpiece_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "fixture.h"
#include "support/files.h"

namespace bertha::text {
namespace {

using Pieces = std::vector<std::string>;

WordCounts count(const std::string& text, bool lower_case = true) {
  WordCounts words(lower_case);
  words.add(text);
  return words;
}

TEST(WordCounts, WordsAreSplitAsByTheTokenizer) {
  const WordCounts words = count("Über UBER, uber\n中国 [MASK]");
  EXPECT_EQ(words.counts().at("uber"), 3);
  EXPECT_EQ(words.counts().at(","), 1);
  EXPECT_EQ(words.counts().at("中"), 1);
  EXPECT_EQ(words.counts().at("mask"), 1);
  EXPECT_EQ(words.counts().size(), 7U);
  EXPECT_EQ(count("Über UBER", false).counts().at("Über"), 1);
}

TEST(WordCounts, AccentsStayOrGoWhateverTheCase) {
  const auto first_word = [](bool lower, bool strip, TokenRules rules) {
    WordCounts words(lower, rules, strip);
    words.add("Über");
    return words.counts().begin()->first;
  };
  for (const TokenRules rules : {TokenRules::kHf, TokenRules::kRecipe}) {
    EXPECT_EQ(first_word(true, false, rules), "über");
    EXPECT_EQ(first_word(true, true, rules), "uber");
    EXPECT_EQ(first_word(false, true, rules), "Uber");
    EXPECT_EQ(first_word(false, false, rules), "Über");
  }
}

TEST(WordCounts, CountsAreAddedAndOverlongWordsSkipped) {
  WordCounts words = count("a b");
  words.add(count("b " + std::string(2000, 'x')));
  EXPECT_EQ(words.counts().at("b"), 2);
  EXPECT_EQ(words.counts().size(), 2U);
}

// Hugging Face gives "##x" pieces ids from a random hash map, so the fixture fixes the order.
TEST(WordPieceTrainer, VocabularyEqualsHuggingFaces) {
  const auto expected = nlohmann::json::parse(test::read_all(test::fixture("trainer.json")));
  const auto pieces = expected.at("pieces").get<Pieces>();
  TrainerOptions options;
  options.vocab_size = static_cast<int64_t>(pieces.size());
  const auto initial = expected.at("initial").get<std::ptrdiff_t>();
  options.initial_pieces = Pieces(pieces.begin(), pieces.begin() + initial);
  EXPECT_EQ(train_wordpieces(count(test::read_all(test::fixture("corpus.txt"))), options), pieces);
}

TEST(WordPieceTrainer, MostFrequentPairIsMergedFirst) {
  TrainerOptions options;
  options.initial_pieces = {"[UNK]"};
  EXPECT_EQ(train_wordpieces(count("abc abc abd xb"), options),
            (Pieces{"[UNK]", "a", "b", "c", "d", "x", "##b", "##c", "##d", "ab", "abc"}));
  options.vocab_size = 10;
  EXPECT_EQ(train_wordpieces(count("abc abc abd xb"), options).size(), 10U);
  options.vocab_size = 100;
  options.min_frequency = 1;
  const Pieces all = train_wordpieces(count("abc abc abd xb"), options);
  EXPECT_NE(std::find(all.begin(), all.end(), "xb"), all.end());
  EXPECT_NE(std::find(all.begin(), all.end(), "abd"), all.end());
}

TEST(WordPieceTrainer, AlphabetLimitKeepsTheMostFrequentCharacters) {
  TrainerOptions options;
  options.initial_pieces = {};
  options.limit_alphabet = 2;
  EXPECT_EQ(train_wordpieces(count("aaa bb b c d"), options), (Pieces{"a", "b", "##a", "##b"}));
}

TEST(WordPieceTrainer, VocabularyDoesNotDependOnTheOrderOfTheText) {
  const std::string one = "the cat sat on the mat with the other cat\n";
  const std::string two = "mathematics is the art of the other that sat\n";
  EXPECT_EQ(train_wordpieces(count(one + two), {}), train_wordpieces(count(two + one), {}));
}

TEST(WordPieceTrainer, OptionsOutOfRangeAreRejected) {
  EXPECT_THROW(train_wordpieces(count(" \n"), {}), Error);
  EXPECT_THROW(train_wordpieces(count("a"), {.vocab_size = 0}), Error);
  EXPECT_THROW(train_wordpieces(count("a"), {.min_frequency = -1}), Error);
  EXPECT_THROW(train_wordpieces(count("a"), {.limit_alphabet = 0}), Error);
}

}  // namespace
}  // namespace bertha::text
