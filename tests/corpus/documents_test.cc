#include "corpus/documents.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "support/files.h"

namespace bertha::corpus {
namespace {

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i % 12 == 11) ? "word.\n" : "word ";
  return text;
}

TEST(Documents, LinesOfAParagraphAreJoined) {
  EXPECT_EQ(split_documents("In the beginning\r\nwas the word.\n\nAnd  it\nwas good.\n"),
            (std::vector<std::string>{"In the beginning was the word. And  it was good."}));
}

TEST(Documents, EmptyTextHasNone) {
  EXPECT_TRUE(split_documents("").empty());
  EXPECT_TRUE(split_documents(" \n\n\t\n").empty());
}

TEST(Documents, ChapterBeginsANewOne) {
  const std::string text =
      "CHAPTER I.\n\n" + words(240) + "\n\nChapter II\n\n" + words(240) + "\n\nThe End\n";
  const std::vector<std::string> documents = split_documents(text);
  ASSERT_EQ(documents.size(), 3U);
  EXPECT_TRUE(documents[0].starts_with("CHAPTER I. word"));
  EXPECT_TRUE(documents[1].starts_with("Chapter II word"));
  EXPECT_EQ(documents[2], "The End");
}

TEST(Documents, LongTextIsCutBetweenParagraphs) {
  std::string text;
  for (int i = 0; i < 10; ++i) text += words(360) + "\n";
  const std::vector<std::string> documents = split_documents(text);
  ASSERT_EQ(documents.size(), 4U);
  EXPECT_TRUE(documents[0].ends_with("word."));
}

TEST(Documents, WithoutBlankLinesAWrappedTextIsJoinedAndALineOtherwiseIsAParagraph) {
  const std::string wrapped =
      "It was the best of times, it was the worst of times, it was\n"
      "the age of wisdom, it was the age of foolishness, it was the\n"
      "epoch of belief, it was the epoch of incredulity.\n";
  EXPECT_EQ(split_documents(wrapped).size(), 1U);
  std::string sentences;
  for (int i = 0; i < 300; ++i) sentences += "This line is a sentence of eight words.\n";
  EXPECT_EQ(split_documents(sentences).size(), 3U) << "2,400 words, cut after each 1,000";
}

class DocumentFiles : public testing::Test {
 protected:
  std::vector<std::string> read(const std::string& name, const std::string& contents) {
    test::write_all(folder_.file(name), contents);
    std::vector<std::string> documents;
    read_documents(folder_.file(name),
                   [&](const std::string& document) { documents.push_back(document); });
    return documents;
  }
  test::TemporaryFolder folder_;
};

TEST_F(DocumentFiles, JsonLinesHaveADocumentEach) {
  EXPECT_EQ(read("a.jsonl", "{\"text\": \"One.\\nTwo.\", \"id\": 7}\n\n{\"text\": \"Three.\"}\n"),
            (std::vector<std::string>{"One. Two.", "Three."}));
}

TEST_F(DocumentFiles, WrongJsonLineIsNamed) {
  for (const char* line : {"[1]", "{\"body\": \"x\"}", "{\"text\": 3}", "{\"text\": "}) {
    try {
      read("a.jsonl", "{\"text\": \"One.\"}\n" + std::string(line) + "\n");
      FAIL() << line;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("a.jsonl:2"), std::string::npos) << error.what();
    }
  }
}

TEST_F(DocumentFiles, FoldersAreReadInOrderAndWithoutOtherFiles) {
  for (const char* name : {"b.txt", "a.md", "c.png", "d.jsonl.gz"}) {
    test::write_all(folder_.file(name), "x");
  }
  const std::vector<std::string> paths = {folder_.path().string(), folder_.file("b.txt")};
  EXPECT_EQ(find_texts(paths),
            (std::vector<std::string>{folder_.file("a.md"), folder_.file("b.txt"),
                                      folder_.file("d.jsonl.gz")}));
  const std::vector<std::string> missing = {folder_.file("nothing")};
  EXPECT_THROW(find_texts(missing), Error);
}

}  // namespace
}  // namespace bertha::corpus
