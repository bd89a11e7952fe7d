#include "text/casing.h"

#include <gtest/gtest.h>

#include "support/files.h"
#include "text/unknown_share.h"

namespace bertha::text {
namespace {

const std::string kSpecials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

std::optional<bool> told(const std::string& pieces) {
  return lower_case_of(Vocabulary::parse(kSpecials + pieces));
}

TEST(VocabularyCase, IsToldByItsCapitals) {
  EXPECT_EQ(told("the\nking\n##s\n"), true);
  EXPECT_EQ(told("the\nThe\nking\nKing\n"), false);
  EXPECT_EQ(told("мир\nМир\n"), false) << "letters of any script count";
  EXPECT_EQ(told("1\n2\n.\n"), std::nullopt);
  EXPECT_EQ(told("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nK\n"), std::nullopt) << "one of eleven";
}

TEST(VocabularyCase, AlphabetOfCapitalsIsEnough) {
  std::string pieces;
  for (char c = 'A'; c <= 'Z'; ++c) pieces += std::string(1, c) + "\n";
  for (int i = 0; i < 500; ++i) pieces += "字" + std::to_string(i) + "\n";
  EXPECT_EQ(told(pieces), false);
}

class CasingRule : public testing::Test {
 protected:
  Casing choose(const std::string& pieces, const std::string& config, std::optional<bool> option,
                bool otherwise = true) {
    test::write_all(folder_.file("vocab.txt"), kSpecials + pieces);
    test::write_all(folder_.file("tokenizer_config.json"), config);
    return choose_casing(load_tokenizer(folder_.file("")), option, otherwise);
  }
  test::TemporaryFolder folder_;
};

const std::string kCased = "the\nThe\n";
const std::string kUncased = "the\nking\n";
const std::string kSilent = "1\n2\n";

TEST_F(CasingRule, FolderGoesBeforeVocabularyAndOption) {
  const Casing casing = choose(kUncased, R"({"do_lower_case": false})", {});
  EXPECT_FALSE(casing.lower_case);
  EXPECT_NE(casing.warning.find("its folder says cased, but none of its pieces"), std::string::npos)
      << casing.warning;
  const Casing against = choose(kCased, R"({"do_lower_case": false})", true);
  EXPECT_FALSE(against.lower_case);
  EXPECT_NE(against.warning.find("the option for uncased text is not followed"), std::string::npos);
}

TEST_F(CasingRule, VocabularyGoesBeforeTheOption) {
  EXPECT_FALSE(choose(kCased, "{}", {}).lower_case);
  EXPECT_NE(choose(kCased, "{}", {}).warning.find("many of its pieces"), std::string::npos);
  EXPECT_FALSE(choose(kCased, "{}", true).lower_case);
  EXPECT_FALSE(choose(kCased, "{}", true).warning.empty());
  EXPECT_TRUE(choose(kUncased, "{}", {}, false).lower_case);
}

TEST_F(CasingRule, OptionHoldsWhereNothingTells) {
  EXPECT_FALSE(choose(kSilent, "{}", false).lower_case);
  EXPECT_TRUE(choose(kSilent, "{}", true, false).lower_case);
  EXPECT_TRUE(choose(kSilent, "{}", {}, true).lower_case);
  EXPECT_FALSE(choose(kSilent, "{}", {}, false).lower_case);
}

TEST_F(CasingRule, AgreementDoesNotWarn) {
  EXPECT_TRUE(choose(kUncased, R"({"do_lower_case": true})", true).warning.empty());
  EXPECT_TRUE(choose(kCased, R"({"do_lower_case": false})", false).warning.empty());
  EXPECT_TRUE(choose(kUncased, "{}", {}).warning.empty());
  EXPECT_TRUE(choose(kSilent, "{}", false).warning.empty());
}

TEST(UnknownShares, WarnAboveFivePerCentWithTheLikelyCause) {
  const Vocabulary vocabulary = Vocabulary::parse(kSpecials + kUncased);
  const Tokenizer cased(vocabulary, {.lower_case = false});
  UnknownShare share;
  std::vector<int32_t> ids;
  cased.encode(
      "The king the king the king the king the king the king the king the king the king "
      "the king",
      ids);
  share.add(ids, cased.specials().unk);
  EXPECT_EQ(share.tokens, 20);
  EXPECT_EQ(share.unknown, 1);
  EXPECT_TRUE(share.warning(cased, "text").empty()) << "5 % are not more than 5 %";
  share.add(std::vector<int32_t>{1}, 1);
  EXPECT_NE(share.warning(cased, "text").find("the vocabulary has none"), std::string::npos);
  const Tokenizer uncased(vocabulary, {.lower_case = true});
  EXPECT_NE(share.warning(uncased, "text").find("another language"), std::string::npos);
  EXPECT_EQ(share.text(uncased), "2 of 21 tokens (9.52 %) are [UNK]");
  EXPECT_EQ(UnknownShare{}.share(), 0);
}

}  // namespace
}  // namespace bertha::text
