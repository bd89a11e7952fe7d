#include "bert/device_batch.h"

#include <gtest/gtest.h>

namespace bertha::bert {
namespace {

TEST(Bucket, IsTheNextMultipleOfEightInHostMemory) {
  EXPECT_EQ(bucket_of(0, Memory::kHost), 8);
  EXPECT_EQ(bucket_of(8, Memory::kHost), 8);
  EXPECT_EQ(bucket_of(9, Memory::kHost), 16);
  EXPECT_EQ(bucket_of(1000, Memory::kHost), 1000);
}

TEST(Bucket, IsTheNextMultipleOfThirtyTwoOnAnAccelerator) {
  EXPECT_EQ(bucket_of(8, Memory::kDevice), 32);
  EXPECT_EQ(bucket_of(33, Memory::kDevice), 64);
}

TEST(Bucket, StepsAreASixtyFourthOfLargeSizes) {
  for (const Memory memory : {Memory::kHost, Memory::kDevice}) {
    EXPECT_EQ(bucket_of(4096, memory), 4096);
    EXPECT_EQ(bucket_of(4097, memory), 4160);
  }
}

TEST(Bucket, DevicesThatCompileHaveEightForEachPowerOfTwo) {
  EXPECT_EQ(coarse_bucket_of(0), 32);
  EXPECT_EQ(coarse_bucket_of(33), 64);
  EXPECT_EQ(coarse_bucket_of(4096), 4096);
  EXPECT_EQ(coarse_bucket_of(4097), 4608);
  EXPECT_EQ(coarse_bucket_of(8192), 8192);
}

}  // namespace
}  // namespace bertha::bert
