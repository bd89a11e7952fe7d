// The engine for forward passes: its thread rule, its segments, its memory.

#include "infer/predictor.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "bert/question_answering.h"
#include "core/error.h"
#include "infer/tiny_models.h"

namespace bertha::infer {
namespace {

/// A CPU that notes segments and allocations, and refuses a host read inside a segment.
class WatchedDevice : public cpu::CpuDevice {
 public:
  void run(const Segment& segment, BodyRef body) override {
    segments_.push_back(segment);
    names_.insert(std::string(segment.name));
    inside_ = true;
    CpuDevice::run(segment, body);
    inside_ = false;
  }
  void read(const Tensor& from, void* host) override {
    BERTHA_CHECK(!inside_, "a read inside a segment");
    CpuDevice::read(from, host);
  }
  Buffer allocate(int64_t size_bytes) override {
    ++allocations_;
    return CpuDevice::allocate(size_bytes);
  }

  std::vector<Segment> segments_;
  std::set<std::string> names_;
  int64_t allocations_ = 0;

 private:
  bool inside_ = false;
};

RaggedBatch batch_of(const std::vector<int32_t>& lengths) {
  RaggedBatch batch;
  batch.clear();
  for (const int32_t length : lengths) {
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(5 + i % 7);
      batch.positions.push_back(i);
      batch.segments.push_back(0);
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.ids.size()));
  }
  return batch;
}

class PredictorTest : public testing::Test {
 protected:
  PredictorTest() { store_.initialise(bert::InitStyle::kBert, config_, 1); }

  std::vector<float> run(Predictor& predictor, const RaggedBatch& batch) {
    const std::span<const float> result = predictor.run(batch);
    return {result.begin(), result.end()};
  }

  WatchedDevice device_;
  bert::Config config_ = test::tiny_config().padded();
  bert::ParameterStore store_{device_, config_, bert::Heads{.question_answering = true},
                              DType::kF32, false};
  bert::QuestionAnsweringModel model_{config_, store_};
  TaskPass pass_{"test", model_};
  Predictor predictor_{device_, DType::kF32, pass_, {.tokens = 256, .sequences = 8}};
};

TEST_F(PredictorTest, SecondThreadIsRefused) {
  run(predictor_, batch_of({9}));
  std::string what;
  std::thread([&] {
    try {
      predictor_.run(batch_of({9}));
    } catch (const LogicError& error) {
      what = error.what();
    }
  }).join();
  EXPECT_NE(what.find("a Predictor runs on the thread of its first run() alone"), std::string::npos)
      << what;
  EXPECT_NO_THROW(run(predictor_, batch_of({9}))) << "the first thread goes on";
}

TEST_F(PredictorTest, ThreadOfTheFirstRunOwnsThePredictor) {
  std::thread([&] { EXPECT_NO_THROW(predictor_.run(batch_of({9}))); }).join();
  EXPECT_THROW(predictor_.run(batch_of({9})), LogicError) << "it was made here, but ran there";
}

TEST_F(PredictorTest, ResultHasTheBatchesOwnRowsAlone) {
  const RaggedBatch batch = batch_of({9, 4, 17});
  EXPECT_EQ(run(predictor_, batch).size(), 2U * 30);
  EXPECT_EQ(predictor_.result_size(batch), 60);
}

TEST_F(PredictorTest, ResultDoesNotDependOnEarlierBatches) {
  const RaggedBatch batch = batch_of({9, 4});
  const std::vector<float> first = run(predictor_, batch);
  run(predictor_, batch_of({60, 50, 40}));
  EXPECT_EQ(run(predictor_, batch), first);
}

TEST_F(PredictorTest, SegmentsNameTheShapeAndThePredictor) {
  run(predictor_, batch_of({9, 4}));
  ASSERT_EQ(device_.segments_.size(), 1U) << "one segment a batch";
  EXPECT_EQ(device_.segments_[0].bucket, 16);
  EXPECT_EQ(device_.segments_[0].sequences, 2);
  Predictor other(device_, DType::kF32, pass_, {.tokens = 256, .sequences = 8});
  run(other, batch_of({9, 4}));
  EXPECT_EQ(device_.names_.size(), 2U) << "a device must not replay one predictor for another";
}

TEST_F(PredictorTest, SteadyStreamAllocatesNothing) {
  run(predictor_, batch_of({60, 60, 60}));
  const int64_t before = device_.allocations_;
  for (const std::vector<int32_t>& lengths :
       std::vector<std::vector<int32_t>>{{60, 60, 60}, {9}, {30, 30}, {59, 59, 59}}) {
    run(predictor_, batch_of(lengths));
  }
  EXPECT_EQ(device_.allocations_, before);
}

TEST_F(PredictorTest, BatchLargerThanTheLimitsIsRefused) {
  EXPECT_THROW(run(predictor_, batch_of(std::vector<int32_t>(9, 4))), LogicError);
}

}  // namespace
}  // namespace bertha::infer
