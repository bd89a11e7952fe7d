// Sequences in rows: each is whole and alone in its slots, and the shapes are few.

#include "ops/gaudi/token_rows.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/philox.h"

namespace bertha::ops {
namespace {

/// Starts of sequences of these lengths.
std::vector<int32_t> starts_of(const std::vector<int32_t>& lengths) {
  std::vector<int32_t> starts = {0};
  for (const int32_t length : lengths) starts.push_back(starts.back() + length);
  return starts;
}

TEST(TokenRows, FirstFitFillsEarlierRows) {
  const std::vector<int32_t> starts = starts_of({100, 60, 28, 68});
  const TokenRows packed = pack_rows(starts);
  EXPECT_EQ(packed.shape.length, 128);
  EXPECT_EQ(packed.shape.rows, 2);
  EXPECT_EQ(packed.first_slot, (std::vector<int64_t>{0, 128, 100, 188}));
}

TEST(TokenRows, LengthIsTheLeastThatHoldsTheLongest) {
  EXPECT_EQ(pack_rows(starts_of({32})).shape.length, 32);
  EXPECT_EQ(pack_rows(starts_of({33})).shape.length, 64);
  EXPECT_EQ(pack_rows(starts_of({384, 1})).shape.length, 384);
  EXPECT_EQ(pack_rows(starts_of({513})).shape.length, 1024);
}

TEST(TokenRows, BatchWithoutTokensHasOneEmptyRow) {
  EXPECT_EQ(pack_rows(std::vector<int32_t>{0}).shape.rows, 1);
  const TokenRows empty = pack_rows(std::vector<int32_t>{0, 0});
  EXPECT_EQ(empty.shape.rows, 1);
  EXPECT_EQ(tokens_of_slots(empty, std::vector<int32_t>{0, 0}), std::vector<int32_t>(32, 0));
}

TEST(TokenRows, EmptySequencesTakeNoRow) {
  EXPECT_EQ(pack_rows(starts_of({32, 32, 0, 0})).shape.rows, 2);
}

TEST(TokenRows, EveryTokenHasASlotOfItsOwn) {
  PhiloxStream random(9, 0);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<int32_t> lengths;
    for (int i = 0; i < 40; ++i) lengths.push_back(static_cast<int32_t>(random.below(129)));
    const std::vector<int32_t> starts = starts_of(lengths);
    const TokenRows packed = pack_rows(starts);
    const int64_t tokens = starts.back() + 5;
    const std::vector<int32_t> slots = slots_of_tokens(packed, starts, tokens);
    const std::vector<int32_t> in_slots = tokens_of_slots(packed, starts);
    ASSERT_EQ(std::ssize(in_slots), packed.shape.slots());
    std::set<int32_t> taken;
    for (size_t s = 0; s + 1 < starts.size(); ++s) {
      for (int32_t token = starts[s]; token < starts[s + 1]; ++token) {
        const int32_t slot = slots[static_cast<size_t>(token)];
        EXPECT_TRUE(taken.insert(slot).second) << "slot " << slot << " is taken twice";
        EXPECT_EQ(in_slots[static_cast<size_t>(slot)], token);
        EXPECT_EQ(slot / packed.shape.length, packed.first_slot[s] / packed.shape.length)
            << "a sequence lies in two rows";
      }
    }
  }
}

TEST(TokenRows, BatchesOfOneBudgetHaveFewShapes) {
  PhiloxStream random(9, 1);
  std::set<std::pair<int64_t, int64_t>> shapes;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int32_t> lengths;
    for (int32_t left = 8192; left > 0;) {
      const auto length = std::min(left, static_cast<int32_t>(1 + random.below(128)));
      lengths.push_back(length);
      left -= length;
    }
    const TokenRows packed = pack_rows(starts_of(lengths));
    shapes.emplace(packed.shape.rows, packed.shape.length);
    EXPECT_LE(packed.shape.slots(), 8192 * 3 / 2);
  }
  EXPECT_LE(shapes.size(), 2U);
}

}  // namespace
}  // namespace bertha::ops
