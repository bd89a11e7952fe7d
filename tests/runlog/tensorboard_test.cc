#include "runlog/tensorboard.h"

#include <gtest/gtest.h>

#include <string>

#include "support/files.h"

namespace bertha::runlog {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// The bytes that the `tensorboard` package 2.21 wrote for the same events at the same times.
constexpr const char* kExpected =
    "1800000000000000a37f4b22090000603ecf67d7411a0d627261696e2e4576656e743a32983417fe2000000000"
    "00000029eda950090000703ecf67d74110012a130a110a0a6c6f73732f746f74616c1500002841fe4c6dab3800"
    "000000000000a3797d57090000b03ecf67d74110f0a2042a290a110a0a6c6f73732f746f74616c15cdcccc3d0a"
    "140a0d6c6561726e696e675f726174651582a87b382e5b30e5";

TEST(TensorBoardWriter, BytesAreThoseOfTheTensorboardPackage) {
  const test::TemporaryFolder folder;
  WallTime now{std::chrono::milliseconds(1570716921500)};
  TensorBoardWriter writer(folder.path() / "events", [&] { return now; });
  EXPECT_TRUE(writer.path().filename().string().starts_with("events.out.tfevents.1570716921."));
  now += std::chrono::milliseconds(250);
  writer.write(1, {{"loss/total", 10.5}});
  now += std::chrono::seconds(1);
  writer.write(70000, {{"loss/total", 0.1}, {"learning_rate", 6e-05}});
  EXPECT_EQ(hex(test::read_all(writer.path())), kExpected);
}

TEST(TensorBoardWriter, FileOfTheSameSecondIsKept) {
  const test::TemporaryFolder folder;
  const auto clock = [] { return WallTime(std::chrono::seconds(1)); };
  TensorBoardWriter first(folder.path(), clock);
  first.write(1, {{"loss", 1.0}});
  const auto size = std::filesystem::file_size(first.path());
  const TensorBoardWriter second(folder.path(), clock);
  EXPECT_GT(std::filesystem::file_size(first.path()), size);
}

}  // namespace
}  // namespace bertha::runlog
