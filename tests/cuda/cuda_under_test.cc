// Tests of accelerators on CUDA: on a GPU where there is one (in a build with CUDA), else with the
// kernels emulated on the host.

#include "accelerator/under_test.h"

namespace bertha::test {

const DeviceEntry& accelerator() {
  return *find_device("cuda");
}

}  // namespace bertha::test
