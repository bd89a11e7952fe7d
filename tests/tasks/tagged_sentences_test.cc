#include "tasks/tagging/tagged_sentences.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace bertha::tasks {
namespace {

using Words = std::vector<std::string>;

TaggedFile parse(const std::string& text, const std::string& path = "train.conll",
                 const TagColumns& columns = {}) {
  return parse_tagged(text, path, columns);
}

std::string error_of(const std::string& text, const std::string& path = "train.conll",
                     const TagColumns& columns = {}) {
  try {
    parse(text, path, columns);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TaggedSentences, Conll2003HasDocumentMarksAndFourColumns) {
  const TaggedFile file = parse(
      "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n-DOCSTART- -X- O O\n\n"
      "Peter NNP B-NP B-PER\r\nBlackburn NNP I-NP I-PER\r\n\r\n");
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(file.sentences[0].words, (Words{"EU", "rejects"}));
  EXPECT_EQ(file.sentences[0].labels, (Words{"B-ORG", "O"}));
  EXPECT_EQ(file.sentences[1].words, (Words{"Peter", "Blackburn"}));
  EXPECT_EQ(file.sentences[1].labels, (Words{"B-PER", "I-PER"}));
  EXPECT_EQ(file.sentences[1].lines, (std::vector<int64_t>{8, 9}));
  EXPECT_EQ(file.words(), 4);
  EXPECT_TRUE(file.problems.empty());
  EXPECT_EQ(file.label_names(), (Words{"B-ORG", "B-PER", "I-PER", "O"}));
}

TEST(TaggedSentences, RunsOfBlanksAndAMissingLineEndAreFine) {
  const TaggedFile file = parse("\n  \n\na   B-X \n b\tO\n\n\n\nc O");
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(file.sentences[0].words, (Words{"a", "b"}));
  EXPECT_EQ(file.sentences[1].labels, (Words{"O"}));
}

TEST(TaggedSentences, TabsKeepBlanksWithinWords) {
  const TaggedFile file = parse("New York\tB-LOC\n#\tO\n\t\nx\tO\n");
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(file.sentences[0].words, (Words{"New York", "#"}));
  EXPECT_EQ(file.separator, '\t');
}

TEST(TaggedSentences, FirstColumnThatNumbersTheWordsIsFound) {
  const std::string ner =
      "# sent_id = 1\n# text = Ana sees it\n1\tAna\tB-PER\t-\tme\n2\tsees\tO\t-\tme\n\n"
      "# sent_id = 2\n1-2\tvamonos\tO\t-\tme\n1\tvamos\tO\t-\tme\n2\tnos\tO\t-\tme\n"
      "2.1\tella\tO\t-\tme\n3\tRoma\tB-LOC\t-\tme\n";
  const TaggedFile file = parse(ner);
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(file.sentences[0].words, (Words{"Ana", "sees"}));
  EXPECT_EQ(file.sentences[0].labels, (Words{"B-PER", "O"}));
  EXPECT_EQ(file.sentences[1].words, (Words{"vamos", "nos", "Roma"}));
  EXPECT_EQ(file.sentences[1].lines, (std::vector<int64_t>{8, 9, 11}));
  EXPECT_EQ(file.notes.size(), 1U);
  EXPECT_EQ(file.problems.lines().at(0),
            "row of several words or of none, left out: 2, the first at line 7");
  std::string wrong;
  for (int i = 0; i < 12; ++i) wrong += "1\ta\tO\n2\tb\tO\n\n";
  EXPECT_NE(error_of(wrong + "1\tc\tO\n3\td\tO\n").find("line 38: \"3\""), std::string::npos);
}

TEST(TaggedSentences, NumbersAsWordsAreNoNumbersOfWords) {
  const TaggedFile file = parse("1 CD O\n2 CD O\n\n7 CD O\nmen NN O\n");
  EXPECT_EQ(file.sentences[0].words, (Words{"1", "2"}));
  EXPECT_EQ(parse("1 O\n2 O\n").sentences[0].words, (Words{"1", "2"}));
}

TEST(TaggedSentences, CommentsBeginSentencesAndWordsMayBeginWithAHash) {
  const TaggedFile multi =
      parse("# id 5239d808 domain=en\nthe _ _ O\n# _ _ O\n\n# id 1 domain=en\n#tag _ _ B-X\n");
  ASSERT_EQ(multi.sentences.size(), 2U);
  EXPECT_EQ(multi.sentences[0].words, (Words{"the", "#"}));
  EXPECT_EQ(multi.sentences[1].words, (Words{"#tag"}));
  EXPECT_EQ(parse("# O\nx O\n\n#a B-X\n").words(), 3);
  EXPECT_EQ(parse("# a comment line here\nx O\n").words(), 1);
  EXPECT_NE(error_of("x O\n#lost\n").find("line 2: 1 columns, expected 2"), std::string::npos);
}

TEST(TaggedSentences, ColumnsCanBeChosen) {
  const std::string text = "a x B-X z\nb y O z\n";
  const TaggedFile file = parse(text, "f", {.word = "2", .label = "3"});
  EXPECT_EQ(file.sentences[0].words, (Words{"x", "y"}));
  EXPECT_EQ(file.sentences[0].labels, (Words{"B-X", "O"}));
  EXPECT_NE(error_of(text, "f", {.word = "5", .label = ""}).find("--word-column 5"),
            std::string::npos);
  EXPECT_NE(error_of(text, "f", {.word = "", .label = "ner"}).find("--label-column ner"),
            std::string::npos);
}

TEST(TaggedSentences, FaultyRowsAreRefusedWithTheirLine) {
  EXPECT_NE(error_of("a O\n\nb\n").find("train.conll: line 3: 1 columns, expected 2"),
            std::string::npos);
  EXPECT_NE(error_of("a O\nb c O\n").find("line 2: 3 columns"), std::string::npos);
  EXPECT_NE(error_of("a\tO\n\tO\n").find("line 2: the word, column 1, is empty"),
            std::string::npos);
  EXPECT_NE(
      error_of("a\t\tO\nb\t \tO\n", "f", {.word = "", .label = "2"}).find("line 1: the label"),
      std::string::npos);
  EXPECT_NE(error_of("").find("train.conll"), std::string::npos);
  EXPECT_NE(error_of("\n-DOCSTART- O\n\n").find("no line with a word"), std::string::npos);
}

TEST(TaggedSentences, LabelsThatAreNoIobLabelsAreCounted) {
  const TaggedFile file = parse("a NN\nb O\nc B-X\nd VB\n");
  EXPECT_EQ(file.problems.lines().at(0),
            "label that is not O and has no prefix B-, I-, E- or S-: 2, the first at line 1");
}

TEST(TaggedSentences, OneColumnHasWordsAlone) {
  const TaggedFile file = parse("a\nb\n\nc\n");
  EXPECT_FALSE(file.labelled);
  EXPECT_EQ(file.words(), 3);
  EXPECT_THROW(file.require_labels(), Error);
}

TEST(TaggedSentences, JsonLinesHaveListsOfWordsAndLabels) {
  const TaggedFile file = parse(
      "{\"id\": 1, \"tokens\": [\"a\", \"\\u00e9\"], \"ner_tags\": [\"O\", \"B-X\"]}\n\n"
      "{\"tokens\": [], \"ner_tags\": []}\n{\"tokens\": [\"c\"], \"ner_tags\": [\"O\"]}\n",
      "train.jsonl");
  ASSERT_EQ(file.sentences.size(), 3U);
  EXPECT_EQ(file.sentences[0].words, (Words{"a", "é"}));
  EXPECT_EQ(file.sentences[2].lines, (std::vector<int64_t>{4}));
  EXPECT_EQ(parse("{\"words\": [\"a\"], \"tags\": [\"O\"]}", "x").words(), 1);
  EXPECT_EQ(parse("{\"t\": [\"a\"], \"l\": [\"O\"]}", "x.json.gz", {.word = "t", .label = "l"})
                .sentences[0]
                .labels,
            (Words{"O"}));
}

TEST(TaggedSentences, NumbersGetTheirNames) {
  TaggedFile file = parse("{\"tokens\": [\"a\", \"b\"], \"ner_tags\": [2, 0]}", "n.jsonl");
  EXPECT_TRUE(file.numbered);
  const Words names = {"O", "B-X", "I-X"};
  file.name_labels(names);
  EXPECT_EQ(file.sentences[0].labels, (Words{"I-X", "O"}));
  TaggedFile large = parse("{\"tokens\": [\"a\"], \"ner_tags\": [3]}", "n.jsonl");
  EXPECT_THROW(large.name_labels(names), Error);
}

TEST(TaggedSentences, FaultyJsonIsRefusedWithItsLine) {
  const auto second = [](const std::string& line) {
    return error_of("{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n" + line, "t.jsonl");
  };
  EXPECT_NE(second("{\"tokens\": [\"a\"], \"tags\": []}").find("line 2: 1 words and 0 labels"),
            std::string::npos);
  EXPECT_NE(second("{\"tokens\": [\"a\"]}").find("line 2: no list of labels"), std::string::npos);
  EXPECT_NE(second("{\"tokens\": \"a\", \"tags\": []}").find("\"tokens\" is no list"),
            std::string::npos);
  EXPECT_NE(second("{\"tokens\": [1], \"tags\": [\"O\"]}").find("the word 1"), std::string::npos);
  EXPECT_NE(second("{\"tokens\": [\"a\"], \"tags\": [3]}").find("as text and as numbers"),
            std::string::npos);
  EXPECT_NE(second("{\"tokens\": [\"a\"], \"tags\": [null]}").find("the label null"),
            std::string::npos);
  EXPECT_NE(second("{\"text\": \"a\"}").find("no list of words"), std::string::npos);
  EXPECT_NE(second("[1]").find("expected a JSON object"), std::string::npos);
  EXPECT_NE(second("{\"tokens\": [").find("line 2"), std::string::npos);
}

TEST(TaggedSentences, LabelsBecomeAColumnMoreAndAllElseStays) {
  const std::string conll = "-DOCSTART- O\n\n# c d e\na O\nb B-X\n\n\nc O\n";
  EXPECT_EQ(with_labels(conll, parse(conll), std::vector<Words>{{"O", "I-X"}, {"B-Y"}}),
            "-DOCSTART- O\n\n# c d e\na O O\nb B-X I-X\n\n\nc O B-Y\n");
  const std::string tabs = "a\n\nb";
  EXPECT_EQ(with_labels(tabs, parse(tabs), std::vector<Words>{{"O"}, {"O"}}), "a O\n\nb O\n");
  const std::string json = "{\"tokens\": [\"a\"], \"z\": 1 }\n\n{\"tokens\": []}\n";
  EXPECT_EQ(with_labels(json, parse(json, "a.jsonl"), std::vector<Words>{{"O"}, {}}),
            "{\"tokens\": [\"a\"], \"z\": 1 , \"predicted_tags\": [\"O\"]}\n\n"
            "{\"tokens\": [], \"predicted_tags\": []}\n");
}

}  // namespace
}  // namespace bertha::tasks
