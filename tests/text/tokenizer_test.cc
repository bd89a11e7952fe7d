#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "fixture.h"
#include "support/files.h"

namespace bertha::text {
namespace {

using Ids = std::vector<int32_t>;

Vocabulary small_vocabulary() {
  return Vocabulary::load(test::fixture("vocab.txt"));
}

Ids encode(const Tokenizer& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.encode(text, ids);
  return ids;
}

// fixtures/README.md describes how the cases were made.
TEST(Tokenizer, IdsEqualBothReferences) {
  const Vocabulary vocabulary = small_vocabulary();
  const auto cases = nlohmann::json::parse(test::read_all(test::fixture("cases.json")));
  ASSERT_GE(cases.size(), 200U);
  for (const auto& c : cases) {
    const bool lower = c.at("lower_case");
    const std::string text = c.at("text");
    const Tokenizer hf(vocabulary, {.lower_case = lower});
    const Tokenizer recipe(vocabulary, {.lower_case = lower, .rules = TokenRules::kRecipe});
    EXPECT_EQ(encode(hf, text), c.at("hf").get<Ids>()) << c.dump();
    EXPECT_EQ(encode(recipe, text), c.at("recipe").get<Ids>()) << c.dump();
    Ids ids;
    std::vector<TokenOffset> offsets;
    hf.encode(text, ids, offsets);
    EXPECT_EQ(ids, c.at("hf").get<Ids>()) << c.dump();
    std::vector<TokenOffset> expected;
    for (const auto& pair : c.at("offsets")) expected.push_back({pair[0], pair[1]});
    EXPECT_EQ(offsets, expected) << c.dump();
  }
}

// A soft hyphen is dropped by the rules but moves its segment to the general path. The fast path
// must agree with the general path wherever words end, in particular around its stride of sixteen
// bytes.
TEST(Tokenizer, FastPathEqualsGeneralPath) {
  const Vocabulary vocabulary = small_vocabulary();
  std::mt19937 random(5);
  const std::string alphabet = "abcaabbccHelowrd123xz.,!-[]#'  ";
  for (const bool lower : {true, false}) {
    for (const TokenRules rules : {TokenRules::kHf, TokenRules::kRecipe}) {
      const Tokenizer tokenizer(vocabulary, {.lower_case = lower, .rules = rules});
      for (int round = 0; round < 3000; ++round) {
        std::string plain;
        for (auto left = random() % 60; left > 0; --left) {
          plain += alphabet[random() % alphabet.size()];
        }
        std::string general;
        for (const char c : plain + " ") general += c == ' ' ? "\xC2\xAD " : std::string(1, c);
        ASSERT_EQ(encode(tokenizer, plain), encode(tokenizer, general)) << plain;
      }
    }
  }
}

TEST(Tokenizer, DoesNotReadPastTheText) {
  const Vocabulary vocabulary = small_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  for (size_t length = 0; length <= 40; ++length) {
    const std::vector<char> exact(length, 'a');  // a sanitizer detects an access past the end
    const Ids ids = encode(tokenizer, std::string_view(exact.data(), length));
    const std::string longer = std::string(length, 'a') + std::string(32, ' ');
    EXPECT_EQ(ids, encode(tokenizer, longer));
  }
}

TEST(Tokenizer, EncodeAppendsToTheIds) {
  const Vocabulary vocabulary = small_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  Ids ids = {7};
  std::vector<TokenOffset> offsets = {{1, 2}};
  tokenizer.encode("abc d\xC3\xA9", ids, offsets);  // the second word is rolled back and redone
  EXPECT_EQ(ids, (Ids{7, vocabulary.id("abc"), vocabulary.id("[UNK]")}));
  EXPECT_EQ(offsets, (std::vector<TokenOffset>{{1, 2}, {0, 3}, {4, 6}}));
}

TEST(Tokenizer, InvalidUtf8IsReadAsReplacementCharacters) {
  const Vocabulary vocabulary = small_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  Ids ids;
  std::vector<TokenOffset> offsets;
  tokenizer.encode("a\xFF\xE2\x82 b\xC3", ids, offsets);
  EXPECT_EQ(ids, (Ids{vocabulary.id("a"), vocabulary.id("b")}));
  EXPECT_EQ(offsets, (std::vector<TokenOffset>{{0, 1}, {4, 5}}));
}

TEST(Tokenizer, WordsOverTheLimitBecomeUnknown) {
  const Vocabulary vocabulary = small_vocabulary();
  const int32_t unk = vocabulary.id("[UNK]");
  for (const int32_t most : {1, 3, 15, 16, 17, 200}) {
    const Tokenizer tokenizer(vocabulary, {.max_input_chars_per_word = most});
    const auto length = static_cast<size_t>(most);
    EXPECT_NE(encode(tokenizer, std::string(length, 'a')), Ids{unk}) << most;
    EXPECT_EQ(encode(tokenizer, std::string(length + 1, 'a')), Ids{unk}) << most;
  }
  EXPECT_THROW(Tokenizer(vocabulary, {.max_input_chars_per_word = 0}), Error);
}

TEST(Tokenizer, VocabularyWithoutUnknownPieceIsRejected) {
  const Vocabulary vocabulary = Vocabulary::parse("a\nb\n", "v.txt");
  EXPECT_THROW(Tokenizer{vocabulary}, Error);
}

TEST(Tokenizer, WorksWithoutContinuingPiecesAndWithoutSpecials) {
  const Vocabulary vocabulary = Vocabulary::parse("[UNK]\na\nab\n");
  EXPECT_EQ(encode(Tokenizer(vocabulary), "a ab aba b [CLS]"), (Ids{1, 2, 0, 0, 0, 0, 0}));
  const Tokenizer recipe(vocabulary, {.rules = TokenRules::kRecipe});
  EXPECT_EQ(encode(recipe, "a [CLS] [CLS]."), (Ids{1, 0, 0, 0, 0, 0}));
}

// One base letter with a long run of accents out of order, and one segment without white space.
TEST(Tokenizer, LongSegmentsAreEncoded) {
  const Vocabulary vocabulary = small_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  std::string accents = "a";
  for (int i = 0; i < 200000; ++i) accents += i % 2 == 0 ? "\xCC\x81" : "\xCC\xA3";
  EXPECT_EQ(encode(tokenizer, accents), Ids{vocabulary.id("a")});
  std::string commas;
  for (int i = 0; i < 200000; ++i) commas += "a,";
  EXPECT_EQ(encode(tokenizer, commas).size(), 400000U);
  EXPECT_EQ(encode(tokenizer, commas + "\xC2\xAD").size(), 400000U);
}

TEST(Tokenizer, ThreadsMayShareATokenizer) {
  const Vocabulary vocabulary = small_vocabulary();
  const Tokenizer tokenizer(vocabulary);
  const auto cases = nlohmann::json::parse(test::read_all(test::fixture("cases.json")));
  std::array<Ids, 4> results;
  std::vector<std::thread> threads;
  for (Ids& result : results) {
    threads.emplace_back([&] {
      for (const auto& c : cases) tokenizer.encode(c.at("text").get<std::string>(), result);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(results[0].empty());
  for (const Ids& result : results) EXPECT_EQ(result, results[0]);
}

}  // namespace
}  // namespace bertha::text
