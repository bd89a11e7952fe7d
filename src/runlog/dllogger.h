#pragma once

// The run's log, `dllogger.json`, line by line what NVIDIA's dllogger writes at the commit that the
// recipe pins, so that scripts and dashboards made for the recipe read it unchanged:
//
//   DLLL {"timestamp": "1570716921.842053", "datetime": "2019-10-10 16:15:21.842053",
//         "elapsedtime": "5.69", "type": "LOG", "step": [0, 5], "data": {"average_loss": 11.2}}
//
// (one line). Numbers, strings and separators are those of Python's json.dumps; what is not finite
// is written NaN, Infinity, -Infinity, as Python does and JSON does not know.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runlog/append_file.h"
#include "runlog/clock.h"

namespace bertha::runlog {

using LogValue = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;
/// Names and values in the order in which they are written.
using LogData = std::vector<std::pair<std::string, LogValue>>;

class DlLogger {
 public:
  /// Gets the line, without its end, that the recipe prints on standard output for each record.
  using Print = std::function<void(const std::string& line)>;

  /// Writes nothing: the logger of every rank but the first.
  DlLogger() = default;
  /// Creates file and folder. With kContinue, as a resumed run asks for, records are added.
  DlLogger(const std::filesystem::path& path, AppendFile::Start start, Print print,
           WallClock clock = wall_now);

  /// A record of the run's settings and marks: "step": "PARAMETER".
  void parameter(const std::string& name, const LogValue& value);
  /// A record of training: "step": [epoch, step].
  void step(int64_t epoch, int64_t step, const LogData& data);
  /// A record of the whole run: "step": [].
  void summary(const LogData& data);

 private:
  void write(const std::string& json_step, const std::string& printed_step, const LogData& data);

  std::unique_ptr<AppendFile> file_;
  Print print_;
  WallClock clock_;
  WallTime start_;
};

}  // namespace bertha::runlog
