#include "runlog/dllogger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <limits>

#include "core/error.h"
#include "support/files.h"

namespace bertha::runlog {
namespace {

namespace fs = std::filesystem;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kBase = 1570716921842053;  ///< microseconds since 1970

WallTime at(int64_t microseconds) {
  return WallTime(std::chrono::microseconds(microseconds));
}

/// Sets the time zone of the process during the life of the object.
class Zone {
 public:
  explicit Zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~Zone() {
    ::unsetenv("TZ");
    ::tzset();
  }
};

// What dllogger 26a0f8f writes and prints for the records of the first test, with the same clock,
// time zone and step format.
constexpr const char* kConfig =
    "Namespace(bert_model='bert-large-uncased', lr=6e-05, name=\"Zo\xc3\xab\")";

constexpr const char* kFile =
    R"log(DLLL {"timestamp": "1570716916.152063", "datetime": "2019-10-10 07:15:16.152063", "elapsedtime": "1e-05", "type": "LOG", "step": "PARAMETER", "data": {"Config": ["Namespace(bert_model='bert-large-uncased', lr=6e-05, name=\"Zo\u00eb\")"]}}
DLLL {"timestamp": "1570716916.842053", "datetime": "2019-10-10 07:15:16.842053", "elapsedtime": "0.69", "type": "LOG", "step": "PARAMETER", "data": {"SEED": 42}}
DLLL {"timestamp": "1570716917.152053", "datetime": "2019-10-10 07:15:17.152053", "elapsedtime": "1.0", "type": "LOG", "step": "PARAMETER", "data": {"train_start": true}}
DLLL {"timestamp": "1570716921.842053", "datetime": "2019-10-10 07:15:21.842053", "elapsedtime": "5.69", "type": "LOG", "step": [0, 9], "data": {"average_loss": 10.89, "step_loss": NaN, "learning_rate": 1e-05, "average_perf_per_step": 1e+16}}
DLLL {"timestamp": "1570716922.0", "datetime": "2019-10-10 07:15:22", "elapsedtime": "5.847947", "type": "LOG", "step": [1, 1000000], "data": {"final_loss": Infinity}}
DLLL {"timestamp": "1570716923.000001", "datetime": "2019-10-10 07:15:23.000001", "elapsedtime": "6.847948", "type": "LOG", "step": [], "data": {"e2e_train_time": 123.0, "raw_train_time": 0.0001, "note": "tab\t\ud83d\ude00 \u007f"}}
)log";

constexpr const char* kPrinted =
    "DLL 2019-10-10 07:15:16.152063 - PARAMETER Config : "
    "['Namespace(bert_model=\\'bert-large-uncased\\', lr=6e-05, name=\"Zo\xc3\xab\")'] \n"
    "DLL 2019-10-10 07:15:16.842053 - PARAMETER SEED : 42 \n"
    "DLL 2019-10-10 07:15:17.152053 - PARAMETER train_start : True \n"
    "DLL 2019-10-10 07:15:21.842053 - Training Epoch: 0 Training Iteration: 9  average_loss : "
    "10.89  step_loss : nan  learning_rate : 1e-05  average_perf_per_step : 1e+16 \n"
    "DLL 2019-10-10 07:15:22 - Training Epoch: 1 Training Iteration: 1000000  final_loss : inf \n"
    "DLL 2019-10-10 07:15:23.000001 -  e2e_train_time : 123.0  raw_train_time : 0.0001  note : "
    "tab\t\xf0\x9f\x98\x80 \x7f \n";

TEST(DlLogger, BytesAndPrintedLinesAreThoseOfDllogger) {
  const Zone zone("PST8PDT,M3.2.0,M11.1.0");
  const test::TemporaryFolder folder;
  WallTime now = at(kBase - 5690000);
  std::string printed;
  DlLogger log(
      folder.path() / "results" / "dllogger.json",
      [&](const std::string& line) { printed += line + "\n"; }, [&] { return now; });
  now = at(kBase - 5689990);
  log.parameter("Config", std::vector<std::string>{kConfig});
  now = at(kBase - 5000000);
  log.parameter("SEED", 42);
  now = at(kBase - 4690000);
  log.parameter("train_start", true);
  now = at(kBase);
  log.step(0, 9,
           {{"average_loss", 10.89},
            {"step_loss", kNan},
            {"learning_rate", 1e-05},
            {"average_perf_per_step", 1e16}});
  now = at(1570716922000000);
  log.step(1, 1000000, {{"final_loss", kInfinity}});
  now = at(1570716923000001);
  log.summary({{"e2e_train_time", 123.0},
               {"raw_train_time", 0.0001},
               {"note", "tab\t\xf0\x9f\x98\x80 \x7f"}});
  // Read while the logger is open: each record must be in the file by now.
  EXPECT_EQ(test::read_all(folder.path() / "results" / "dllogger.json"), kFile);
  EXPECT_EQ(printed, kPrinted);
}

TEST(DlLogger, EveryRunAppends) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "log.json";
  const auto lines = [&] {
    const std::string text = test::read_all(path);
    return std::count(text.begin(), text.end(), '\n');
  };
  for (int run = 1; run <= 3; ++run) {
    DlLogger(path, nullptr).parameter("SEED", run);
    EXPECT_EQ(lines(), run);
  }
}

TEST(DlLogger, RecordAfterACutOffOneStartsANewLine) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "log.json";
  std::ofstream(path) << "DLLL {\"timest";
  DlLogger(path, nullptr).parameter("SEED", 1);
  EXPECT_TRUE(test::read_all(path).starts_with("DLLL {\"timest\nDLLL {\"timestamp\": "));
}

TEST(DlLogger, LoggerWithoutAFileWritesNothing) {
  DlLogger log;
  log.parameter("SEED", 1);
  log.step(0, 1, {{"average_loss", 1.0}});
}

TEST(DlLogger, PathThatCannotBeWrittenIsNamed) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  try {
    DlLogger(folder.path() / "file" / "log.json", nullptr);
    FAIL() << "a file cannot be a folder";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find((folder.path() / "file").string()), std::string::npos);
  }
}

}  // namespace
}  // namespace bertha::runlog
