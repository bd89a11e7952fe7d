#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace bertha::text {
namespace {

constexpr const char* kSpecials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

std::string message_of(const std::string& contents) {
  try {
    Vocabulary::parse(contents, "v.txt");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Vocabulary, IdsAreLineNumbers) {
  const Vocabulary vocabulary = Vocabulary::parse("a\nb\r\n##c\rd");
  ASSERT_EQ(vocabulary.size(), 4);
  EXPECT_EQ(vocabulary.find("a"), 0);
  EXPECT_EQ(vocabulary.find("b"), 1);
  EXPECT_EQ(vocabulary.find("##c"), 2);
  EXPECT_EQ(vocabulary.find("d"), 3);
  EXPECT_EQ(vocabulary.find("e"), std::nullopt);
  EXPECT_EQ(vocabulary.piece(2), "##c");
}

TEST(Vocabulary, RepeatedLineCountsOnceWithItsLastId) {
  const Vocabulary vocabulary = Vocabulary::parse("a\nb\na\nc\n");
  EXPECT_EQ(vocabulary.size(), 4);
  EXPECT_EQ(vocabulary.id("a"), 2);
  const std::vector<int32_t> distinct(vocabulary.distinct_ids().begin(),
                                      vocabulary.distinct_ids().end());
  EXPECT_EQ(distinct, (std::vector<int32_t>{2, 1, 3}));
  EXPECT_EQ(vocabulary.piece(0), "a");
}

TEST(Vocabulary, WhiteSpaceIsStrippedAsInPython) {
  const Vocabulary vocabulary =
      Vocabulary::parse(" a \n\tb\x1c\n\xC2\xA0\xC3\xA9\xE2\x80\xA8\n\n\xE2\x80\x8Bz\n");
  EXPECT_EQ(vocabulary.piece(0), "a");
  EXPECT_EQ(vocabulary.piece(1), "b");
  EXPECT_EQ(vocabulary.piece(2), "\xC3\xA9");
  EXPECT_EQ(vocabulary.piece(3), "");
  EXPECT_EQ(vocabulary.piece(4), "\xE2\x80\x8Bz") << "U+200B is no blank";
}

TEST(Vocabulary, IsValidAfterAMove) {
  Vocabulary first = Vocabulary::parse("a\nb\n");
  const Vocabulary second = std::move(first);
  EXPECT_EQ(second.piece(1), "b");
  EXPECT_EQ(second.find("a"), 0);
}

TEST(Vocabulary, MissingSpecialPieceIsNamed) {
  EXPECT_EQ(Vocabulary::parse(kSpecials).specials().mask, 4);
  const Vocabulary vocabulary = Vocabulary::parse("[PAD]\n[UNK]\n[CLS]\n", "v.txt");
  try {
    vocabulary.specials();
    FAIL() << "expected an error: there is no [SEP]";
  } catch (const Error& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "v.txt: no [SEP] among its 3 pieces; expected a WordPiece vocabulary, one piece on each "
        "line");
  }
}

TEST(Vocabulary, InvalidVocabulariesAreRejected) {
  EXPECT_NE(message_of("").find("v.txt: empty"), std::string::npos);
  EXPECT_NE(message_of("a\n\xFFz\n").find("v.txt: line 2, byte 0 is not UTF-8"), std::string::npos);
  EXPECT_NE(message_of(std::string("a\nb\0c\n", 6)).find("v.txt: line 2 holds a NUL"),
            std::string::npos);
  EXPECT_NE(message_of(std::string(2000, 'x')).find("v.txt: line 1 has 2000 bytes"),
            std::string::npos);
  EXPECT_THROW(Vocabulary::load("/no/such/file"), Error);
  EXPECT_THROW(Vocabulary::load("/"), Error);
  EXPECT_THROW(Vocabulary::parse("a\n").piece(1), LogicError);
  EXPECT_THROW(Vocabulary::parse("a\n").piece(-1), LogicError);
}

}  // namespace
}  // namespace bertha::text
