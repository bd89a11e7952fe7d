#include "backend/devices.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace bertha {
namespace {

TEST(Devices, TheCpuIsAlwaysPresent) {
  const DeviceEntry* const entry = find_device("cpu");
  ASSERT_NE(entry, nullptr);
  EXPECT_FALSE(entry->accelerator);
  EXPECT_EQ(entry->absence(0), "");
  EXPECT_EQ(entry->open(0)->kind(), DeviceKind::kCpu);
}

TEST(Devices, AnAbsentDeviceHasARowThatSaysWhy) {
  for (const DeviceEntry& entry : devices()) {
    const std::string why = entry.absence(0);
    if (why.empty()) continue;
    try {
      entry.open(0);
      ADD_FAILURE() << entry.name << " is absent and was opened";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  }
  EXPECT_NE(find_device("cuda"), nullptr);
  EXPECT_NE(find_device("gaudi"), nullptr);
}

TEST(Devices, UnknownNameHasNoRow) {
  EXPECT_EQ(find_device("tpu"), nullptr);
  EXPECT_EQ(device_names(), "cpu, gaudi or cuda");
}

}  // namespace
}  // namespace bertha
