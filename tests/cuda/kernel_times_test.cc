// The table of BERTHA_CUDA_PROFILE.

#include "backend/cuda/kernel_times.h"

#include <gtest/gtest.h>

namespace bertha::cuda {
namespace {

TEST(KernelTimes, TableHasTheMostTimeFirst) {
  KernelTimes times;
  times.add("small", 5);
  for (const double microseconds : {30.0, 10.0, 20.0}) times.add("large", microseconds);
  EXPECT_EQ(
      times.table(),
      "kernel                                         calls         ms    share  least us "
      "median us   most us\n"
      "large                                              3       0.06   92.3 %      10.0     "
      " 20.0      30.0\n"
      "small                                              1       0.01    7.7 %       5.0     "
      "  5.0       5.0\n"
      "all                                                        0.07\n");
}

TEST(KernelTimes, NothingLaunchedIsATableToo) {
  EXPECT_NE(KernelTimes().table().find("all"), std::string::npos);
}

}  // namespace
}  // namespace bertha::cuda
