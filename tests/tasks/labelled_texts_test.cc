#include "tasks/classification/labelled_texts.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/files.h"
#include "tasks/classification/label_set.h"

namespace bertha::tasks {
namespace {

TEST(LabelledTexts, ColumnsOfGlueAreFoundByName) {
  const LabelledTexts single =
      parse_labelled_texts("sentence\tlabel\r\nso good\t1\r\n\r\nso bad\t0\r\n", "sst", {});
  ASSERT_EQ(single.rows.size(), 2U);
  EXPECT_FALSE(single.pairs);
  EXPECT_EQ(single.rows[1].text, "so bad");
  EXPECT_EQ(single.rows[1].label, "0");
  const LabelledTexts pairs = parse_labelled_texts(
      "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n", "qnli", {});
  EXPECT_TRUE(pairs.pairs);
  EXPECT_EQ(pairs.rows[0].text, "Who?");
  EXPECT_EQ(pairs.rows[0].pair, "He.");
}

TEST(LabelledTexts, ColumnsAreFoundByNumberWithoutAHeader) {
  const LabelledTexts cola = parse_labelled_texts("gj04\t1\t\tOur friends won.\n", "cola",
                                                  {.text = "4", .pair = "", .label = "2"});
  ASSERT_EQ(cola.rows.size(), 1U);
  EXPECT_EQ(cola.rows[0].text, "Our friends won.");
  EXPECT_EQ(cola.rows[0].label, "1");
}

struct PublishedFile {
  const char* task;
  const char* text;
  LabelledText first;
  bool pairs, labelled;
};

/// The headers of GLUE's files as they are published, with rows in their form.
const PublishedFile kGlue[] = {
    {"CoLA train",
     "gj04\t1\t\tOur friends won.\ngj04\t0\t*\tThey drank.\n",
     {.text = "Our friends won.", .label = "1"},
     false,
     true},
    {"CoLA test", "index\tsentence\n0\tBill left.\n", {.text = "Bill left."}, false, false},
    {"SST-2 train",
     "sentence\tlabel\nso good \t1\n",
     {.text = "so good ", .label = "1"},
     false,
     true},
    {"MRPC",
     "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe said \"no.\tNo.\n",
     {.text = "He said \"no.", .pair = "No.", .label = "1"},
     true,
     true},
    {"MRPC test",
     "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t7\t8\ta\tb\n",
     {.text = "a", .pair = "b"},
     true,
     false},
    {"STS-B",
     "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
     "0\tnews\tMSR\t2012\t1\tnone\tnone\ta\tb\t5.000\n",
     {.text = "a", .pair = "b", .label = "5.000"},
     true,
     true},
    {"QQP",
     "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta?\tb?\t0\n",
     {.text = "a?", .pair = "b?", .label = "0"},
     true,
     true},
    {"MNLI",
     "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
     "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
     "0\t1\t1n\tfiction\t( a )\t( b )\t(S a)\t(S b)\ta\tb\tneutral\tentailment\n",
     {.text = "a", .pair = "b", .label = "entailment"},
     true,
     true},
    {"QNLI",
     "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n",
     {.text = "Who?", .pair = "He.", .label = "entailment"},
     true,
     true},
    {"RTE",
     "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n",
     {.text = "a", .pair = "b", .label = "not_entailment"},
     true,
     true},
    {"WNLI test",
     "index\tsentence1\tsentence2\n0\ta\tb\n",
     {.text = "a", .pair = "b"},
     true,
     false},
    {"SNLI",
     "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_"
     "parse\t"
     "sentence1\tsentence2\tcaptionID\tpairID\tlabel1\tlabel2\n"
     "neutral\tx\tx\tx\tx\ta\tb\t1#0\t1r\tneutral\t\n",
     {.text = "a", .pair = "b", .label = "neutral"},
     true,
     true}};

TEST(LabelledTexts, FilesOfGlueAreReadAsPublished) {
  const test::TemporaryFolder folder;
  for (const PublishedFile& file : kGlue) {
    const std::string path = folder.file("train.tsv");
    test::write_all(path, file.text);
    const LabelledTexts found = read_labelled_texts(path, {});
    EXPECT_EQ(found.pairs, file.pairs) << file.task;
    EXPECT_EQ(found.labelled, file.labelled) << file.task;
    ASSERT_FALSE(found.rows.empty()) << file.task;
    EXPECT_EQ(found.rows[0].text, file.first.text) << file.task;
    EXPECT_EQ(found.rows[0].pair, file.first.pair) << file.task;
    EXPECT_EQ(found.rows[0].label, file.first.label) << file.task;
    EXPECT_TRUE(found.problems.empty()) << file.task;
  }
}

TEST(LabelledTexts, CsvAndJsonGiveTheSameRows) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"t.tsv", "text\tlabel\nthe king, runs\t1\nthe dog\t0\n"},
      {"t.csv", "text,label\n\"the king, runs\",1\nthe dog,0\n"},
      {"t.csv", "label;text\n1;the king, runs\n0;the dog\n"},
      {"t.jsonl",
       "{\"text\":\"the king, runs\",\"label\":1}\n{\"label\":0,\"text\":\"the dog\"}\n"},
      {"t.json", "[{\"text\":\"the king, runs\",\"label\":1},{\"label\":0,\"text\":\"the dog\"}]"}};
  for (const auto& [path, text] : files) {
    const LabelledTexts found = parse_labelled_texts(text, path, {});
    ASSERT_EQ(found.rows.size(), 2U) << text;
    EXPECT_EQ(found.rows[0].text, "the king, runs") << text;
    EXPECT_EQ(found.rows[0].label, "1") << text;
    EXPECT_EQ(found.rows[1].text, "the dog") << text;
    EXPECT_EQ(found.rows[1].label, "0") << text;
  }
}

TEST(LabelledTexts, RowsLeftOutAreCountedAndOtherFilesRejected) {
  const LabelledTexts file =
      parse_labelled_texts("label\tsentence\n1\ta\n0\n1\tb\tc\n1\td\n", "f", {});
  ASSERT_EQ(file.rows.size(), 2U);
  EXPECT_EQ(file.rows[1].row, 3);
  EXPECT_EQ(file.problems.total(), 2);
  const LabelledTexts json =
      parse_labelled_texts("{\"text\":\"a\"}\n{\"label\":1}\n{\"text\":null}\n", "f.jsonl", {});
  EXPECT_EQ(json.rows.size(), 1U);
  EXPECT_EQ(json.problems.lines()[0], "row without a text, left out: 2, the first at line 2");
  EXPECT_THROW(parse_labelled_texts("x\ty\n1\t2\n", "f", {}), Error);
  EXPECT_THROW(parse_labelled_texts("sentence\tlabel\n", "f", {}), Error);
  EXPECT_THROW(parse_labelled_texts("", "f", {}), Error);
  EXPECT_THROW(parse_labelled_texts("sentence\tlabel\na\t1\n", "f",
                                    {.text = "", .pair = "", .label = "kind"}),
               Error);
}

TEST(LabelledTexts, LabelsAreTrimmedAndRowsWithoutOneLeftOut) {
  LabelledTexts file =
      parse_labelled_texts("sentence\tlabel\na\t1\nb\t 1 \nc\t\nd\t-\ne\t0\n", "f", {});
  EXPECT_EQ(file.rows.size(), 5U);
  file.keep_labelled();
  ASSERT_EQ(file.rows.size(), 3U);
  EXPECT_EQ(file.rows[1].label, "1");
  EXPECT_EQ(file.problems.lines(),
            (std::vector<std::string>{
                "row without a label, left out: 1, the first at line 4",
                "row labelled \"-\", no agreement, left out: 1, the first at line 5"}));
  LabelledTexts signs = parse_labelled_texts("text\tlabel\na\t+\nb\t-\n", "f", {});
  signs.keep_labelled();
  EXPECT_EQ(signs.rows.size(), 2U);
  LabelledTexts none = parse_labelled_texts("text\nb\n", "f", {});
  EXPECT_THROW(none.keep_labelled(), Error);
}

TEST(LabelledTexts, ColumnsAreFoundInAnyCaseWhereOneIsMeant) {
  const LabelledTexts upper =
      parse_labelled_texts("Sentence,LABEL\na,1\n", "f.csv", {.text = "sentence"});
  EXPECT_EQ(upper.rows[0].text, "a");
  EXPECT_EQ(upper.rows[0].label, "1");
  const LabelledTexts exact = parse_labelled_texts("Text,text,Label,label\na,b,1,2\n", "f.csv", {});
  EXPECT_EQ(exact.rows[0].text, "b");
  EXPECT_EQ(exact.rows[0].label, "2");
  EXPECT_THROW(parse_labelled_texts("Text,TEXT\na,b\n", "f.csv", {}), Error);
}

TEST(LabelledTexts, ErrorOfAWideTableStaysALine) {
  std::string header;
  for (int i = 0; i < 3000; ++i) header += "c" + std::to_string(i) + "\t";
  try {
    parse_labelled_texts(header + "c\n", "f.tsv", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("c19, … (3001 columns)"), std::string::npos);
    EXPECT_LT(std::string(error.what()).size(), 300U);
  }
}

TEST(LabelledTexts, NamesOfMissingValuesAreNoLabels) {
  LabelledTexts file = parse_labelled_texts(
      "text,label\na,nan\nb,NaN\nc,None\nd,<NA>\ne,NULL\nf,null\ng,none\nh,NA\n", "f.csv", {});
  file.keep_labelled();
  ASSERT_EQ(file.rows.size(), 2U) << "a class may have these names";
  EXPECT_EQ(file.rows[0].label, "none");
  EXPECT_EQ(file.rows[1].label, "NA");
  EXPECT_EQ(file.problems.total(), 6);
  EXPECT_EQ(file.problems.lines()[2],
            "row labelled \"None\", a missing value, left out: 1, the first at line 4");
}

TEST(LabelledTexts, SeveralLabelsComeFromListsFieldsAndColumns) {
  using Labels = std::vector<std::string>;
  const LabelledTexts fields =
      parse_labelled_texts("text\tlabel\na\t x; y;;\nb\t\nc\tx\n", "f.tsv", {.separator = ";"});
  EXPECT_EQ(fields.rows[0].labels, (Labels{"x", "y"}));
  EXPECT_EQ(fields.rows[1].labels, Labels());
  EXPECT_EQ(fields.rows[2].labels, Labels{"x"});
  const LabelledTexts lists = parse_labelled_texts(
      R"([{"text": "a", "label": [1, " y"]}, {"text": "b", "label": [null]}])", "f.json", {});
  EXPECT_EQ(lists.rows[0].labels, (Labels{"1", "y"}));
  EXPECT_EQ(lists.rows[1].labels, std::nullopt);
  EXPECT_TRUE(suggests_several_labels(lists.rows));
  const LabelledTexts columns =
      parse_labelled_texts("text,x,y\na,1,0\nb,True,1.0\nc,-1,0\n", "f.csv", {.label = "x, Y"});
  EXPECT_EQ(columns.label_columns, (Labels{"x", "y"}));
  EXPECT_EQ(columns.rows[1].labels, (Labels{"x", "y"}));
  EXPECT_EQ(columns.rows[2].labels, std::nullopt);
  EXPECT_EQ(LabelSet::of_several(columns).names(), columns.label_columns);
  EXPECT_THROW(parse_labelled_texts("text,x\na,1\n", "f.csv", {.label = "x,z"}), Error);
}

TEST(LabelledTexts, BytesThatAreNotUtf8AreNamed) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("latin1.tsv");
  test::write_all(path, "sentence\tlabel\nthe \xEB bc\t1\n");
  try {
    read_labelled_texts(path, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("byte 19 is not UTF-8 text (line 2)"),
              std::string::npos)
        << error.what();
  }
}

TEST(LabelSet, ClassesAreFoundByNameAndByNumber) {
  const LabelledTexts file =
      parse_labelled_texts("text\tlabel\na\t5.000\nb\t1.25\nc\t5.000\n", "f", {});
  EXPECT_TRUE(suggests_regression(file.rows));
  const LabelSet numbers = LabelSet::of(file);
  EXPECT_EQ(numbers.names(), (std::vector<std::string>{"1.25", "5.000"}));
  EXPECT_EQ(numbers.class_of("5.0"), 1);
  EXPECT_EQ(numbers.class_of("2.6"), -1);
  EXPECT_EQ(numbers.class_of("five"), -1);
  const LabelledTexts classes = parse_labelled_texts("text\tlabel\na\t1\nb\t0\n", "f", {});
  EXPECT_FALSE(suggests_regression(classes.rows));
  const LabelSet words({"no", "yes"}, "f");
  EXPECT_EQ(words.class_of("yes"), 1);
  EXPECT_TRUE(words.numbers().empty());
  EXPECT_THROW(LabelSet({"one"}, "f"), Error);
  EXPECT_TRUE(LabelSet().is_regression());
}

TEST(LabelledTexts, LongerOfTwoTextsIsTruncated) {
  const text::Vocabulary vocabulary =
      text::Vocabulary::parse("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n");
  const text::Tokenizer tokenizer(vocabulary);
  RaggedBatch batch;
  batch.clear();
  append_text("a a a a a", "b b", tokenizer, 8, batch);
  EXPECT_EQ(batch.ids, (std::vector<int32_t>{2, 5, 5, 5, 3, 6, 6, 3}));
  EXPECT_EQ(batch.segments, (std::vector<int32_t>{0, 0, 0, 0, 0, 1, 1, 1}));
  append_text("a b", std::nullopt, tokenizer, 8, batch);
  EXPECT_EQ(batch.seq_start, (std::vector<int32_t>{0, 8, 12}));
  EXPECT_EQ(batch.positions[8], 0);
}

}  // namespace
}  // namespace bertha::tasks
