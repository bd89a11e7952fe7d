#include "plan/step_timing.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "support/files.h"

namespace bertha::plan {
namespace {

TEST(StepTiming, WrittenFileReadsBackEqual) {
  StepTiming timing;
  timing.device = "a \"GPU\"";
  timing.threads = 3;
  timing.ranks = 4;
  timing.hosts = 2;
  timing.shape = {.sequences = 8, .length = 128, .predictions = 20};
  timing.elements = 1000;
  timing.bucket_elements = 100;
  timing.micro_batch_seconds = 0.125;
  timing.summed_micro_batch_seconds = 0.25;
  timing.update_seconds = 1e-3;
  timing.whole_sum_seconds = 0.1875;
  timing.sums = {{4, 4096, 1e-5}, {4, 4e6, 2e-3}};
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "timing.json").string();
  std::ofstream(path) << timing_json(timing);
  const StepTiming read = read_timing(path);
  EXPECT_EQ(timing_json(read), timing_json(timing));
  EXPECT_EQ(read.shape, timing.shape);
  EXPECT_EQ(read.exposed_seconds(), 0.125);
  EXPECT_EQ(read.sums[1].bytes, 4e6);
}

TEST(StepTiming, FileThatIsNoMeasurementIsRefused) {
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "timing.json").string();
  EXPECT_THROW(read_timing(path), Error);
  StepTiming timing;
  timing.shape = {1, 1, 1};
  timing.elements = 1;
  timing.bucket_elements = 1;
  timing.sums = {{2, 8, 1}};
  const std::string whole = timing_json(timing);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  std::ofstream(path) << whole;
  read_timing(path);
  for (const std::string& text :
       {std::string("[]"), std::string("{"), with("\"ranks\": 1", "\"ranks\": 0"),
        with("\"ranks\": 2", "\"ranks\": 1e300"), with("\"update_seconds\"", "\"other\""),
        with("\"seconds\": 1.0", "\"seconds\": -1"), with("\"sums\"", "\"all\""),
        with("\"micro_batch_seconds\": 0.0", "\"micro_batch_seconds\": \"fast\"")}) {
    std::ofstream(path) << text;
    EXPECT_THROW(read_timing(path), Error) << text;
  }
  std::ofstream(path) << with("\"seconds\": 1.0", "\"seconds\": -1");
  try {
    read_timing(path);
    ADD_FAILURE() << "read";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"sums\" 0: \"seconds\" is -1"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace bertha::plan
