// NCCL with a single rank on one GPU: collectives and rounding give the results of a world of one
// rank, also from a captured segment. A sum over one rank in place launches nothing in NCCL, so the
// graph of such a segment holds the work around it alone; several GPUs are tested in tests/dist.

#include <gtest/gtest.h>

#include "backend/cuda/cuda_device.h"
#include "comm/device_communicator.h"
#include "core/philox.h"
#include "core/tensor.h"

namespace bertha::comm {
namespace {

constexpr int64_t kSize = 1000;

std::vector<float> numbers() {
  PhiloxStream random(7, 0);
  std::vector<float> values(kSize);
  for (float& value : values) value = static_cast<float>(random.below(4096)) / 1000 - 2;
  return values;
}

class SeveralGpus : public testing::Test {
 protected:
  void SetUp() override {
#ifndef BERTHA_HAS_NCCL
    GTEST_SKIP() << "built without NCCL";
#endif
    if (!cuda::absence().empty()) GTEST_SKIP() << cuda::absence();
    device_ = cuda::open_device();
    world_ = make_device_communicator(alone(), *device_);
    buffer_ = device_->allocate(kSize * size_of(DType::kF32));
    device_->write(out(all()), values_.data());
  }
  void TearDown() override {
    world_.reset();
    buffer_ = Buffer();
  }

  Tensor all() const {
    return Tensor(&buffer_, 0, DType::kF32, {kSize});
  }
  std::vector<float> read() {
    std::vector<float> values(kSize);
    device_->read(all(), values.data());
    return values;
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<Communicator> world_;
  Buffer buffer_;
  std::vector<float> values_ = numbers();
};

TEST_F(SeveralGpus, AllReduceOfOneRankKeepsValues) {
  world_->all_reduce(inout(all()), {.bucket_elements = 300});
  EXPECT_EQ(read(), values_);
}

TEST_F(SeveralGpus, AllReduceIsReplayedWithItsSegment) {
  const Buffer copied = device_->allocate(kSize * size_of(DType::kF32));
  const Tensor copy(&copied, 0, DType::kF32, {kSize});
  for (int run = 0; run < 4; ++run) {
    device_->zero(out(copy));
    device_->run({.name = "sums"}, [&] {
      world_->all_reduce_async(inout(all().rows(0, 500)), {});
      world_->all_reduce_async(inout(all().rows(500, 500)), {});
      device_->copy(all(), out(copy));
    });
    world_->wait_all_reduces();
    std::vector<float> values(kSize);
    device_->read(copy, values.data());
    EXPECT_EQ(values, values_) << "run " << run;
  }
  EXPECT_EQ(read(), values_);
}

TEST_F(SeveralGpus, BFloat16OnTheWireRoundsOnce) {
  world_->all_reduce(inout(all()), {.wire_dtype = DType::kBF16});
  std::vector<float> rounded;
  for (const float value : values_) rounded.push_back(static_cast<float>(BFloat16(value)));
  EXPECT_EQ(read(), rounded);
}

TEST_F(SeveralGpus, PartitionOfOneRankIsTheWholeTensor) {
  const std::vector<int64_t> bounds = {0, kSize};
  world_->reduce_scatter(inout(all()), bounds, {});
  world_->all_gather(inout(all()), bounds, Stage::kWeights);
  EXPECT_EQ(read(), values_);
}

}  // namespace
}  // namespace bertha::comm
