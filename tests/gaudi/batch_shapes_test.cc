// Views of batches on a device that compiles a graph for each shape.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "accelerator/under_test.h"
#include "bert/device_batch.h"
#include "core/philox.h"
#include "ops/gaudi/token_rows.h"

namespace bertha::bert {
namespace {

/// Sequences of these lengths.
RaggedBatch batch_of(std::initializer_list<int32_t> lengths) {
  RaggedBatch batch;
  batch.clear();
  for (const int32_t length : lengths) {
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(i + 1);
      batch.segments.push_back(0);
      batch.positions.push_back(i);
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
  }
  return batch;
}

class GaudiBatchShapes : public testing::Test {
 protected:
  EncoderInputs upload(std::initializer_list<int32_t> lengths, bool fills = true) {
    batch_ = std::make_unique<DeviceBatch>(
        *device_, BatchLimits{.tokens = 64, .sequences = 6, .masked = 1, .fills_sequences = fills});
    return batch_->upload_tokens(batch_of(lengths));
  }
  std::vector<int32_t> read(const Tensor& tensor) const {
    std::vector<int32_t> values(static_cast<size_t>(tensor.size()));
    device_->read(tensor, values.data());
    return values;
  }

  std::unique_ptr<Device> device_ = test::accelerator().open(0);
  std::unique_ptr<DeviceBatch> batch_;
};

TEST_F(GaudiBatchShapes, EmptySequencesFollow) {
  const EncoderInputs inputs = upload({7, 9, 2});
  EXPECT_EQ(inputs.tokens(), 32);
  EXPECT_EQ(read(inputs.seq_start), (std::vector<int32_t>{0, 7, 16, 18, 18}));
  EXPECT_EQ(read(inputs.ids.word)[18], 0);
}

TEST_F(GaudiBatchShapes, CountsEndAtTheLimits) {
  const EncoderInputs inputs = upload({7, 9, 2, 6, 30});
  EXPECT_EQ(inputs.tokens(), 64);
  EXPECT_EQ(inputs.sequences(), 6);
}

TEST_F(GaudiBatchShapes, EmptySequencesBeginAtARowOfTheirOwn) {
  EXPECT_EQ(upload({16, 16}).tokens(), 32) << "two sequences need no third";
  EXPECT_EQ(upload({16, 8, 8}).tokens(), 64);
  const EncoderInputs inputs = upload({32, 16, 16});
  EXPECT_EQ(inputs.tokens(), 96) << "the limit is 64, and a row more is needed";
  EXPECT_EQ(read(inputs.seq_start).back(), 64);
}

TEST_F(GaudiBatchShapes, SequencesThatEachHaveALabelOfNumbersStayAsTheyAre) {
  const EncoderInputs inputs = upload({16, 8, 8}, false);
  EXPECT_EQ(inputs.sequences(), 3);
  EXPECT_EQ(inputs.tokens(), 32);
}

/// Micro-batches of phase 1, 64 sequences of up to 128 tokens: nine of ten are full, as most pairs
/// of documents are, and the others have any length.
TEST(GaudiGraphs, AnEpochOfPhaseOneHasFewShapes) {
  PhiloxStream random(3, 0);
  std::set<std::tuple<int64_t, int64_t, int64_t>> shapes;
  std::set<int64_t> tokens;
  for (int batch = 0; batch < 1000; ++batch) {
    std::vector<int32_t> starts = {0};
    for (int i = 0; i < 64; ++i) {
      const bool is_full = random.below(10) != 0;
      const auto length = is_full ? 128 : static_cast<int32_t>(8 + random.below(121));
      starts.push_back(starts.back() + length);
    }
    const ops::TokenRows packed = ops::pack_rows(starts);
    tokens.insert(starts.back());
    shapes.emplace(coarse_bucket_of(starts.back()), packed.shape.rows, packed.shape.length);
  }
  EXPECT_GT(tokens.size(), 300U);
  EXPECT_LE(shapes.size(), 4U);
}

}  // namespace
}  // namespace bertha::bert
