#include "tasks/classification/labelled_texts.h"

#include <gtest/gtest.h>

#include "core/error.h"

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

TEST(LabelledTexts, ShortRowsAreCountedAndOtherFilesRejected) {
  const LabelledTexts file = parse_labelled_texts("label\tsentence\n1\ta\n0\n1\tb\n", "f", {});
  EXPECT_EQ(file.rows.size(), 2U);
  EXPECT_EQ(file.problems.lines()[0], "row with too few columns, skipped: 1, the first at line 3");
  EXPECT_THROW(parse_labelled_texts("x\ty\n1\t2\n", "f", {}), Error);
  EXPECT_THROW(parse_labelled_texts("sentence\tlabel\n", "f", {}), Error);
  EXPECT_THROW(parse_labelled_texts("", "f", {}), Error);
  EXPECT_THROW(parse_labelled_texts("sentence\tlabel\na\t1\n", "f",
                                    {.text = "", .pair = "", .label = "kind"}),
               Error);
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
