#include "train/rank_agreement.h"

#include <gtest/gtest.h>

namespace bertha::train {
namespace {

TEST(AllReduceSums, EveryFieldOfOneRankIsUnchanged) {
  StepSums mine;
  mine.losses.masked = 1.5;
  mine.losses.next_sentence = 2.5;
  mine.losses.masked_count = 3;
  mine.losses.sequence_count = 4;
  mine.losses.masked_right = 5;
  mine.losses.next_sentence_right = 6;
  mine.loss = 7.5;
  mine.tokens = 8;
  mine.nonfinite = 9;
  const StepSums all = all_reduce_sums(comm::alone(), mine);
  EXPECT_EQ(all.losses.masked, 1.5);
  EXPECT_EQ(all.losses.next_sentence, 2.5);
  EXPECT_EQ(all.losses.masked_count, 3);
  EXPECT_EQ(all.losses.sequence_count, 4);
  EXPECT_EQ(all.losses.masked_right, 5);
  EXPECT_EQ(all.losses.next_sentence_right, 6);
  EXPECT_EQ(all.loss, 7.5);
  EXPECT_EQ(all.tokens, 8);
  EXPECT_EQ(all.nonfinite, 9);
}

}  // namespace
}  // namespace bertha::train
