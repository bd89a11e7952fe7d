// Tests of accelerators on Gaudi, by way of the stand-in for the vendor's library
// (standin/README.md). They say nothing about a real device.

#include <cstdlib>

#include "accelerator/under_test.h"

namespace bertha::test {
namespace {

/// Before main(), so that a test run by hand finds the stand-in, too.
const bool environment_is_set = [] {
  setenv("BERTHA_LIBSYNAPSE", STANDIN_LIBRARY, 0);
  setenv("BERTHA_GAUDI_RECIPES", "0", 0);
  return true;
}();

}  // namespace

const DeviceEntry& accelerator() {
  return *find_device("gaudi");
}

}  // namespace bertha::test
